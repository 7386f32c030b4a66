CREATE INDEX idx_orders_partner_status ON orders (tenant_id, erp_partner_id, status, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_orders_source ON orders (tenant_id, source, deleted_at, ordered_at, erp_order_id);

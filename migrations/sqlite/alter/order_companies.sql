ALTER TABLE orders ADD COLUMN erp_company_id INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET erp_company_id = COALESCE((SELECT NULLIF(c.erp_company_id, 0) FROM customers c
    WHERE c.tenant_id = orders.tenant_id AND c.erp_partner_id = orders.erp_partner_id), erp_partner_id);
CREATE INDEX idx_orders_company ON orders (tenant_id, erp_company_id, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_orders_company_status ON orders (tenant_id, erp_company_id, status, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_orders_source_status ON orders (tenant_id, source, status, deleted_at, ordered_at, erp_order_id);
DROP INDEX idx_customers_company;

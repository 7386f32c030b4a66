ALTER TABLE orders
    ADD KEY idx_orders_partner_status (tenant_id, erp_partner_id, status, deleted_at, ordered_at, erp_order_id),
    ADD KEY idx_orders_source (tenant_id, source, deleted_at, ordered_at, erp_order_id),
    ALGORITHM=INPLACE, LOCK=NONE

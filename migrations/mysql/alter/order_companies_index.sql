ALTER TABLE orders
    ADD KEY idx_orders_company (tenant_id, erp_company_id, deleted_at, ordered_at, erp_order_id),
    ADD KEY idx_orders_company_status (tenant_id, erp_company_id, status, deleted_at, ordered_at, erp_order_id),
    ADD KEY idx_orders_source_status (tenant_id, source, status, deleted_at, ordered_at, erp_order_id),
    ALGORITHM=INPLACE, LOCK=NONE

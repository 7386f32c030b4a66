ALTER TABLE orders
    ADD documents            MEDIUMTEXT  NULL,
    ADD documents_write_date DATETIME(6) NULL,
    ADD original             MEDIUMTEXT  NULL,
    ADD edits                TEXT        NULL,
    ADD edited               TINYINT     NOT NULL DEFAULT 0,
    ADD KEY idx_orders_edited (tenant_id, edited, ordered_at, erp_order_id)

CREATE TABLE IF NOT EXISTS history_blocks (
    tenant_id    BIGINT      NOT NULL,
    erp_order_id BIGINT      NOT NULL,
    positions    TEXT        NOT NULL,
    ordered_at   DATETIME(6) NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id),
    KEY idx_history_blocks_order (tenant_id, ordered_at, erp_order_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

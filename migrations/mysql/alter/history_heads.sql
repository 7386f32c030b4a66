CREATE TABLE IF NOT EXISTS history_heads (
    tenant_id    BIGINT        NOT NULL,
    erp_order_id BIGINT        NOT NULL,
    position     BIGINT        NOT NULL,
    hash         VARBINARY(64) NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

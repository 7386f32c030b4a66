CREATE TABLE IF NOT EXISTS history_latest (
    tenant_id    BIGINT         NOT NULL,
    erp_order_id BIGINT         NOT NULL,
    module       VARBINARY(64)  NOT NULL,
    status_code  VARBINARY(128) NOT NULL,
    position     BIGINT         NOT NULL,
    ordered_at   DATETIME(6)    NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id, module),
    KEY idx_history_latest_code (tenant_id, status_code, ordered_at, erp_order_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

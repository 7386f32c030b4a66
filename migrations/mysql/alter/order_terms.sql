CREATE TABLE IF NOT EXISTS order_terms (
    tenant_id    BIGINT         NOT NULL,
    quarter      SMALLINT       NOT NULL,
    term         VARBINARY(128) NOT NULL,
    erp_order_id BIGINT         NOT NULL,
    ordered_at   DATETIME(6)    NOT NULL,
    PRIMARY KEY (tenant_id, quarter, term, erp_order_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- +goose Up
CREATE TABLE IF NOT EXISTS order_lines (
    id          BIGINT        NOT NULL AUTO_INCREMENT,
    tenant_id   BIGINT        NOT NULL DEFAULT 1,
    order_id    BIGINT        NOT NULL,
    erp_line_id BIGINT        NULL,
    sku         VARCHAR(255)  NULL,
    name        TEXT          NULL,
    quantity    DECIMAL(28,6) NULL,
    unit_price  DECIMAL(28,6) NULL,
    discount    DECIMAL(28,6) NULL,
    subtotal    DECIMAL(28,6) NULL,
    PRIMARY KEY (id),
    KEY idx_order_lines_order (order_id),
    CONSTRAINT fk_order_lines_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

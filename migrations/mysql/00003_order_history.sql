-- +goose Up
CREATE TABLE IF NOT EXISTS order_history (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    tenant_id   BIGINT       NOT NULL DEFAULT 1,
    order_id    BIGINT       NOT NULL,
    status      VARCHAR(32)  NULL,
    detail      TEXT         NULL,
    recorded_by VARCHAR(255) NULL,
    recorded_at DATETIME(6)  NULL,
    PRIMARY KEY (id),
    KEY idx_order_history_order (order_id),
    CONSTRAINT fk_order_history_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

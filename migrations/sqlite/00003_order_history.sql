-- +goose Up
CREATE TABLE IF NOT EXISTS order_history (
    id          INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER  NOT NULL DEFAULT 1,
    order_id    INTEGER  NOT NULL REFERENCES orders (id),
    status      TEXT     NULL,
    detail      TEXT     NULL,
    recorded_by TEXT     NULL,
    recorded_at DATETIME NULL
);

CREATE INDEX IF NOT EXISTS idx_order_history_order ON order_history (order_id);

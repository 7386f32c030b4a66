-- +goose Up
CREATE TABLE IF NOT EXISTS order_lines (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL DEFAULT 1,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    erp_line_id INTEGER NULL,
    sku         TEXT    NULL,
    name        TEXT    NULL,
    quantity    TEXT    NULL,
    unit_price  TEXT    NULL,
    discount    TEXT    NULL,
    subtotal    TEXT    NULL
);

CREATE INDEX IF NOT EXISTS idx_order_lines_order ON order_lines (order_id);

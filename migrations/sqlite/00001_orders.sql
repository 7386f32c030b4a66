-- +goose Up
-- As earlier systems had it: an order could stand here without an ERP id, and more than once with one.
-- Decimals are TEXT throughout: SQLite would keep them as binary floating point otherwise.
CREATE TABLE IF NOT EXISTS orders (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id      INTEGER  NOT NULL DEFAULT 1,
    erp_order_id   INTEGER  NULL,
    number         TEXT     NULL,
    status         TEXT     NULL,
    erp_partner_id INTEGER  NULL,
    reference      TEXT     NULL,
    currency       TEXT     NULL,
    amount_untaxed TEXT     NULL,
    amount_tax     TEXT     NULL,
    amount_total   TEXT     NULL,
    ordered_at     DATETIME NULL,
    created_at     DATETIME NULL,
    updated_at     DATETIME NULL
);

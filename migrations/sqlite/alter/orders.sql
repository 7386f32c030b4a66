-- SQLite cannot add NOT NULL to a column. The tables are built anew, the children with their parent: they are moved to
-- the new parent before the old one goes, so that no foreign key is ever broken.
CREATE TABLE orders_new (
    id                INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id         INTEGER  NOT NULL,
    erp_order_id      INTEGER  NOT NULL,
    number            TEXT     NOT NULL,
    status            TEXT     NOT NULL,
    erp_partner_id    INTEGER  NOT NULL,
    reference         TEXT     NOT NULL,
    currency          TEXT     NOT NULL,
    amount_untaxed    TEXT     NOT NULL,
    amount_tax        TEXT     NOT NULL,
    amount_total      TEXT     NOT NULL,
    ordered_at        DATETIME NOT NULL,
    created_at        DATETIME NOT NULL,
    updated_at        DATETIME NOT NULL,
    source            TEXT     NOT NULL DEFAULT 'odoo',
    note              TEXT     NOT NULL DEFAULT '',
    currency_decimals INTEGER  NOT NULL DEFAULT 2,
    search_text       TEXT     NOT NULL DEFAULT '',
    erp_created_at    DATETIME NULL,
    erp_updated_at    DATETIME NULL,
    write_date        DATETIME NULL,
    lines_write_date  DATETIME NULL,
    read_at           DATETIME NULL,
    digest            TEXT     NOT NULL DEFAULT '',
    deleted_at        DATETIME NULL
);

CREATE TABLE order_lines_new (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER NOT NULL,
    order_id        INTEGER NOT NULL REFERENCES orders_new (id),
    erp_line_id     INTEGER NOT NULL,
    sku             TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    quantity        TEXT    NOT NULL,
    unit_price      TEXT    NOT NULL,
    discount        TEXT    NOT NULL,
    subtotal        TEXT    NOT NULL,
    position        INTEGER NOT NULL DEFAULT 0,
    erp_product_id  INTEGER NOT NULL DEFAULT 0,
    unit_of_measure TEXT    NOT NULL DEFAULT '',
    tax             TEXT    NOT NULL DEFAULT '0',
    total           TEXT    NOT NULL DEFAULT '0'
);

CREATE TABLE order_history_new (
    id          INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER  NOT NULL,
    order_id    INTEGER  NOT NULL REFERENCES orders_new (id),
    to_status   TEXT     NOT NULL,
    detail      TEXT     NOT NULL,
    recorded_by TEXT     NOT NULL,
    recorded_at DATETIME NOT NULL,
    code        TEXT     NOT NULL DEFAULT 'status_changed',
    severity    TEXT     NOT NULL DEFAULT 'info',
    from_status TEXT     NOT NULL DEFAULT ''
);

INSERT INTO orders_new (id, tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
    amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, search_text)
SELECT id, tenant_id, erp_order_id, COALESCE(number, ''), COALESCE(status, 'draft'), COALESCE(erp_partner_id, 0),
    COALESCE(reference, ''), COALESCE(currency, ''),
    COALESCE(amount_untaxed, '0'), COALESCE(amount_tax, '0'), COALESCE(amount_total, '0'),
    COALESCE(ordered_at, created_at, '1970-01-01 00:00:00+00:00'), COALESCE(created_at, '1970-01-01 00:00:00+00:00'),
    COALESCE(updated_at, created_at, '1970-01-01 00:00:00+00:00'),
    lower(COALESCE(number, '') || char(10) || COALESCE(reference, ''))
FROM orders;

INSERT INTO order_lines_new (id, tenant_id, order_id, erp_line_id, sku, name, quantity, unit_price, discount, subtotal)
SELECT id, tenant_id, order_id, COALESCE(erp_line_id, 0), COALESCE(sku, ''), COALESCE(name, ''),
    COALESCE(quantity, '0'), COALESCE(unit_price, '0'), COALESCE(discount, '0'), COALESCE(subtotal, '0')
FROM order_lines;

INSERT INTO order_history_new (id, tenant_id, order_id, to_status, detail, recorded_by, recorded_at)
SELECT id, tenant_id, order_id, COALESCE(status, ''), COALESCE(detail, ''), COALESCE(recorded_by, ''),
    COALESCE(recorded_at, '1970-01-01 00:00:00+00:00')
FROM order_history;

DROP TABLE order_history;
DROP TABLE order_lines;
DROP TABLE orders;

ALTER TABLE orders_new RENAME TO orders;
ALTER TABLE order_lines_new RENAME TO order_lines;
ALTER TABLE order_history_new RENAME TO order_history;

CREATE UNIQUE INDEX uniq_orders_erp_order ON orders (tenant_id, erp_order_id);
CREATE INDEX idx_orders_listing ON orders (tenant_id, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_orders_partner ON orders (tenant_id, erp_partner_id, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_orders_status ON orders (tenant_id, status, deleted_at, ordered_at, erp_order_id);
CREATE INDEX idx_order_lines_order ON order_lines (order_id);
CREATE INDEX idx_order_history_order ON order_history (order_id);

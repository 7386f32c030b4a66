-- +goose Up
CREATE TABLE IF NOT EXISTS products (
    id              INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER  NOT NULL,
    erp_product_id  INTEGER  NOT NULL,
    sku             TEXT     NOT NULL,
    name            TEXT     NOT NULL,
    unit_of_measure TEXT     NOT NULL,
    list_price      TEXT     NOT NULL,
    currency        TEXT     NOT NULL,
    sellable        INTEGER  NOT NULL,
    active          INTEGER  NOT NULL,
    search_text     TEXT     NOT NULL,
    write_date      DATETIME NULL,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_products_product ON products (tenant_id, erp_product_id);

CREATE INDEX IF NOT EXISTS idx_products_sku ON products (tenant_id, sku);

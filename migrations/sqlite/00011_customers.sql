-- +goose Up
CREATE TABLE IF NOT EXISTS customers (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id      INTEGER  NOT NULL,
    erp_partner_id INTEGER  NOT NULL,
    erp_company_id INTEGER  NOT NULL,
    ref            TEXT     NULL,
    name           TEXT     NOT NULL,
    email          TEXT     NOT NULL,
    phone          TEXT     NOT NULL,
    active         INTEGER  NOT NULL,
    search_text    TEXT     NOT NULL,
    write_date     DATETIME NULL,
    created_at     DATETIME NOT NULL,
    updated_at     DATETIME NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_customers_partner ON customers (tenant_id, erp_partner_id);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_customers_ref ON customers (tenant_id, ref);

CREATE INDEX IF NOT EXISTS idx_customers_company ON customers (tenant_id, erp_company_id, erp_partner_id);

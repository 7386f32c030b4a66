-- +goose Up
CREATE TABLE IF NOT EXISTS api_keys (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id      INTEGER  NOT NULL,
    name           TEXT     NOT NULL,
    role           TEXT     NOT NULL,
    source         TEXT     NOT NULL,
    erp_partner_id INTEGER  NOT NULL,
    prefix         TEXT     NOT NULL,
    hash           TEXT     NOT NULL,
    created_at     DATETIME NOT NULL,
    revoked_at     DATETIME NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_api_keys_hash ON api_keys (hash);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_api_keys_name ON api_keys (tenant_id, name);

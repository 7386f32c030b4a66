-- +goose Up
CREATE TABLE IF NOT EXISTS sync_leases (
    tenant_id  INTEGER  NOT NULL,
    name       TEXT     NOT NULL,
    holder     TEXT     NOT NULL,
    held_until DATETIME NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

CREATE TABLE IF NOT EXISTS sync_backfills (
    tenant_id  INTEGER  NOT NULL,
    since      DATETIME NULL,
    after_id   INTEGER  NOT NULL,
    orders     INTEGER  NOT NULL,
    erp_began  DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (tenant_id)
);

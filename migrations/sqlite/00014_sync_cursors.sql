-- +goose Up
CREATE TABLE IF NOT EXISTS sync_cursors (
    tenant_id  INTEGER  NOT NULL,
    model      TEXT     NOT NULL,
    write_date DATETIME NULL,
    synced_at  DATETIME NULL,
    complete   INTEGER  NOT NULL,
    PRIMARY KEY (tenant_id, model)
);

-- +goose Up
CREATE TABLE IF NOT EXISTS tenants (
    id         INTEGER  PRIMARY KEY AUTOINCREMENT,
    name       TEXT     NOT NULL,
    created_at DATETIME NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_tenants_name ON tenants (name);

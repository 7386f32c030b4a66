-- +goose Up
CREATE TABLE IF NOT EXISTS webhooks (
    tenant_id      INTEGER  NOT NULL,
    address        TEXT     NOT NULL,
    hash           TEXT     NOT NULL,
    previous_hash  TEXT     NOT NULL,
    previous_until DATETIME NULL,
    early          INTEGER  NOT NULL,
    installed_at   DATETIME NOT NULL,
    rotated_at     DATETIME NOT NULL,
    notified_at    DATETIME NULL,
    notifications  INTEGER  NOT NULL,
    announced      INTEGER  NOT NULL,
    missed         INTEGER  NOT NULL,
    PRIMARY KEY (tenant_id)
);

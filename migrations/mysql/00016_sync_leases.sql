-- +goose Up
-- Who has which work of a tenant to itself, until when.
CREATE TABLE IF NOT EXISTS sync_leases (
    tenant_id  BIGINT         NOT NULL,
    name       VARBINARY(64)  NOT NULL,
    holder     VARBINARY(64)  NOT NULL,
    held_until DATETIME(6)    NOT NULL,
    PRIMARY KEY (tenant_id, name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How far a full read of a tenant's orders has come, so that it goes on after it was ended.
CREATE TABLE IF NOT EXISTS sync_backfills (
    tenant_id  BIGINT      NOT NULL,
    since      DATETIME(6) NULL,
    after_id   BIGINT      NOT NULL,
    orders     BIGINT      NOT NULL,
    erp_began  DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (tenant_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

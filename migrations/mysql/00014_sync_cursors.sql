-- +goose Up
CREATE TABLE IF NOT EXISTS sync_cursors (
    tenant_id  BIGINT         NOT NULL,
    model      VARBINARY(255) NOT NULL,
    write_date DATETIME(6)    NULL,
    synced_at  DATETIME(6)    NULL,
    complete   TINYINT        NOT NULL,
    PRIMARY KEY (tenant_id, model)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

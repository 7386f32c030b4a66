-- +goose Up
-- Every row that the removal of duplicates takes out of a table is kept here in full, as JSON.
CREATE TABLE IF NOT EXISTS dedupe_archive (
    id                    INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id             INTEGER  NOT NULL,
    run_id                TEXT     NOT NULL,
    table_name            TEXT     NOT NULL,
    row_id                INTEGER  NOT NULL,
    kept_row_id           INTEGER  NULL,
    reason                TEXT     NOT NULL,
    erp_order_id          INTEGER  NULL,
    row_json              TEXT     NOT NULL,
    archived_at           DATETIME NOT NULL,
    resolved_at           DATETIME NULL,
    resolved_erp_order_id INTEGER  NULL
);

CREATE INDEX IF NOT EXISTS idx_dedupe_archive_orphans ON dedupe_archive (tenant_id, table_name, reason, resolved_at);

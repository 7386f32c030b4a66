-- +goose Up
-- Every row that the removal of duplicates takes out of a table is kept here in full, as JSON.
CREATE TABLE IF NOT EXISTS dedupe_archive (
    id                    BIGINT         NOT NULL AUTO_INCREMENT,
    tenant_id             BIGINT         NOT NULL,
    run_id                VARBINARY(64)  NOT NULL,
    table_name            VARBINARY(64)  NOT NULL,
    row_id                BIGINT         NOT NULL,
    kept_row_id           BIGINT         NULL,
    reason                VARBINARY(64)  NOT NULL,
    erp_order_id          BIGINT         NULL,
    row_json              LONGTEXT       NOT NULL,
    archived_at           DATETIME(6)    NOT NULL,
    resolved_at           DATETIME(6)    NULL,
    resolved_erp_order_id BIGINT         NULL,
    PRIMARY KEY (id),
    KEY idx_dedupe_archive_orphans (tenant_id, table_name, reason, resolved_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

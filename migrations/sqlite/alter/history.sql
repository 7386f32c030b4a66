CREATE TABLE IF NOT EXISTS history_entries (
    tenant_id    INTEGER  NOT NULL,
    erp_order_id INTEGER  NOT NULL,
    position     INTEGER  NOT NULL,
    module       TEXT     NOT NULL,
    status_code  TEXT     NOT NULL,
    category     TEXT     NOT NULL,
    severity     TEXT     NOT NULL,
    payload      TEXT     NOT NULL,
    detail       TEXT     NOT NULL,
    closes       INTEGER  NULL,
    written_by   TEXT     NOT NULL,
    recorded_at  DATETIME NOT NULL,
    fact_key     TEXT     NULL,
    request_key  TEXT     NULL,
    hash         TEXT     NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id, position)
) WITHOUT ROWID;

CREATE UNIQUE INDEX IF NOT EXISTS uniq_history_entries_fact ON history_entries (tenant_id, erp_order_id, fact_key);
CREATE UNIQUE INDEX IF NOT EXISTS uniq_history_entries_request ON history_entries (tenant_id, module, request_key);

CREATE TABLE IF NOT EXISTS history_heads (
    tenant_id    INTEGER NOT NULL,
    erp_order_id INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    hash         TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS history_latest (
    tenant_id    INTEGER  NOT NULL,
    erp_order_id INTEGER  NOT NULL,
    module       TEXT     NOT NULL,
    status_code  TEXT     NOT NULL,
    position     INTEGER  NOT NULL,
    ordered_at   DATETIME NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id, module)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_history_latest_code ON history_latest (tenant_id, status_code, ordered_at, erp_order_id);

CREATE TABLE IF NOT EXISTS history_blocks (
    tenant_id    INTEGER  NOT NULL,
    erp_order_id INTEGER  NOT NULL,
    positions    TEXT     NOT NULL,
    ordered_at   DATETIME NOT NULL,
    PRIMARY KEY (tenant_id, erp_order_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_history_blocks_order ON history_blocks (tenant_id, ordered_at, erp_order_id);

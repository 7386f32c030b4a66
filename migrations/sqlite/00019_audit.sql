-- +goose Up
CREATE TABLE IF NOT EXISTS audit_runs (
    id          INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER  NOT NULL,
    started_by  TEXT     NOT NULL,
    night       TEXT     NULL,
    repair      INTEGER  NOT NULL,
    since       DATETIME NULL,
    state       TEXT     NOT NULL,
    lease_token TEXT     NOT NULL,
    lease_until DATETIME NULL,
    began_at    DATETIME NOT NULL,
    ended_at    DATETIME NULL,
    failure     TEXT     NOT NULL,
    erp_calls   INTEGER  NOT NULL,
    erp_rows    INTEGER  NOT NULL,
    counts      TEXT     NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_audit_runs_night ON audit_runs (tenant_id, night);

CREATE INDEX IF NOT EXISTS idx_audit_runs_tenant ON audit_runs (tenant_id, id);

CREATE TABLE IF NOT EXISTS audit_findings (
    id           INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER  NOT NULL,
    run_id       INTEGER  NOT NULL,
    erp_order_id INTEGER  NOT NULL,
    number       TEXT     NOT NULL,
    kind         TEXT     NOT NULL,
    state        TEXT     NOT NULL,
    detail       TEXT     NOT NULL,
    failure      TEXT     NOT NULL,
    found_at     DATETIME NOT NULL,
    ended_at     DATETIME NULL
);

CREATE INDEX IF NOT EXISTS idx_audit_findings_tenant ON audit_findings (tenant_id, id);

CREATE INDEX IF NOT EXISTS idx_audit_findings_run ON audit_findings (tenant_id, run_id, id);

CREATE INDEX IF NOT EXISTS idx_audit_findings_kind ON audit_findings (tenant_id, kind, id);

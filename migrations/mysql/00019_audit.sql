-- +goose Up
CREATE TABLE IF NOT EXISTS audit_runs (
    id          BIGINT         NOT NULL AUTO_INCREMENT,
    tenant_id   BIGINT         NOT NULL,
    started_by  VARBINARY(16)  NOT NULL,
    night       VARBINARY(10)  NULL,
    repair      TINYINT        NOT NULL,
    since       DATETIME(6)    NULL,
    state       VARBINARY(16)  NOT NULL,
    lease_token VARBINARY(255) NOT NULL,
    lease_until DATETIME(6)    NULL,
    began_at    DATETIME(6)    NOT NULL,
    ended_at    DATETIME(6)    NULL,
    failure     TEXT           NOT NULL,
    erp_calls   BIGINT         NOT NULL,
    erp_rows    BIGINT         NOT NULL,
    counts      TEXT           NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uniq_audit_runs_night (tenant_id, night),
    KEY idx_audit_runs_tenant (tenant_id, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit_findings (
    id           BIGINT        NOT NULL AUTO_INCREMENT,
    tenant_id    BIGINT        NOT NULL,
    run_id       BIGINT        NOT NULL,
    erp_order_id BIGINT        NOT NULL,
    number       TEXT          NOT NULL,
    kind         VARBINARY(16) NOT NULL,
    state        VARBINARY(16) NOT NULL,
    detail       TEXT          NOT NULL,
    failure      TEXT          NOT NULL,
    found_at     DATETIME(6)   NOT NULL,
    ended_at     DATETIME(6)   NULL,
    PRIMARY KEY (id),
    KEY idx_audit_findings_tenant (tenant_id, id),
    KEY idx_audit_findings_run (tenant_id, run_id, id),
    KEY idx_audit_findings_kind (tenant_id, kind, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Up
CREATE TABLE IF NOT EXISTS intents (
    id              INTEGER  PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER  NOT NULL,
    source          TEXT     NOT NULL,
    idempotency_key TEXT     NOT NULL,
    fingerprint     TEXT     NOT NULL,
    state           TEXT     NOT NULL,
    request         TEXT     NOT NULL,
    plan            TEXT     NOT NULL,
    caller          TEXT     NOT NULL,
    lease_token     TEXT     NOT NULL,
    lease_until     DATETIME NULL,
    unknown_at      DATETIME NULL,
    attempts        INTEGER  NOT NULL,
    next_attempt_at DATETIME NULL,
    erp_order_id    INTEGER  NULL,
    result          TEXT     NULL,
    failure         TEXT     NULL,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS uniq_intents_key ON intents (tenant_id, source, idempotency_key);

CREATE INDEX IF NOT EXISTS idx_intents_state ON intents (tenant_id, state, created_at);

CREATE INDEX IF NOT EXISTS idx_intents_order ON intents (tenant_id, erp_order_id);

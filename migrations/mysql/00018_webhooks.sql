-- +goose Up
CREATE TABLE IF NOT EXISTS webhooks (
    tenant_id      BIGINT          NOT NULL,
    address        VARBINARY(1024) NOT NULL,
    hash           VARBINARY(64)   NOT NULL,
    previous_hash  VARBINARY(64)   NOT NULL,
    previous_until DATETIME(6)     NULL,
    early          TINYINT         NOT NULL,
    installed_at   DATETIME(6)     NOT NULL,
    rotated_at     DATETIME(6)     NOT NULL,
    notified_at    DATETIME(6)     NULL,
    notifications  BIGINT          NOT NULL,
    announced      BIGINT          NOT NULL,
    missed         BIGINT          NOT NULL,
    PRIMARY KEY (tenant_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

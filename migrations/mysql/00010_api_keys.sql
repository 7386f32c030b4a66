-- +goose Up
CREATE TABLE IF NOT EXISTS api_keys (
    id             BIGINT         NOT NULL AUTO_INCREMENT,
    tenant_id      BIGINT         NOT NULL,
    name           VARBINARY(255) NOT NULL,
    role           VARBINARY(32)  NOT NULL,
    source         VARBINARY(255) NOT NULL,
    erp_partner_id BIGINT         NOT NULL,
    prefix         VARBINARY(32)  NOT NULL,
    hash           VARBINARY(64)  NOT NULL,
    created_at     DATETIME(6)    NOT NULL,
    revoked_at     DATETIME(6)    NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uniq_api_keys_hash (hash),
    UNIQUE KEY uniq_api_keys_name (tenant_id, name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Up
CREATE TABLE IF NOT EXISTS tenants (
    id         BIGINT         NOT NULL AUTO_INCREMENT,
    name       VARBINARY(255) NOT NULL,
    created_at DATETIME(6)    NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uniq_tenants_name (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

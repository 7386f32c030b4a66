-- +goose Up
CREATE TABLE IF NOT EXISTS customers (
    id             BIGINT         NOT NULL AUTO_INCREMENT,
    tenant_id      BIGINT         NOT NULL,
    erp_partner_id BIGINT         NOT NULL,
    erp_company_id BIGINT         NOT NULL,
    ref            VARBINARY(760) NULL,
    name           TEXT           NOT NULL,
    email          TEXT           NOT NULL,
    phone          TEXT           NOT NULL,
    active         TINYINT        NOT NULL,
    search_text    TEXT           NOT NULL,
    write_date     DATETIME(6)    NULL,
    created_at     DATETIME(6)    NOT NULL,
    updated_at     DATETIME(6)    NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uniq_customers_partner (tenant_id, erp_partner_id),
    UNIQUE KEY uniq_customers_ref (tenant_id, ref),
    KEY idx_customers_company (tenant_id, erp_company_id, erp_partner_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

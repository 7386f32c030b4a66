-- +goose Up
-- As earlier systems had it: an order could stand here without an ERP id, and more than once with one.
CREATE TABLE IF NOT EXISTS orders (
    id             BIGINT        NOT NULL AUTO_INCREMENT,
    tenant_id      BIGINT        NOT NULL DEFAULT 1,
    erp_order_id   BIGINT        NULL,
    number         VARCHAR(255)  NULL,
    status         VARCHAR(32)   NULL,
    erp_partner_id BIGINT        NULL,
    reference      VARCHAR(255)  NULL,
    currency       VARCHAR(16)   NULL,
    amount_untaxed DECIMAL(28,6) NULL,
    amount_tax     DECIMAL(28,6) NULL,
    amount_total   DECIMAL(28,6) NULL,
    ordered_at     DATETIME(6)   NULL,
    created_at     DATETIME(6)   NULL,
    updated_at     DATETIME(6)   NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

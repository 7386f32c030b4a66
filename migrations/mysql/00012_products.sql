-- +goose Up
-- The ERP bounds neither the length nor the number of uses of a SKU: the index holds its first bytes only.
CREATE TABLE IF NOT EXISTS products (
    id              BIGINT        NOT NULL AUTO_INCREMENT,
    tenant_id       BIGINT        NOT NULL,
    erp_product_id  BIGINT        NOT NULL,
    sku             BLOB          NOT NULL,
    name            TEXT          NOT NULL,
    unit_of_measure TEXT          NOT NULL,
    list_price      DECIMAL(28,6) NOT NULL,
    currency        VARBINARY(64) NOT NULL,
    sellable        TINYINT       NOT NULL,
    active          TINYINT       NOT NULL,
    search_text     TEXT          NOT NULL,
    write_date      DATETIME(6)   NULL,
    created_at      DATETIME(6)   NOT NULL,
    updated_at      DATETIME(6)   NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uniq_products_product (tenant_id, erp_product_id),
    KEY idx_products_sku (tenant_id, sku(760))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

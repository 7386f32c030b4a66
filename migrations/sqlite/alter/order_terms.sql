CREATE TABLE IF NOT EXISTS order_terms (
    tenant_id    INTEGER  NOT NULL,
    quarter      INTEGER  NOT NULL,
    term         TEXT     NOT NULL,
    erp_order_id INTEGER  NOT NULL,
    ordered_at   DATETIME NOT NULL,
    PRIMARY KEY (tenant_id, quarter, term, erp_order_id)
) WITHOUT ROWID

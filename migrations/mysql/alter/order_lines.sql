ALTER TABLE order_lines
    MODIFY tenant_id       BIGINT        NOT NULL,
    MODIFY erp_line_id     BIGINT        NOT NULL,
    MODIFY sku             TEXT          NOT NULL,
    MODIFY name            MEDIUMTEXT    NOT NULL,
    MODIFY quantity        DECIMAL(28,6) NOT NULL,
    MODIFY unit_price      DECIMAL(28,6) NOT NULL,
    MODIFY discount        DECIMAL(28,6) NOT NULL,
    MODIFY subtotal        DECIMAL(28,6) NOT NULL,
    ADD    position        INT           NOT NULL DEFAULT 0,
    ADD    erp_product_id  BIGINT        NOT NULL DEFAULT 0,
    ADD    unit_of_measure TEXT          NOT NULL,
    ADD    tax             DECIMAL(28,6) NOT NULL DEFAULT 0,
    ADD    total           DECIMAL(28,6) NOT NULL DEFAULT 0

ALTER TABLE orders
    ADD erp_state  VARBINARY(128) NOT NULL DEFAULT '',
    ADD fulfilment VARBINARY(32)  NOT NULL DEFAULT 'none',
    ADD payment    VARBINARY(32)  NOT NULL DEFAULT 'none'

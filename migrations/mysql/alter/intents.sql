ALTER TABLE intents
    ADD customer            VARBINARY(764) NOT NULL DEFAULT '',
    ADD acknowledged        TINYINT        NOT NULL DEFAULT 0,
    ADD cancel_requested_at DATETIME(6)    NULL,
    ADD strikes             INT            NOT NULL DEFAULT 0,
    ADD KEY idx_intents_source (tenant_id, source, state, created_at),
    ADD KEY idx_intents_customer (tenant_id, customer, state, created_at),
    ADD KEY idx_intents_queue (tenant_id, state, id, source, customer),
    ADD KEY idx_intents_lease (tenant_id, lease_token)

ALTER TABLE intents
    ADD kind          VARBINARY(32) NOT NULL DEFAULT 'place',
    ADD busy_order_id BIGINT        NULL,
    ADD UNIQUE KEY uniq_intents_busy_order (tenant_id, busy_order_id)

ALTER TABLE order_history
    MODIFY tenant_id   BIGINT          NOT NULL,
    CHANGE status      to_status       VARBINARY(128) NOT NULL,
    MODIFY detail      TEXT            NOT NULL,
    MODIFY recorded_by VARBINARY(1020) NOT NULL,
    MODIFY recorded_at DATETIME(6)     NOT NULL,
    ADD    code        VARBINARY(64)   NOT NULL DEFAULT 'status_changed',
    ADD    severity    VARBINARY(32)   NOT NULL DEFAULT 'info',
    ADD    from_status VARBINARY(128)  NOT NULL DEFAULT ''

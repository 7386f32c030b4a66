ALTER TABLE orders
    ADD documents            MEDIUMTEXT  NULL,
    ADD documents_write_date DATETIME(6) NULL

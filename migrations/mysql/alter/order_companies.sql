ALTER TABLE orders
    ADD erp_company_id BIGINT NOT NULL DEFAULT 0

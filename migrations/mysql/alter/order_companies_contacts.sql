ALTER TABLE customers
    DROP KEY idx_customers_company,
    ALGORITHM=INPLACE, LOCK=NONE

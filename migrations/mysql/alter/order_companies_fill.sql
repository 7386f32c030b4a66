UPDATE orders o LEFT JOIN customers c FORCE INDEX (uniq_customers_partner)
    ON c.tenant_id = o.tenant_id AND c.erp_partner_id = o.erp_partner_id
SET o.erp_company_id = COALESCE(NULLIF(c.erp_company_id, 0), o.erp_partner_id)
WHERE o.id > ? AND o.id <= ? AND o.erp_company_id = 0

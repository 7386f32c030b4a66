UPDATE orders SET
    number         = COALESCE(number, ''),
    status         = COALESCE(status, 'draft'),
    erp_partner_id = COALESCE(erp_partner_id, 0),
    reference      = COALESCE(reference, ''),
    currency       = COALESCE(currency, ''),
    amount_untaxed = COALESCE(amount_untaxed, 0),
    amount_tax     = COALESCE(amount_tax, 0),
    amount_total   = COALESCE(amount_total, 0),
    ordered_at     = COALESCE(ordered_at, created_at, '1970-01-01 00:00:00'),
    created_at     = COALESCE(created_at, '1970-01-01 00:00:00'),
    updated_at     = COALESCE(updated_at, created_at, '1970-01-01 00:00:00')
WHERE number IS NULL OR status IS NULL OR erp_partner_id IS NULL OR reference IS NULL OR currency IS NULL
   OR amount_untaxed IS NULL OR amount_tax IS NULL OR amount_total IS NULL
   OR ordered_at IS NULL OR created_at IS NULL OR updated_at IS NULL

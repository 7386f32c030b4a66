UPDATE order_lines SET
    erp_line_id = COALESCE(erp_line_id, 0),
    sku         = COALESCE(sku, ''),
    name        = COALESCE(name, ''),
    quantity    = COALESCE(quantity, 0),
    unit_price  = COALESCE(unit_price, 0),
    discount    = COALESCE(discount, 0),
    subtotal    = COALESCE(subtotal, 0)
WHERE erp_line_id IS NULL OR sku IS NULL OR name IS NULL OR quantity IS NULL OR unit_price IS NULL
   OR discount IS NULL OR subtotal IS NULL

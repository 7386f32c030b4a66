UPDATE orders SET search_text = LOWER(CONCAT(number, '\n', reference)) WHERE search_text = ''

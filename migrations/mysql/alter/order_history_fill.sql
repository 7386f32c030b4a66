UPDATE order_history SET
    status      = COALESCE(status, ''),
    detail      = COALESCE(detail, ''),
    recorded_by = COALESCE(recorded_by, ''),
    recorded_at = COALESCE(recorded_at, '1970-01-01 00:00:00')
WHERE status IS NULL OR detail IS NULL OR recorded_by IS NULL OR recorded_at IS NULL

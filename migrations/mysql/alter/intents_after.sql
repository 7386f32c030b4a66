UPDATE intents SET acknowledged = 1 WHERE state = 'sending' AND unknown_at IS NOT NULL AND acknowledged = 0

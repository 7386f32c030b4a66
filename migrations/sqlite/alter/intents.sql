ALTER TABLE intents ADD COLUMN customer TEXT NOT NULL DEFAULT '';
ALTER TABLE intents ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN cancel_requested_at DATETIME NULL;
ALTER TABLE intents ADD COLUMN strikes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX idx_intents_source ON intents (tenant_id, source, state, created_at);
CREATE INDEX idx_intents_customer ON intents (tenant_id, customer, state, created_at);
CREATE INDEX idx_intents_queue ON intents (tenant_id, state, id, source, customer);
CREATE INDEX idx_intents_lease ON intents (tenant_id, lease_token);

UPDATE intents SET acknowledged = 1 WHERE state = 'sending' AND unknown_at IS NOT NULL;

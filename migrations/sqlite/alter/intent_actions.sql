ALTER TABLE intents ADD COLUMN kind TEXT NOT NULL DEFAULT 'place';
ALTER TABLE intents ADD COLUMN busy_order_id INTEGER NULL;

CREATE UNIQUE INDEX uniq_intents_busy_order ON intents (tenant_id, busy_order_id);

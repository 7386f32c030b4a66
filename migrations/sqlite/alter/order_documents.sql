ALTER TABLE orders ADD COLUMN documents TEXT NULL;
ALTER TABLE orders ADD COLUMN documents_write_date DATETIME NULL;
ALTER TABLE orders ADD COLUMN original TEXT NULL;
ALTER TABLE orders ADD COLUMN edits TEXT NULL;
ALTER TABLE orders ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idx_orders_edited ON orders (tenant_id, edited, ordered_at, erp_order_id);
ALTER TABLE order_lines ADD COLUMN delivered TEXT NOT NULL DEFAULT '0';
ALTER TABLE order_lines ADD COLUMN invoiced TEXT NOT NULL DEFAULT '0';

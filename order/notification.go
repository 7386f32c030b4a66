package order

// Notification is a hint of the ERP that an order may have changed. It may be late, doubled or forged, so that nothing but
// the id is taken from it, and that only to read the order again.
type Notification struct {
	OrderID   int64 // 0 if it is known by its invoice, or concerns no order
	InvoiceID int64 // whose orders may have changed; 0 if the order is known
}

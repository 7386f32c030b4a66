package order

// Preview is what placing an order would do, found out without doing it.
type Preview struct {
	Key             string // that the external ids derive from: the caller's, or a fresh one
	Customer        *Load  // nil for one that the gateway knows
	ShippingAddress *Load  // nil for an order that goes to the customer's own
	Order           Load
	Confirm         bool // whether the order would be confirmed then
}

// Load is a call that creates one record in the ERP, unless there is one with its external id. Rows have a cell for each of
// Fields; the first is the record with its first line, the others are its further lines.
type Load struct {
	Model  string
	Fields []string
	Rows   [][]string
}

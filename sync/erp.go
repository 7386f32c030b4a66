package ordersync

import (
	"context"
	"time"

	"ordergate/odoo"
	"ordergate/order"
)

// ERP is what this package needs of Odoo; *odoo.Client is one. Every error is an *odoo.Error, whose Outcome says
// whether a write may have taken effect.
type ERP interface {
	// PlaceOrders creates those of the orders whose external id is absent, in as few calls as it can, and says of each
	// what became of it: the results are in the order of the orders. One that Odoo refuses, or cannot cope with, does
	// not touch the others.
	PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded
	// PreviewOrder returns what PlaceOrders would send for an order, and PreviewPartner what EnsurePartners would for a partner. Ids
	// that are not given yet are odoo.ToBeCreated. Nothing of it is sent.
	PreviewOrder(ctx context.Context, o odoo.NewOrder) (order.Load, error)
	PreviewPartner(p odoo.NewPartner) (order.Load, error)
	// PlacedOrder returns the id of the order that has an external id, 0 if none has. It writes nothing.
	PlacedOrder(ctx context.Context, externalID string) (id int64, err error)
	// OrderNamed is PlacedOrder for whoever only wants to know: it does not even draw a number from the ERP's sequences. An order
	// that is hidden from the gateway's user is 0 too.
	OrderNamed(ctx context.Context, externalID string) (id int64, err error)
	// PlacedByGateway reports whether an order was created by PlaceOrders, of this gateway or another.
	PlacedByGateway(ctx context.Context, id int64) (bool, error)
	// EnsurePartners is PlaceOrders for partners. The same external id may occur more than once.
	EnsurePartners(ctx context.Context, partners []odoo.NewPartner) []odoo.Loaded
	// CancelOrders runs action_cancel on all of the orders or none. Its success or failure proves little: read the orders afterwards.
	CancelOrders(ctx context.Context, ids ...int64) error
	// ConfirmOrders runs action_confirm on all of the orders or none. Its success or failure proves little: read the orders afterwards.
	ConfirmOrders(ctx context.Context, ids ...int64) error

	// HoldTags returns the tags by which an order is on hold, and approved, created if absent.
	HoldTags(ctx context.Context) (hold, approved int64, err error)
	// SetTags adds tags to orders, and takes others from them: from all or none.
	SetTags(ctx context.Context, orderIDs, add, remove []int64) error
	// ChangeOrder writes a change of an order, all of it or nothing. Its success or failure proves little: read the order afterwards.
	ChangeOrder(ctx context.Context, id int64, p order.PlannedChange) error
	// OpenMoves returns what is still to be delivered of an order; false where the ERP has no deliveries, or hides them.
	OpenMoves(ctx context.Context, orderID int64) (moves []order.Move, known bool, err error)
	// Moves returns moves by their ids.
	Moves(ctx context.Context, ids []int64) ([]order.Move, error)
	// HasCarriers reports whether deliveries have a delivery method and a tracking number. Carriers takes it.
	HasCarriers(ctx context.Context) (bool, error)
	// Carriers returns the delivery methods that the deliveries of an order can have, by rising id.
	Carriers(ctx context.Context, orderID int64) ([]order.Carrier, error)
	// Deliver sends out a delivery with what is planned. Its success or failure proves little: read the order afterwards.
	Deliver(ctx context.Context, p order.PlannedDelivery) error

	// Invoiceable reports whether the ERP would invoice something of an order now; known is false where it has no invoices.
	Invoiceable(ctx context.Context, orderID int64) (something, known bool, err error)
	// Invoice posts the drafts of an order's invoices; without any it invoices what is invoiceable first, and posts the invoices that
	// are not known. Its success or failure proves little: read the order afterwards.
	Invoice(ctx context.Context, orderID int64, known, drafts []int64) error
	// Pay registers a payment of an invoice, in a currency.
	Pay(ctx context.Context, p order.PlannedPayment, currency string) error
	// Paid reports whether there is, or was, a payment with a memo.
	Paid(ctx context.Context, memo string) (bool, error)

	// Lots returns the lots of the moves' product that have one of the names, and how much of each can go out with the moves.
	Lots(ctx context.Context, moves []order.Move, names []string) ([]order.Lot, error)
	// MovedLots returns which lots go out, or went out, with moves.
	MovedLots(ctx context.Context, moves []int64) (map[int64][]order.MovedLot, error)
	// SentMoves returns what went out to the customer of an order, and what is to come back of it; known is false where the
	// ERP has no deliveries, or hides them.
	SentMoves(ctx context.Context, orderID int64) (sent []order.SentMove, known bool, err error)
	// Return makes the return of goods that a delivery brought, another one each time. Its success or failure proves little.
	Return(ctx context.Context, p order.PlannedReturn) error
	// DeliveryMoves returns what is still to be moved with a delivery.
	DeliveryMoves(ctx context.Context, deliveryID int64) ([]order.Move, error)
	// InvoicedLines returns what of an order's lines is invoiced and credited.
	InvoicedLines(ctx context.Context, orderID int64) (invoiced []order.InvoicedLine, credited []order.CreditedLine, err error)
	// Credit takes a part of an invoice back by a posted credit note with the memo. Its success or failure proves little.
	Credit(ctx context.Context, p order.PlannedCredit, date, memo string) error
	// Refunded says what became of the credit notes of a plan.
	Refunded(ctx context.Context, p order.PlannedRefund) (order.RefundState, error)
	// InvoicePDF returns an invoice as the ERP prints it; prints is false where it cannot print.
	InvoicePDF(ctx context.Context, id int64) (pdf []byte, prints bool, err error)

	// Orders reads orders with their lines, by rising id; ids that do not exist or are not visible are left out.
	Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error)
	// OrdersJustPlaced is Orders for those that were placed a moment ago, most of which have no documents yet.
	OrdersJustPlaced(ctx context.Context, ids []int64) ([]order.Snapshot, error)
	// ExistingOrders returns those of the ids that orders have, by rising id.
	ExistingOrders(ctx context.Context, ids []int64) ([]int64, error)
	// OrderHeads lists orders written since; LinesWriteDate and ReadAt are not set.
	OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error)
	// LineHeads lists order lines written since.
	LineHeads(ctx context.Context, page odoo.Page) ([]odoo.LineHead, error)
	// DeliveryHeads lists deliveries of orders written since.
	DeliveryHeads(ctx context.Context, page odoo.Page) ([]odoo.DocumentHead, error)
	// InvoiceHeads lists invoices and credit notes written since, with their orders, if they have any.
	InvoiceHeads(ctx context.Context, page odoo.Page) ([]odoo.DocumentHead, error)
	// CountOrders counts the orders of a range of ids.
	CountOrders(ctx context.Context, r order.IDRange) (int64, error)
	// OrdersOf returns the ids of a partner's latest orders, up to limit, by rising id.
	OrdersOf(ctx context.Context, partnerID int64, limit int) ([]int64, error)
	// OrderTotals sums orders up by status and currency, and by the month of their creation if byMonth.
	OrderTotals(ctx context.Context, slice order.Slice, byMonth bool) ([]order.Totals, error)
	// LineTotals sums the product lines of orders up, by currency.
	LineTotals(ctx context.Context, slice order.Slice) ([]order.Totals, error)
	// WriteDays counts orders by the day on which they were last written.
	WriteDays(ctx context.Context, slice order.Slice) ([]order.Totals, error)
	// HeadsWrittenIn lists up to limit orders of a slice that were last written in [from, until), by rising id.
	HeadsWrittenIn(ctx context.Context, slice order.Slice, from, until time.Time, limit int) ([]order.Head, error)
	// DocumentTotals counts deliveries or invoices of orders by state; none where the ERP has none or hides them all.
	DocumentTotals(ctx context.Context, of order.DocumentSlice) ([]order.Totals, error)
	// Documents lists them with their orders: an invoice of several orders comes once for each.
	Documents(ctx context.Context, of order.DocumentSlice) ([]order.Document, error)
	// OrderIDs returns up to limit ids of orders, rising.
	OrderIDs(ctx context.Context, slice order.Slice, limit int) ([]int64, error)
	// OrderHidden reports whether an order exists that the gateway's user may not see.
	OrderHidden(ctx context.Context, id int64) (bool, error)
	// FindOrders returns the ids of the orders that have this number (name), or, if it is empty, this reference.
	FindOrders(ctx context.Context, number, reference string) ([]int64, error)

	// OrdersOfInvoices returns the ids of the orders that any of the invoices bills, by rising id.
	OrdersOfInvoices(ctx context.Context, invoices []int64) ([]int64, error)

	// Products lists products written since, archived ones too.
	Products(ctx context.Context, page odoo.Page) ([]order.Product, error)
	// ProductsBySKU returns every product that has one of the SKUs, archived ones too.
	ProductsBySKU(ctx context.Context, skus []string) ([]order.Product, error)
	// ProductsByID returns the products that exist, archived ones too.
	ProductsByID(ctx context.Context, ids []int64) ([]order.Product, error)

	// Partners lists partners written since, archived ones too.
	Partners(ctx context.Context, page odoo.Page) ([]order.Customer, error)
	// PartnersByID returns the partners that exist, archived ones too. Ref is left empty: it is the portal's.
	PartnersByID(ctx context.Context, ids []int64) ([]order.Customer, error)

	// Country returns the id of a country by ISO code and of a state of it by code; 0 for what does not exist.
	Country(ctx context.Context, country, state string) (countryID, stateID int64, err error)
	// Precision returns the decimals that Odoo keeps.
	Precision(ctx context.Context) (order.Precision, error)

	// KeyExpiry asks when the API key ends that the client logs in with, and shows it in its metrics.
	KeyExpiry(ctx context.Context) (odoo.KeyExpiry, error)

	// Ping logs in if needed and makes the cheapest call that proves Odoo works.
	Ping(ctx context.Context) error
	// BreakerState is "closed", "half-open" or "open".
	BreakerState() string
	// Now is the ERP's clock as of its last answer, carried on by the local one; the local clock before any answer.
	Now() time.Time
	// NowIsKnown reports whether there was an answer that Now goes by.
	NowIsKnown() bool

	StockERP
}

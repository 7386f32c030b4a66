package ordersync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// differences collects what differs, for people: the mirror's value first.
type differences []string

func (d *differences) values(name string, mirror, erp any) {
	if mirror != erp {
		*d = append(*d, fmt.Sprintf("%s: mirror %.60q, ERP %.60q", name, fmt.Sprint(mirror), fmt.Sprint(erp)))
	}
}

func (d *differences) amounts(name string, mirror, erp decimal.Decimal) {
	if !mirror.Round(6).Equal(erp.Round(6)) {
		*d = append(*d, fmt.Sprintf("%s: mirror %s, ERP %s", name, mirror, erp))
	}
}

// compareOrders names how two states of an order differ. Which one is newer, its dates say; where they agree, nothing but
// the mirror can be wrong.
func compareOrders(mirror, erp *order.Snapshot) (order.FindingKind, string) {
	var dates, amounts, lines, rest differences
	dates.values("written", mirror.WriteDate.UTC(), erp.WriteDate.UTC())
	if erp.LinesWriteDate.After(mirror.LinesWriteDate) {
		dates.values("lines written", mirror.LinesWriteDate.UTC(), erp.LinesWriteDate.UTC())
	}
	if erp.DocumentsWriteDate.After(mirror.DocumentsWriteDate) {
		dates.values("documents written", mirror.DocumentsWriteDate.UTC(), erp.DocumentsWriteDate.UTC())
	}

	amounts.amounts("untaxed amount", mirror.AmountUntaxed, erp.AmountUntaxed)
	amounts.amounts("tax", mirror.AmountTax, erp.AmountTax)
	amounts.amounts("total", mirror.AmountTotal, erp.AmountTotal)
	amounts.values("currency", mirror.Currency, erp.Currency)

	compareLines(&lines, mirror.Lines, erp.Lines)

	rest.values("state", mirror.State, erp.State)
	rest.values("status", mirror.Status, erp.Status)
	rest.values("fulfilment", mirror.Fulfilment, erp.Fulfilment)
	rest.values("payment", mirror.Payment, erp.Payment)
	rest.values("number", mirror.Number, erp.Number)
	rest.values("customer", mirror.Customer.ERPPartnerID, erp.Customer.ERPPartnerID)
	rest.values("reference", mirror.Reference, erp.Reference)
	rest.values("note", mirror.Note, erp.Note)
	if !erp.OrderedAt.IsZero() {
		rest.values("ordered", mirror.OrderedAt.UTC(), erp.OrderedAt.UTC())
	}
	rest.values("created", mirror.CreatedAt.UTC(), erp.CreatedAt.UTC())
	if len(lines) == 0 {
		rest.values("lines written", mirror.LinesWriteDate.UTC(), erp.LinesWriteDate.UTC())
	}
	compareDeliveries(&rest, mirror.Deliveries, erp.Deliveries)
	compareInvoices(&rest, mirror.Invoices, erp.Invoices)

	all := strings.Join(slices.Concat(dates, amounts, lines, rest), "; ")
	switch {
	case len(dates) > 0:
		return order.FindingStale, all
	case len(amounts) > 0:
		return order.FindingAmount, all
	case len(lines) > 0:
		return order.FindingLine, all
	case len(rest) > 0:
		return order.FindingStale, all
	}
	return "", ""
}

func compareLines(d *differences, mirror, erp []order.Line) {
	if len(mirror) != len(erp) {
		d.values("lines", len(mirror), len(erp))
		return
	}
	for i, m := range mirror {
		e := erp[i]
		name := fmt.Sprintf("line %d ", i+1)
		d.values(name+"id", m.ERPLineID, e.ERPLineID)
		d.values(name+"product", m.ERPProductID, e.ERPProductID)
		d.values(name+"name", m.Name, e.Name)
		d.values(name+"unit", m.UnitOfMeasure, e.UnitOfMeasure)
		d.amounts(name+"quantity", m.Quantity, e.Quantity)
		d.amounts(name+"price", m.UnitPrice, e.UnitPrice)
		d.amounts(name+"discount", m.Discount, e.Discount)
		d.amounts(name+"subtotal", m.Subtotal, e.Subtotal)
		d.amounts(name+"tax", m.Tax, e.Tax)
		d.amounts(name+"total", m.Total, e.Total)
		d.amounts(name+"delivered", m.Delivered, e.Delivered)
		d.amounts(name+"invoiced", m.Invoiced, e.Invoiced)
		if len(*d) > 0 {
			return // one line says enough
		}
	}
}

func compareDeliveries(d *differences, mirror, erp []order.Delivery) {
	if !sameIDs(d, "deliveries", mirror, erp, func(v order.Delivery) int64 { return v.ID }) {
		return
	}
	for i, m := range mirror {
		e := erp[i]
		name := fmt.Sprintf("delivery %d ", m.ID)
		d.values(name+"number", m.Number, e.Number)
		d.values(name+"state", m.State, e.State)
		d.values(name+"kind", m.Kind, e.Kind)
		d.values(name+"backorder of", m.BackorderOf, e.BackorderOf)
		d.values(name+"carrier", m.Carrier, e.Carrier)
		d.values(name+"tracking", m.Tracking, e.Tracking)
		d.values(name+"scheduled", m.ScheduledAt.UTC(), e.ScheduledAt.UTC())
		d.values(name+"done", m.DoneAt.UTC(), e.DoneAt.UTC())
	}
}

func compareInvoices(d *differences, mirror, erp []order.Invoice) {
	if !sameIDs(d, "invoices", mirror, erp, func(v order.Invoice) int64 { return v.ID }) {
		return
	}
	for i, m := range mirror {
		e := erp[i]
		name := fmt.Sprintf("invoice %d ", m.ID)
		d.values(name+"number", m.Number, e.Number)
		d.values(name+"state", m.State, e.State)
		d.values(name+"credit note", m.CreditNote, e.CreditNote)
		d.values(name+"payment", m.Payment, e.Payment)
		d.values(name+"currency", m.Currency, e.Currency)
		d.amounts(name+"total", m.AmountTotal, e.AmountTotal)
		d.amounts(name+"due", m.AmountDue, e.AmountDue)
		d.values(name+"issued", m.IssuedOn, e.IssuedOn)
		d.values(name+"due on", m.DueOn, e.DueOn)
	}
}

// sameIDs reports whether both sides have the same documents of one kind, and names those that they have if not.
func sameIDs[D any](d *differences, name string, mirror, erp []D, id func(D) int64) bool {
	before := len(*d)
	ids := func(list []D) string {
		var out []int64
		for _, v := range list {
			out = append(out, id(v))
		}
		return fmt.Sprint(out)
	}
	d.values(name, ids(mirror), ids(erp))
	return len(*d) == before
}

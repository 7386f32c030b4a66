package order_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func goods(quantity, delivered, invoiced string) order.LineFacts {
	return order.LineFacts{Goods: true, Quantity: number(quantity), Delivered: number(delivered), Invoiced: number(invoiced)}
}

func service(quantity, delivered, invoiced string) order.LineFacts {
	l := goods(quantity, delivered, invoiced)
	l.Goods = false
	return l
}

func out(states ...order.DocumentState) []order.Delivery {
	return deliveries(order.DeliveryOutgoing, states)
}
func steps(states ...order.DocumentState) []order.Delivery {
	return deliveries(order.DeliveryStep, states)
}
func back(states ...order.DocumentState) []order.Delivery {
	return deliveries(order.DeliveryReturn, states)
}

func deliveries(kind order.DeliveryKind, states []order.DocumentState) []order.Delivery {
	list := make([]order.Delivery, len(states))
	for i, s := range states {
		list[i] = order.Delivery{Kind: kind, State: s}
	}
	return list
}

func invoice(total, due string) order.Invoice {
	return order.Invoice{State: order.Posted, AmountTotal: number(total), AmountDue: number(due)}
}

func creditNote(total, due string) order.Invoice {
	in := invoice(total, due)
	in.CreditNote = true
	return in
}

func number(s string) decimal.Decimal { return decimal.RequireFromString(s) }

const (
	waiting   = order.Waiting
	ready     = order.Ready
	done      = order.DocumentDelivered
	cancelled = order.DocumentCancelled
)

func sale(lines []order.LineFacts, deliveries []order.Delivery, invoices ...order.Invoice) order.Facts {
	return order.Facts{State: order.StateSale, Lines: lines, Deliveries: deliveries, Invoices: invoices}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	type lines = []order.LineFacts
	for name, c := range map[string]struct {
		facts      order.Facts
		status     order.Status
		fulfilment order.Fulfilment
		payment    order.Payment
	}{
		"a quotation":                     {order.Facts{State: order.StateDraft, Lines: lines{goods("2", "0", "0")}}, "draft", "none", "none"},
		"one that was sent":               {order.Facts{State: order.StateSent}, "draft", "none", "none"},
		"a state that nobody knows":       {order.Facts{State: "processing"}, "draft", "none", "none"},
		"on hold":                         {order.Facts{State: order.StateDraft, OnHold: true}, "on_hold", "none", "none"},
		"approved":                        {order.Facts{State: order.StateSent, Approved: true}, "approved", "none", "none"},
		"on hold though approved":         {order.Facts{State: order.StateDraft, OnHold: true, Approved: true}, "on_hold", "none", "none"},
		"confirmed though on hold":        {order.Facts{State: order.StateSale, OnHold: true, Lines: lines{goods("1", "0", "0")}}, "confirmed", "none", "none"},
		"cancelled":                       {order.Facts{State: order.StateCancel, OnHold: true}, "cancelled", "none", "none"},
		"cancelled after a part":          {order.Facts{State: order.StateCancel, Lines: lines{goods("2", "1", "1")}, Invoices: []order.Invoice{invoice("5", "0")}}, "cancelled", "partial", "paid"},
		"waiting for goods":               {sale(lines{goods("2", "0", "0")}, out(waiting)), "confirmed", "none", "none"},
		"no delivery yet":                 {sale(lines{goods("2", "0", "0")}, nil), "confirmed", "none", "none"},
		"all deliveries cancelled":        {sale(lines{goods("2", "0", "0")}, out(cancelled)), "confirmed", "none", "none"},
		"goods bought for it arrive":      {sale(lines{goods("2", "0", "0")}, deliveries(order.DeliveryReceipt, []order.DocumentState{ready})), "confirmed", "none", "none"},
		"ready":                           {sale(lines{goods("2", "0", "0")}, out(ready)), "picking", "none", "none"},
		"to be picked":                    {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(ready), out(waiting))), "picking", "none", "none"},
		"to be picked later":              {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(waiting), out(waiting))), "confirmed", "none", "none"},
		"picked, to be packed":            {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(done, waiting), out(waiting))), "picking", "none", "none"},
		"packed":                          {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(done, done), out(ready))), "packed", "none", "none"},
		"packed, a step cancelled":        {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(done, cancelled), out(ready))), "packed", "none", "none"},
		"packed in part":                  {sale(lines{goods("2", "0", "0")}, slices.Concat(steps(done, ready), out(ready))), "picking", "none", "none"},
		"shipped in part":                 {sale(lines{goods("2", "1", "0")}, out(done, ready)), "shipped", "partial", "none"},
		"the rest is picked":              {sale(lines{goods("2", "1", "0")}, slices.Concat(out(done), steps(done, ready))), "shipped", "partial", "none"},
		"the rest is not wanted":          {sale(lines{goods("2", "1", "0")}, out(done, cancelled)), "delivered", "partial", "none"},
		"delivered":                       {sale(lines{goods("2", "2", "0")}, out(done)), "delivered", "full", "none"},
		"more than ordered":               {sale(lines{goods("2", "3", "0"), goods("0", "1", "0")}, out(done)), "delivered", "full", "none"},
		"delivered, with a service":       {sale(lines{goods("2", "2", "0"), service("1", "0", "0")}, out(done)), "delivered", "full", "none"},
		"locked":                          {order.Facts{State: order.StateDone, Lines: lines{goods("2", "2", "0")}, Deliveries: out(done)}, "delivered", "full", "none"},
		"locked early":                    {order.Facts{State: order.StateDone, Lines: lines{goods("2", "0", "0")}, Deliveries: out(ready)}, "picking", "none", "none"},
		"without stock, a part":           {sale(lines{goods("2", "1", "0")}, nil), "shipped", "partial", "none"},
		"without stock, all":              {sale(lines{goods("2", "2", "0")}, nil), "delivered", "full", "none"},
		"paid before it is delivered":     {sale(lines{goods("2", "0", "2")}, out(ready), invoice("10", "0")), "picking", "none", "paid"},
		"delivered, not invoiced":         {sale(lines{goods("2", "2", "0")}, out(done)), "delivered", "full", "none"},
		"a draft invoice":                 {sale(lines{goods("2", "2", "2")}, out(done), order.Invoice{State: order.Open, AmountTotal: number("10"), AmountDue: number("10")}), "delivered", "full", "none"},
		"not paid":                        {sale(lines{goods("2", "2", "2")}, out(done), invoice("10", "10")), "delivered", "full", "unpaid"},
		"paid in part":                    {sale(lines{goods("2", "2", "2")}, out(done), invoice("10", "4")), "delivered", "full", "partial"},
		"completed":                       {sale(lines{goods("2", "2", "2")}, out(done), invoice("10", "0")), "completed", "full", "paid"},
		"one of two invoices is paid":     {sale(lines{goods("2", "2", "2")}, out(done), invoice("5", "0"), invoice("5", "5")), "delivered", "full", "partial"},
		"a part is invoiced and paid":     {sale(lines{goods("2", "2", "1")}, out(done), invoice("5", "0")), "delivered", "full", "paid"},
		"the service is not invoiced":     {sale(lines{goods("2", "2", "2"), service("1", "0", "0")}, out(done), invoice("10", "0")), "delivered", "full", "paid"},
		"invoiced for what is not wanted": {sale(lines{goods("2", "1", "2")}, out(done, cancelled), invoice("10", "0")), "delivered", "partial", "paid"},
		"completed without the rest":      {sale(lines{goods("2", "1", "1")}, out(done, cancelled), invoice("5", "0")), "completed", "partial", "paid"},
		"free of charge":                  {sale(lines{goods("2", "2", "2")}, out(done), invoice("0", "0")), "completed", "full", "paid"},
		"a return is under way":           {sale(lines{goods("2", "2", "2")}, slices.Concat(out(done), back(ready)), invoice("10", "0")), "completed", "full", "paid"},
		"one came back":                   {sale(lines{goods("2", "1", "2")}, slices.Concat(out(done), back(done)), invoice("10", "0")), "delivered", "partially_returned", "paid"},
		"one came back, and is refunded":  {sale(lines{goods("2", "1", "1")}, slices.Concat(out(done), back(done)), invoice("10", "0"), creditNote("5", "0")), "completed", "partially_returned", "partially_refunded"},
		"the refund is not paid out":      {sale(lines{goods("2", "1", "1")}, slices.Concat(out(done), back(done)), invoice("10", "0"), creditNote("5", "5")), "completed", "partially_returned", "partially_refunded"},
		"all came back":                   {sale(lines{goods("2", "0", "2")}, slices.Concat(out(done), back(done)), invoice("10", "0")), "delivered", "returned", "paid"},
		"all came back, and is refunded":  {sale(lines{goods("2", "0", "0")}, slices.Concat(out(done), back(done)), invoice("10", "0"), creditNote("10", "0")), "completed", "returned", "refunded"},
		"what came back does not count":   {sale(lines{goods("2", "2", "2")}, slices.Concat(out(done), back(done)), invoice("10", "0")), "completed", "full", "paid"},
		"replaced":                        {sale(lines{goods("2", "2", "2")}, slices.Concat(out(done, done), back(done)), invoice("10", "0")), "completed", "full", "paid"},
		"a replacement is to come":        {sale(lines{goods("2", "1", "2")}, slices.Concat(out(done, ready), back(done)), invoice("10", "0")), "shipped", "partially_returned", "paid"},
		"refunded for nothing":            {sale(lines{goods("2", "2", "0")}, out(done), invoice("10", "0"), creditNote("10", "0")), "delivered", "full", "refunded"},
		"credited before it is paid":      {sale(lines{goods("2", "2", "1")}, out(done), invoice("10", "5"), creditNote("5", "0")), "delivered", "full", "unpaid"},
		"credited, paid in part":          {sale(lines{goods("2", "2", "1")}, out(done), invoice("10", "2"), creditNote("5", "0")), "delivered", "full", "partial"},
		"the rest is credited":            {sale(lines{goods("2", "2", "1")}, out(done), invoice("10", "4"), creditNote("4", "4")), "delivered", "full", "partially_refunded"},
		"a cancelled credit note":         {sale(lines{goods("2", "2", "2")}, out(done), invoice("10", "0"), order.Invoice{State: cancelled, CreditNote: true, AmountTotal: number("10")}), "completed", "full", "paid"},
		"a service":                       {sale(lines{service("1", "0", "0")}, nil), "confirmed", "not_needed", "none"},
		"a service, invoiced":             {sale(lines{service("1", "0", "1")}, nil, invoice("10", "10")), "confirmed", "not_needed", "unpaid"},
		"a service, paid":                 {sale(lines{service("1", "0", "1")}, nil, invoice("10", "0")), "completed", "not_needed", "paid"},
		"no lines":                        {sale(nil, nil), "confirmed", "not_needed", "none"},
	} {
		require.Equal(t, order.Standing{Status: c.status, Fulfilment: c.fulfilment, Payment: c.payment}, c.facts.Standing(), name)
	}
}

// anyFacts are facts at random, also ones that no ERP would answer.
func anyFacts(r *rand.Rand) order.Facts {
	pick := func(states []order.DocumentState) order.DocumentState { return states[r.IntN(len(states))] }
	quantity := func() decimal.Decimal { return decimal.NewFromInt(r.Int64N(5) - 1) }
	f := order.Facts{State: order.ERPStates[r.IntN(len(order.ERPStates))], OnHold: r.IntN(4) == 0, Approved: r.IntN(4) == 0}
	for range r.IntN(4) {
		f.Lines = append(f.Lines, order.LineFacts{Goods: r.IntN(4) > 0, Quantity: quantity(), Delivered: quantity(), Invoiced: quantity()})
	}
	kinds := []order.DeliveryKind{order.DeliveryOutgoing, order.DeliveryOutgoing, order.DeliveryStep, order.DeliveryReturn, order.DeliveryReceipt, ""}
	for range r.IntN(5) {
		f.Deliveries = append(f.Deliveries, order.Delivery{Kind: kinds[r.IntN(len(kinds))],
			State: pick([]order.DocumentState{waiting, ready, done, cancelled, ""})})
	}
	for range r.IntN(4) {
		total := r.Int64N(4)
		f.Invoices = append(f.Invoices, order.Invoice{CreditNote: r.IntN(3) == 0, State: pick([]order.DocumentState{order.Open, order.Posted, order.Posted, cancelled}),
			AmountTotal: decimal.NewFromInt(total), AmountDue: decimal.NewFromInt(r.Int64N(total + 1))})
	}
	return f
}

// Whatever the facts: there is an answer, it depends on nothing but them, nor on their sequence, and it holds what it says.
func TestStandingsHold(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[any]bool{}
	for range 50_000 {
		f := anyFacts(r)
		s := f.Standing()
		what := fmt.Sprintf("%+v: %+v", f, s)
		require.Contains(t, order.Statuses, s.Status, what)
		require.Contains(t, order.Fulfilments, s.Fulfilment, what)
		require.Contains(t, order.Payments, s.Payment, what)
		seen[s.Status], seen[s.Fulfilment], seen[s.Payment] = true, true, true

		require.Equal(t, f.State == order.StateDraft || f.State == order.StateSent, s.Status.Unconfirmed(), what)
		require.Equal(t, f.State == order.StateCancel, s.Status == order.Cancelled, what)
		if s.Status == order.Completed {
			require.NotContains(t, []order.Payment{order.PaymentNone, order.PaymentUnpaid, order.PaymentPartial}, s.Payment, what)
		}
		if s.Status == order.Shipped || s.Status == order.Delivered {
			require.NotEqual(t, order.FulfilmentNotNeeded, s.Fulfilment, what)
		}
		if s.Status == order.Confirmed || s.Status == order.Picking || s.Status == order.Packed {
			require.NotContains(t, []order.Fulfilment{order.FulfilmentFull, order.FulfilmentPartial}, s.Fulfilment, what)
		}

		slices.Reverse(f.Deliveries)
		slices.Reverse(f.Invoices)
		slices.Reverse(f.Lines)
		require.Equal(t, s, f.Standing(), what)
	}
	require.Len(t, seen, len(order.Statuses)+len(order.Fulfilments)+len(order.Payments), "some never came: %v", seen)
}

// What takes an order further never takes its status back.
func TestStandingsAdvance(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	rank := func(f order.Facts) int { return slices.Index(order.Statuses, f.Standing().Status) }
	advanced := map[string]int{}
	for range 50_000 {
		f := anyFacts(r)
		further := map[string]func(f *order.Facts) bool{
			"confirmed": func(f *order.Facts) bool {
				quotation := f.State == order.StateDraft || f.State == order.StateSent
				f.State = order.StateSale
				return quotation
			},
			"delivered": func(f *order.Facts) bool { return step(f, order.DeliveryOutgoing, ready, done) },
			"reserved":  func(f *order.Facts) bool { return step(f, order.DeliveryOutgoing, waiting, ready) },
			"prepared":  func(f *order.Facts) bool { return step(f, order.DeliveryStep, ready, done) },
			"paid": func(f *order.Facts) bool {
				for i := range f.Invoices {
					if in := &f.Invoices[i]; !in.CreditNote && in.State == order.Posted && in.AmountDue.IsPositive() {
						in.AmountDue = decimal.Zero
						return true
					}
				}
				return false
			},
		}
		for name, act := range further {
			g := f
			g.Deliveries, g.Invoices = slices.Clone(f.Deliveries), slices.Clone(f.Invoices)
			before := rank(f)
			if f.State != order.StateCancel && act(&g) {
				require.GreaterOrEqual(t, rank(g), before, "%s: %+v, then %+v", name, f, g)
				if rank(g) > before {
					advanced[name]++
				}
			}
		}
	}
	for _, name := range []string{"confirmed", "delivered", "reserved", "prepared", "paid"} {
		require.NotZero(t, advanced[name], name)
	}
}

// step takes the first delivery of a kind from one state to another.
func step(f *order.Facts, kind order.DeliveryKind, from, to order.DocumentState) bool {
	for i := range f.Deliveries {
		if d := &f.Deliveries[i]; d.Kind == kind && d.State == from {
			d.State = to
			return true
		}
	}
	return false
}

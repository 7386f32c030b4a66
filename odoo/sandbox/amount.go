package sandbox

import "math"

// flush computes the amounts of the orders whose lines the transaction changed.
func (e *env) flush() {
	for id := range e.stale {
		e.computeOrder(id)
	}
	clear(e.stale)
}

// computeOrder brings the amounts of an order and its lines up to date. The order is dated only if one of its stored amounts
// changes, as in Odoo: an edit that leaves the total as it was does not move the order's write_date.
func (e *env) computeOrder(id int64) {
	orders, lines := e.db.models[saleOrder], e.db.models[saleOrderLine]
	order := orders.rows[id]
	if order == nil {
		return
	}
	ids := lines.index["order_id"][id]
	amounts := make([]lineAmount, len(ids))
	for i, lineID := range ids {
		amounts[i] = e.lineAmount(lines, lines.rows[lineID])
	}
	if e.major >= 17 {
		spreadTax(amounts)
	}
	var untaxed, tax float64
	for i, lineID := range ids {
		a := amounts[i]
		untaxed += a.subtotal
		tax += a.tax
		line := lines.rows[lineID]
		if e.float(lines, line, "price_subtotal") == a.subtotal && e.float(lines, line, "price_tax") == a.tax {
			continue
		}
		e.touch(lines, line)
		e.update(lines, line, map[string]any{
			"price_subtotal": a.subtotal, "price_tax": a.tax, "price_total": roundTo(a.subtotal+a.tax, 2),
		})
	}
	untaxed, tax = roundTo(untaxed, 2), roundTo(tax, 2)
	total := roundTo(untaxed+tax, 2)
	if e.float(orders, order, "amount_untaxed") == untaxed && e.float(orders, order, "amount_tax") == tax &&
		e.float(orders, order, "amount_total") == total {
		return
	}
	e.update(orders, order, map[string]any{"amount_untaxed": untaxed, "amount_tax": tax, "amount_total": total})
	e.touch(orders, order)
}

// lineAmount is what a line costs. exactTax is the tax before it was rounded to the currency.
type lineAmount struct {
	subtotal, tax, exactTax float64
}

func (e *env) lineAmount(lines *model, r *row) lineAmount {
	net := e.float(lines, r, "price_unit") * (1 - e.float(lines, r, "discount")/100) * e.float(lines, r, "product_uom_qty")
	a := lineAmount{subtotal: roundTo(net, 2)}
	taxField := "tax_ids"
	if lines.byName[taxField] == nil {
		taxField = "tax_id"
	}
	taxes := e.db.models[accountTax]
	ids, _ := e.get(lines, r, taxField).([]int64)
	for _, id := range ids {
		if tax := taxes.rows[id]; tax != nil {
			exact := a.subtotal * e.float(taxes, tax, "amount") / 100
			a.exactTax += exact
			a.tax += roundTo(exact, 2)
		}
	}
	return a
}

// spreadTax makes the lines' taxes add up to the tax on their sum, which is how newer versions round. What the lines are
// off by goes, a cent at a time, to those whose own rounding was furthest off.
func spreadTax(amounts []lineAmount) {
	var exact, rounded float64
	for _, a := range amounts {
		exact += a.exactTax
		rounded += a.tax
	}
	for cents := math.Round((roundTo(exact, 2) - rounded) * 100); cents != 0; {
		step := math.Copysign(1, cents)
		worst := 0
		for i, a := range amounts {
			if step*(a.exactTax-a.tax) > step*(amounts[worst].exactTax-amounts[worst].tax) {
				worst = i
			}
		}
		amounts[worst].tax = roundTo(amounts[worst].tax+step/100, 2)
		cents -= step
	}
}

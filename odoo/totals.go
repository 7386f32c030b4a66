package odoo

import (
	"context"
	"math"
	"strings"
	"time"

	"ordergate/order"
)

// grouping is a search whose records are summed up by Odoo.
type grouping struct {
	model  string
	domain domain
	by     []string // fields, those of time with a period: "create_date:month"
	sums   []sum
}

// sum is one aggregate over the records of a group.
type sum struct {
	field    string
	function string // sum, avg, min, max
}

// alias is what the sum is called in an answer of read_group. Named so, and not by its field, it also works for id.
func (s sum) alias() string { return "x_" + s.function + "_" + s.field }

// group asks for the sums. Times are grouped in UTC: Odoo would take the user's time zone. There are no empty groups, and
// none at all where nothing is found.
func (c *Client) group(ctx context.Context, d dialect, g grouping) ([]record, error) {
	kwargs := map[string]any{"groupby": anySlice(g.by), "context": map[string]any{"tz": "UTC"}}
	method := "read_group"
	specs := make([]any, 0, len(g.sums)+1)
	if d.formattedGroups {
		method = "formatted_read_group"
		specs = append(specs, "__count")
		for _, s := range g.sums {
			specs = append(specs, s.field+":"+s.function)
		}
		kwargs["aggregates"] = specs
	} else {
		for _, s := range g.sums {
			specs = append(specs, s.alias()+":"+s.function+"("+s.field+")")
		}
		kwargs["fields"], kwargs["lazy"] = specs, false
	}
	a, err := c.execute(ctx, g.model, method, []any{g.domain}, kwargs)
	if err != nil {
		return nil, err
	}
	groups, err := records(a.value)
	if err != nil {
		named(err, g.model+"."+method)
		return nil, err
	}
	for i := range groups {
		if d.formattedGroups {
			for _, s := range g.sums {
				groups[i].values[s.alias()] = groups[i].values[s.field+":"+s.function]
			}
		}
	}
	return groups, nil
}

// period reads the beginning of the month or day of a group. The versions before 19 name it only as people read it, and in
// the domain that selects its records: there it is the latest beginning, cut to the period, because the conditions that
// were asked for stand there too.
func (r *record) period(d dialect, by string) time.Time {
	field, unit, _ := strings.Cut(by, ":")
	var begins []any
	if d.formattedGroups {
		if pair, ok := r.values[by].([]any); ok {
			begins = pair[:min(1, len(pair))]
		}
	} else {
		leaves, _ := r.values["__domain"].([]any)
		for _, leaf := range leaves {
			if l, ok := leaf.([]any); ok && len(l) == 3 && l[0] == field && l[1] == ">=" {
				begins = append(begins, l[2])
			}
		}
	}
	var latest time.Time
	for _, begin := range begins {
		text, _ := begin.(string)
		if t, err := time.Parse(timeLayout, text); err == nil && t.After(latest) {
			latest = t
		}
	}
	if latest.IsZero() {
		r.fail(by)
	}
	if unit == "month" {
		return time.Date(latest.Year(), latest.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return latest.Truncate(24 * time.Hour)
}

// total reads the sum of integers from their average: XML-RPC has no integers above 2^31, and Odoo fails on a sum beyond.
func (r *record) total(s sum, count int64) int64 {
	switch v := r.values[s.alias()].(type) {
	case float64:
		return int64(math.Round(v * float64(count)))
	case int64:
		return v * count
	}
	r.fail(s.alias())
	return 0
}

var (
	idAverage = sum{"id", "avg"}
	orderSums = []sum{{"amount_untaxed", "sum"}, {"amount_tax", "sum"}, {"amount_total", "sum"}}
	lineSums  = []sum{{"product_uom_qty", "sum"}, {"price_subtotal", "sum"}, {"price_tax", "sum"}, {"price_total", "sum"},
		{"qty_delivered", "sum"}, {"qty_invoiced", "sum"}}
	firstID    = sum{"id", "min"}
	lastID     = sum{"id", "max"}
	partnerAvg = sum{"partner_id", "avg"}
	orderAvg   = sum{"order_id", "avg"}
	saleAvg    = sum{"sale_id", "avg"}
)

// OrderTotals sums orders up by state and currency, and by the month of their creation if byMonth.
func (c *Client) OrderTotals(ctx context.Context, slice order.Slice, byMonth bool) ([]order.Totals, error) {
	s, err := c.sessionFor(ctx, "sale.order.read_group")
	if err != nil {
		return nil, err
	}
	g := grouping{model: "sale.order", domain: sliceDomain(slice, "id", "create_date"), by: []string{"state", "currency_id"},
		sums: append([]sum{idAverage, firstID, lastID, partnerAvg}, orderSums...)}
	if s.dialect.locked {
		g.by = append(g.by, "locked")
	}
	const month = "create_date:month"
	if byMonth {
		g.by = append(g.by, month)
	}
	groups, err := c.group(ctx, s.dialect, g)
	if err != nil {
		return nil, err
	}
	totals := make([]order.Totals, len(groups))
	for i := range groups {
		r := &groups[i]
		t := order.Totals{Count: r.integer("__count"), FirstID: r.integer(firstID.alias()), LastID: r.integer(lastID.alias())}
		t.IDSum, t.RefSum = r.total(idAverage, t.Count), r.total(partnerAvg, t.Count)
		for _, amount := range orderSums {
			t.Amounts = append(t.Amounts, r.number(amount.alias()))
		}
		if byMonth {
			t.Group.Period = r.period(s.dialect, month)
		}
		t.Group.Currency = r.refName("currency_id")
		state, locked := r.text("state"), s.dialect.locked && r.flag("locked")
		if r.err == nil {
			if t.Group.State, err = s.dialect.state(state, locked); err != nil {
				// What cannot be mirrored is in no group of the mirror either: it must differ from all of them.
				t.Group.State = order.ERPState(state)
			}
		}
		totals[i] = t
	}
	return mergeGroups(totals), firstError("sale.order.read_group", groups)
}

// LineTotals sums the product lines of orders up, by currency. Sections and notes are not lines.
func (c *Client) LineTotals(ctx context.Context, slice order.Slice) ([]order.Totals, error) {
	s, err := c.sessionFor(ctx, "sale.order.line.read_group")
	if err != nil {
		return nil, err
	}
	groups, err := c.group(ctx, s.dialect, grouping{model: "sale.order.line",
		domain: append(sliceDomain(slice, "order_id", "order_id.create_date"), condition("display_type", "=", false)),
		by:     []string{"currency_id"}, sums: append([]sum{idAverage, orderAvg}, lineSums...)})
	if err != nil {
		return nil, err
	}
	totals := make([]order.Totals, len(groups))
	for i := range groups {
		r := &groups[i]
		t := order.Totals{Count: r.integer("__count"), Group: order.TotalsGroup{Currency: r.refName("currency_id")}}
		t.IDSum, t.RefSum = r.total(idAverage, t.Count), r.total(orderAvg, t.Count)
		for _, amount := range lineSums {
			t.Amounts = append(t.Amounts, r.number(amount.alias()))
		}
		totals[i] = t
	}
	return totals, firstError("sale.order.line.read_group", groups)
}

// WriteDays counts orders by the day on which they were last written.
func (c *Client) WriteDays(ctx context.Context, slice order.Slice) ([]order.Totals, error) {
	s, err := c.sessionFor(ctx, "sale.order.read_group")
	if err != nil {
		return nil, err
	}
	const day = "write_date:day"
	groups, err := c.group(ctx, s.dialect, grouping{model: "sale.order", domain: sliceDomain(slice, "id", "create_date"),
		by: []string{day}, sums: []sum{idAverage}})
	if err != nil {
		return nil, err
	}
	totals := make([]order.Totals, len(groups))
	for i := range groups {
		r := &groups[i]
		t := order.Totals{Count: r.integer("__count"), Group: order.TotalsGroup{Period: r.period(s.dialect, day)}}
		t.IDSum = r.total(idAverage, t.Count)
		totals[i] = t
	}
	return totals, firstError("sale.order.read_group", groups)
}

// OrderIDs returns up to limit ids of a slice, rising.
func (c *Client) OrderIDs(ctx context.Context, slice order.Slice, limit int) ([]int64, error) {
	return c.search(ctx, "sale.order", sliceDomain(slice, "id", "create_date"), limit)
}

// HeadsWrittenIn lists up to limit orders of a slice that were last written in [from, until), by rising id;
// LinesWriteDate and ReadAt are not set.
func (c *Client) HeadsWrittenIn(ctx context.Context, slice order.Slice, from, until time.Time, limit int) ([]order.Head, error) {
	list, _, err := c.searchRead(ctx, query{model: "sale.order", fields: []string{"write_date"}, limit: limit,
		domain: append(sliceDomain(slice, "id", "create_date"), condition("write_date", ">=", from.UTC().Format(timeLayout)),
			condition("write_date", "<", until.UTC().Format(timeLayout)))})
	if err != nil {
		return nil, err
	}
	heads := make([]order.Head, len(list))
	for i := range list {
		heads[i] = order.Head{ID: list[i].id(), WriteDate: list[i].moment("write_date")}
	}
	return heads, firstError("sale.order.search_read", list)
}

// OrderHidden reports whether an order exists that the user may not see. Newer versions leave out what does not exist,
// older ones refuse to read it, both refuse in another way what is hidden.
func (c *Client) OrderHidden(ctx context.Context, id int64) (bool, error) {
	_, _, err := c.readRaw(ctx, "sale.order", []int64{id}, []string{"name"})
	switch {
	case isReason(err, AccessRights):
		return true, nil
	case isReason(err, BusinessRule):
		return false, nil
	}
	return false, err
}

// sliceDomain selects a slice by the names of the fields that hold an order's id and time of creation.
func sliceDomain(slice order.Slice, id, created string) domain {
	d := domain{}
	if slice.FirstID > 0 {
		d = append(d, condition(id, ">=", slice.FirstID))
	}
	if slice.LastID > 0 {
		d = append(d, condition(id, "<=", min(slice.LastID, order.MaxERPID)))
	}
	if !slice.CreatedFrom.IsZero() {
		d = append(d, condition(created, ">=", slice.CreatedFrom.UTC().Format(timeLayout)))
	}
	if !slice.CreatedUntil.IsZero() {
		d = append(d, condition(created, "<", slice.CreatedUntil.UTC().Format(timeLayout)))
	}
	return d
}

// mergeGroups joins the groups that are one to the gateway: before Odoo 17, and where an order is locked, two of Odoo's
// may have one state.
func mergeGroups(totals []order.Totals) []order.Totals {
	at := make(map[order.TotalsGroup]int, len(totals))
	merged := make([]order.Totals, 0, len(totals))
	for _, t := range totals {
		i, known := at[t.Group]
		if !known {
			at[t.Group] = len(merged)
			merged = append(merged, t)
			continue
		}
		m := &merged[i]
		m.Count, m.IDSum, m.RefSum = m.Count+t.Count, m.IDSum+t.IDSum, m.RefSum+t.RefSum
		m.FirstID, m.LastID = min(m.FirstID, t.FirstID), max(m.LastID, t.LastID)
		for j := range m.Amounts {
			m.Amounts[j] = m.Amounts[j].Add(t.Amounts[j])
		}
	}
	return merged
}

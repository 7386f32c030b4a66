package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"ordergate/order"
	"ordergate/store"
)

// searchTexts are what people look for: query makes one of many texts of that kind.
var searchTexts = []struct {
	name  string
	query func(random *rand.Rand) string
}{
	{"a whole number", func(r *rand.Rand) string { return fmt.Sprintf("S%07d", 1+r.IntN(listingOrders)) }},
	{"a number's first five digits", func(r *rand.Rand) string { return fmt.Sprintf("%05d", r.IntN(10_000)) }},
	{"four digits", func(r *rand.Rand) string { return fmt.Sprintf("%04d", r.IntN(10_000)) }},
	{"three digits", func(r *rand.Rand) string { return fmt.Sprintf("%03d", r.IntN(1000)) }},
	{"a reference", func(r *rand.Rand) string { return fmt.Sprintf("PO-%d-%05d", 2020+r.IntN(7), r.IntN(100_000)) }},
	{"a word of a reference", func(r *rand.Rand) string { return fmt.Sprintf("%07d", r.IntN(10_000_000)) }},
	{"what nothing has", func(r *rand.Rand) string { return fmt.Sprintf("nowhere%d", r.IntN(1000)) }},
	{"what all have (s)", func(*rand.Rand) string { return "s" }},
	{"what 100,000 old ones have (s00)", func(*rand.Rand) string { return "s00" }},
}

// searchKinds are searches alone, and with one more condition.
func searchKinds() []listingKind {
	var kinds []listingKind
	for _, with := range []struct {
		name   string
		filter order.Filter
	}{
		{"", order.Filter{}},
		{", a status of 80 %", order.Filter{Status: order.Completed}},
		{", a status of 0.1 %", order.Filter{Status: order.Picking}},
		{", a customer of 40 %", order.Filter{ERPPartnerID: listingBig}},
		{", a customer", order.Filter{ERPPartnerID: 100}},
	} {
		for _, text := range searchTexts {
			kinds = append(kinds, listingKind{"search: " + text.name + with.name, func(random *rand.Rand) order.Filter {
				filter := with.filter
				filter.Query = text.query(random)
				return filter
			}})
		}
	}
	return kinds
}

// searchSize says how large the table of terms is.
func searchSize(ctx context.Context, m *store.Store, r *report) error {
	var rows, bytes int64
	err := m.DB().QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM order_terms), data_length + index_length
		FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'order_terms'`).Scan(&rows, &bytes)
	r.note("Their terms are %d rows in %d MB.", rows, bytes>>20)
	return err
}

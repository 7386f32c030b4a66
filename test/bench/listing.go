package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"ordergate/order"
	"ordergate/store"
)

const (
	listingLimit     = 3.0 // p99 of a listing / that of reading the same rows by their ids
	listingInstances = 25  // filters of a kind
	listingRounds    = 8
	flatPages        = 200
	flatLimit        = 1.5 // a page at the end / at the beginning
	insertOrdersOf   = 1000
	writesOnto       = 150_000 // orders
	writeRounds      = 60
)

// measureListings fills a mirror of its own with a million orders, and measures pages of 50 orders with their lines beside
// the reading of the same rows by their primary keys, through the bare driver on the same connections.
func measureListings(s *stage, r *report) error {
	ctx := context.Background()
	m, drop, err := openListings(ctx, s, "listing")
	if err != nil {
		return err
	}
	defer drop()
	load, migrate, err := loadListings(ctx, m)
	if err != nil {
		return err
	}
	r.note("A million orders were loaded in %s; migrations 21 and 22 of them took %s.", load.Round(time.Second), migrate.Round(time.Second))
	if err := searchSize(ctx, m, r); err != nil {
		return err
	}
	if err := compareListings(ctx, m, r); err != nil {
		return err
	}
	if err := deepListings(ctx, m, r); err != nil {
		return err
	}
	if err := moveCompanies(ctx, m, r); err != nil {
		return err
	}
	return listingWrites(ctx, s, r)
}

// listingKind is a way to ask for orders; filter makes one of many questions of that kind.
type listingKind struct {
	name   string
	filter func(random *rand.Rand) order.Filter
}

// listingMoment is some time of the mirror's.
func listingMoment(random *rand.Rand) time.Time {
	return listingBegins.Add(time.Duration(random.Int64N(listingDays*24)) * time.Hour)
}

func listingBefore(random *rand.Rand) order.Position {
	return order.Position{OrderedAt: listingMoment(random), ID: listingOrders}
}

var listingKinds = []listingKind{
	{"all, first page", func(*rand.Rand) order.Filter { return order.Filter{} }},
	{"all, any page", func(r *rand.Rand) order.Filter { return order.Filter{Before: listingBefore(r)} }},
	{"a status of 80 %, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{Status: order.Completed, Before: listingBefore(r)}
	}},
	{"a status of 0.1 %, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{Status: order.Picking, Before: listingBefore(r)}
	}},
	{"a day", func(r *rand.Rand) order.Filter {
		from := listingMoment(r)
		return order.Filter{From: from, To: from.AddDate(0, 0, 1)}
	}},
	{"a customer", func(r *rand.Rand) order.Filter {
		return order.Filter{CustomerRef: fmt.Sprint("u-", 2+r.IntN(500))}
	}},
	{"a customer of 40 %, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{ERPPartnerID: listingBig, Before: listingBefore(r)}
	}},
	{"a customer of 40 % and a status of 0.1 %", func(r *rand.Rand) order.Filter {
		return order.Filter{ERPPartnerID: listingBig, Status: order.Picking, Before: listingBefore(r)}
	}},
	{"a customer of 40 %, a status and a week", func(r *rand.Rand) order.Filter {
		from := listingMoment(r)
		return order.Filter{ERPPartnerID: listingBig, Status: order.Cancelled, From: from, To: from.AddDate(0, 0, 7)}
	}},
	{"a company of 10 contacts", func(r *rand.Rand) order.Filter {
		return order.Filter{CompanyID: 10 * int64(2+r.IntN(500)), Before: listingBefore(r)}
	}},
	{"a company of 200 contacts", func(r *rand.Rand) order.Filter {
		return order.Filter{CompanyID: listingCompany, Before: listingBefore(r)}
	}},
	{"a company of 200 contacts and a status of 6 %", func(r *rand.Rand) order.Filter {
		return order.Filter{CompanyID: listingCompany, Status: order.Cancelled, Before: listingBefore(r)}
	}},
	{"a customer of 40 % for its company", func(r *rand.Rand) order.Filter {
		return order.Filter{CompanyID: 1, ERPPartnerID: listingBig, Before: listingBefore(r)}
	}},
	{"a source of a third, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{Source: "portal", Before: listingBefore(r)}
	}},
	{"a source of 0.1 % and a status of 80 %", func(r *rand.Rand) order.Filter {
		return order.Filter{Source: "manual", Status: order.Completed, Before: listingBefore(r)}
	}},
	{"a source of a third and a status of 0.1 %", func(r *rand.Rand) order.Filter {
		return order.Filter{Source: "portal", Status: order.Picking, Before: listingBefore(r)}
	}},
	{"a source of 0.1 % of a customer of 40 %", func(r *rand.Rand) order.Filter {
		return order.Filter{Source: "manual", ERPPartnerID: listingBig, Before: listingBefore(r)}
	}},
	{"edited ones, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{Sync: order.SyncDrifted, Before: listingBefore(r)}
	}},
	{"deleted ones, any page", func(r *rand.Rand) order.Filter {
		return order.Filter{Sync: order.SyncDeleted, Before: listingBefore(r)}
	}},
}

// compareListings measures every kind.
func compareListings(ctx context.Context, m *store.Store, r *report) error {
	for n, kind := range slices.Concat(listingKinds, searchKinds()) {
		fmt.Fprintf(os.Stderr, "bench: listing: %s\n", kind.name)
		ours, bare, rows, err := compareKind(ctx, m, kind, rand.New(rand.NewPCG(uint64(n), 1)))
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		r.note("%s: %.0f orders a page, p50 %s against %s.", kind.name, float64(rows)/listingInstances,
			milliseconds(median(ours)), milliseconds(median(bare)))
		r.atMost(listingLimit, "listing of "+kind.name+" / the same rows by id, p99", quantile(ours, 0.99), quantile(bare, 0.99))
	}
	return nil
}

// compareKind measures pages of one kind, which have so many rows together, and the reading of their rows by id.
func compareKind(
	ctx context.Context, m *store.Store, kind listingKind, random *rand.Rand,
) (ours, bare []time.Duration, rows int, err error) {
	filters := make([]order.Filter, listingInstances)
	ids := make([][]int64, listingInstances) // of the rows that each filter finds
	for i := range filters {
		filters[i] = kind.filter(random)
		filters[i].Limit = order.DefaultPageSize
		listing, err := m.ListOrders(ctx, listingTenant, filters[i])
		if err != nil {
			return nil, nil, 0, err
		}
		if ids[i], err = rowIDs(ctx, m.DB(), listing.Orders); err != nil {
			return nil, nil, 0, err
		}
		rows += len(ids[i])
	}
	for round := range listingRounds {
		for i, filter := range filters {
			list := func() error {
				begin := time.Now()
				_, err := m.ListOrders(ctx, listingTenant, filter)
				ours = append(ours, time.Since(begin))
				return err
			}
			read := func() error {
				begin := time.Now()
				err := readBare(ctx, m.DB(), ids[i])
				bare = append(bare, time.Since(begin))
				return err
			}
			// Whoever comes second finds the rows in memory.
			first, second := list, read
			if round%2 == 1 {
				first, second = read, list
			}
			if err := errors.Join(first(), second()); err != nil {
				return nil, nil, 0, err
			}
		}
	}
	return ours, bare, rows, nil
}

// rowIDs are the primary keys of orders.
func rowIDs(ctx context.Context, db *sql.DB, orders []order.Order) ([]int64, error) {
	ids := make([]int64, len(orders))
	for i, o := range orders {
		err := db.QueryRowContext(ctx, "SELECT id FROM orders WHERE tenant_id = ? AND erp_order_id = ?", listingTenant, o.ID).Scan(&ids[i])
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// readBare reads orders and their lines by primary key. For no order it asks for one that does not exist.
func readBare(ctx context.Context, db *sql.DB, ids []int64) error {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
	if list == "" {
		list = "0"
	}
	var id, partner, decimals int64
	var number, status, reference, source, note, currency, digest, sku, name, unit string
	var untaxed, tax, total, quantity, price, discount, subtotal decimal.Decimal
	var at time.Time
	var delivered, invoiced decimal.Decimal
	var documents, original sql.NullString
	var created, updated, deleted sql.NullTime
	err := scanAll(ctx, db, "SELECT id, erp_order_id, number, erp_state, status, fulfilment, payment, erp_partner_id, reference, source, note, currency,"+
		" currency_decimals, amount_untaxed, amount_tax, amount_total, ordered_at, erp_created_at, erp_updated_at,"+
		" documents, original, digest, deleted_at FROM orders WHERE id IN ("+list+")",
		&id, &id, &number, &status, &status, &status, &status, &partner, &reference, &source, &note, &currency, &decimals, &untaxed, &tax, &total, &at,
		&created, &updated, &documents, &original, &digest, &deleted)
	if err != nil {
		return err
	}
	return scanAll(ctx, db, "SELECT order_id, id, position, erp_line_id, erp_product_id, sku, name, unit_of_measure, quantity,"+
		" unit_price, discount, subtotal, tax, total, delivered, invoiced FROM order_lines WHERE order_id IN ("+list+")",
		&id, &id, &decimals, &id, &id, &sku, &name, &unit, &quantity, &price, &discount, &subtotal, &tax, &total,
		&delivered, &invoiced)
}

func scanAll(ctx context.Context, db *sql.DB, query string, into ...any) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// deepListings compares the first pages with the last ones of the million.
func deepListings(ctx context.Context, m *store.Store, r *report) error {
	walk := func(from order.Position) (took time.Duration, bytes uint64, err error) {
		filter := order.Filter{Before: from, Limit: order.DefaultPageSize}
		var times []time.Duration
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range flatPages {
			begin := time.Now()
			listing, err := m.ListOrders(ctx, listingTenant, filter)
			if err != nil {
				return 0, 0, err
			}
			times = append(times, time.Since(begin))
			filter.Before = listing.Next
		}
		runtime.ReadMemStats(&after)
		return median(times), (after.TotalAlloc - before.TotalAlloc) / flatPages, nil
	}
	near, nearBytes, err := walk(order.Position{})
	if err != nil {
		return err
	}
	deep, deepBytes, err := walk(order.Position{OrderedAt: listingBegins.Add(16 * 24 * time.Hour), ID: listingOrders})
	if err != nil {
		return err
	}
	r.atMost(flatLimit, "a page behind 985,000 orders / one of the first, p50", deep, near)
	r.bound("memory allocated for a page there / for one of the first", fmt.Sprintf("%.2f", float64(deepBytes)/float64(nearBytes)),
		fmt.Sprintf("at most %.2f", flatLimit), float64(deepBytes) <= flatLimit*float64(nearBytes))
	return nil
}

// listingWrites says what the indexes of migration 21 and the terms cost when orders are written: into a mirror that has them
// and one that does not, and orders without a text, which have no terms; in turn, because the machine is not the same from
// minute to minute.
func listingWrites(ctx context.Context, s *stage, r *report) error {
	with, dropWith, err := openListings(ctx, s, "with")
	if err != nil {
		return err
	}
	defer dropWith()
	without, dropWithout, err := openListings(ctx, s, "without")
	if err != nil {
		return err
	}
	defer dropWithout()
	for _, m := range []*store.Store{with, without} {
		if err := loadTenant(ctx, m, listingTenant, writesOnto); err != nil {
			return err
		}
	}
	_, err = without.DB().ExecContext(ctx, "ALTER TABLE orders DROP KEY idx_orders_company, DROP KEY idx_orders_company_status,"+
		" DROP KEY idx_orders_source_status")
	if err != nil {
		return err
	}
	ways := []struct {
		name  string
		into  *store.Store
		texts bool
	}{
		{"with all", with, true}, {"without the indexes of migration 21", without, true}, {"without terms", with, false},
	}
	times := make([][]time.Duration, len(ways))
	next := int64(writesOnto)
	for range writeRounds {
		for i, way := range ways {
			snapshots := writtenOrders(next, way.texts)
			next += insertOrdersOf
			begin := time.Now()
			if _, err := way.into.UpsertOrders(ctx, listingTenant, snapshots, "bench"); err != nil {
				return err
			}
			times[i] = append(times[i], time.Since(begin))
		}
	}
	for i, way := range ways {
		r.note("Writing 1,000 orders with two lines each into a mirror of %d, %s, takes %s (at least %s).",
			writesOnto, way.name, milliseconds(median(times[i])), milliseconds(quantile(times[i], 0)))
	}
	return nil
}

// writtenOrders are new orders, with ids from after on.
func writtenOrders(after int64, texts bool) []order.Snapshot {
	snapshots := make([]order.Snapshot, insertOrdersOf)
	for i := range snapshots {
		id := after + 1 + int64(i)
		snapshots[i] = order.Snapshot{WriteDate: listingBegins, ReadAt: listingBegins, Order: order.Order{ID: id, Status: order.Draft,
			Customer: order.Party{ERPPartnerID: 2 + id%500}, Currency: "EUR",
			OrderedAt: listingBegins.AddDate(0, 0, listingDays), Lines: []order.Line{{ERPLineID: id}, {ERPLineID: -id}}}}
		if texts {
			snapshots[i].Number, snapshots[i].Reference = fmt.Sprintf("S%07d", id), fmt.Sprintf("PO-2026-%05d", id*7919%100_000)
		}
	}
	return snapshots
}

// moveCompanies says how long the rows of orders take to follow their customers.
func moveCompanies(ctx context.Context, m *store.Store, r *report) error {
	begin := time.Now()
	if _, err := m.CorrectCompanies(ctx, listingTenant); err != nil {
		return err
	}
	looked := time.Since(begin)
	begin = time.Now()
	err := m.UpsertCustomers(ctx, listingTenant, []order.Customer{{ERPPartnerID: listingBig, ERPCompanyID: listingCompany, Active: true}})
	if err != nil {
		return err
	}
	r.note("Moving the customer of 40 %% to another company takes %s; looking through a million orders for their companies %s.",
		time.Since(begin).Round(100*time.Millisecond), looked.Round(100*time.Millisecond))
	return nil
}

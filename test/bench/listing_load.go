package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"ordergate/migrations"
	"ordergate/store"
)

// The mirror that listings are measured on: one tenant with a million orders, and two with less.
const (
	listingOrders    = 1_000_000
	listingOthers    = 20_000 // orders of each of the other tenants
	listingTenant    = 1
	listingCustomers = 20_000
	listingBig       = 1    // the partner that has two orders in five
	listingCompany   = 7000 // a company of 200 contacts
	listingDays      = 3 * 365
	loadChunk        = 50_000
)

// The steps before those that prepare orders for listings.
const (
	beforeListings  = 17
	beforeCompanies = 20
)

var listingBegins = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

// loadListings fills a database with orders as an earlier version of the program would have left them, and then brings
// it to the current schema. How long the last step takes is how long an operator waits.
func loadListings(ctx context.Context, m *store.Store) (load, migrate time.Duration, err error) {
	begin := time.Now()
	for tenant, orders := range []int64{listingOrders, listingOthers, listingOthers} {
		if err := fillTenant(ctx, m, int64(tenant+1), orders); err != nil {
			return 0, 0, err
		}
	}
	load = time.Since(begin)
	if err := migrations.UpTo(ctx, m.DB(), m.Dialect(), beforeCompanies, nil); err != nil {
		return 0, 0, err
	}
	begin = time.Now()
	if err := migrations.Up(ctx, m.DB(), m.Dialect(), nil); err != nil {
		return 0, 0, err
	}
	migrate = time.Since(begin)
	for _, table := range []string{"orders", "order_lines", "customers", "order_terms"} {
		if _, err := m.DB().ExecContext(ctx, "ANALYZE TABLE "+table); err != nil {
			return 0, 0, err
		}
	}
	return load, migrate, nil
}

// loadTenant fills a database with a tenant's orders, and brings it to the current schema.
func loadTenant(ctx context.Context, m *store.Store, tenant, orders int64) error {
	if err := fillTenant(ctx, m, tenant, orders); err != nil {
		return err
	}
	return migrations.Up(ctx, m.DB(), m.Dialect(), nil)
}

// fillTenant adds a tenant, which is to have this id, with customers and orders, as an earlier version would have left them.
func fillTenant(ctx context.Context, m *store.Store, tenant, orders int64) error {
	if err := migrations.UpTo(ctx, m.DB(), m.Dialect(), beforeListings, nil); err != nil {
		return err
	}
	if _, err := m.EnsureTenant(ctx, fmt.Sprint("tenant ", tenant)); err != nil {
		return err
	}
	var err error
	execute := func(format string, args ...any) {
		if err == nil {
			_, err = m.DB().ExecContext(ctx, fmt.Sprintf(format, args...))
		}
	}
	execute(`INSERT INTO customers (tenant_id, erp_partner_id, erp_company_id, ref, name, email, phone, active, search_text,
		created_at, updated_at) SELECT %d, seq, IF(seq BETWEEN %d AND %d, %d, GREATEST(seq - seq %% 10, 1)), CONCAT('u-', seq),
		CONCAT('Customer ', seq), CONCAT('c', seq, '@example.com'), '', 1, '', '2023-01-01', '2023-01-01' FROM seq_1_to_%d`,
		tenant, listingCompany, listingCompany+199, listingCompany, listingCustomers)
	for first := int64(1); first <= orders; first += loadChunk {
		last := min(first+loadChunk-1, orders)
		execute(insertOrders, tenant, listingDays*86400/float64(orders), first, last)
		execute(insertOrderLines, tenant, first, last)
	}
	return err
}

// Four orders in five are completed, one in a thousand is at picking. Two in five are of one customer, and the others' numbers fall
// as in Zipf's law. Numbers run with time; references are of three kinds. One in a thousand came by hand, one in fifty was
// edited, one in two hundred is a tombstone. CRC32 is chance that is the same each time.
const (
	insertOrders = `INSERT INTO orders (tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
			amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, source, note, currency_decimals,
			search_text, erp_created_at, erp_updated_at, write_date, lines_write_date, read_at, digest, edited, deleted_at)
		SELECT tenant, seq, number, status, partner, reference, 'EUR', 39.80, 8.36, 48.16, at, at, at, source, '', 2,
			LOWER(CONCAT(number, '\n', reference)), at, at, at, at, at, SHA2(seq, 256),
			CRC32(CONCAT('e', seq)) %% 50 = 0, IF(CRC32(CONCAT('d', seq)) %% 200 = 0, at + INTERVAL seq %% 1000 HOUR, NULL)
		FROM (SELECT %d AS tenant, seq, CONCAT('S', LPAD(seq, 7, '0')) AS number,
			CASE WHEN CRC32(CONCAT('s', seq)) %% 1000 < 800 THEN 'completed' WHEN CRC32(CONCAT('s', seq)) %% 1000 < 900 THEN 'confirmed'
				WHEN CRC32(CONCAT('s', seq)) %% 1000 < 960 THEN 'cancelled' WHEN CRC32(CONCAT('s', seq)) %% 1000 < 999 THEN 'draft'
				ELSE 'picking' END AS status,
			IF(CRC32(CONCAT('b', seq)) %% 5 < 2, 1, 2 + FLOOR(POW(19998, CRC32(CONCAT('p', seq)) / 4294967296))) AS partner,
			CASE CRC32(CONCAT('k', seq)) %% 3 WHEN 0 THEN CONCAT('PO-', 2020 + seq %% 7, '-', LPAD(CRC32(seq) %% 100000, 5, '0'))
				WHEN 1 THEN CONCAT('#', 1000 + FLOOR(seq / 3))
				ELSE CONCAT('302-', LPAD(CRC32(CONCAT('x', seq)) %% 10000000, 7, '0'), '-', LPAD(CRC32(CONCAT('y', seq)) %% 10000000, 7, '0'))
			END AS reference,
			IF(CRC32(CONCAT('m', seq)) %% 1000 = 0, 'manual',
				ELT(1 + CRC32(CONCAT('k', seq)) %% 3, 'portal', 'shopify:eu', 'market')) AS source,
			'2023-01-01' + INTERVAL FLOOR(seq * %g + CRC32(CONCAT('t', seq)) %% 7200) SECOND AS at
			FROM seq_%d_to_%d) made`
	insertOrderLines = `INSERT INTO order_lines (tenant_id, order_id, erp_line_id, sku, name, quantity, unit_price, discount,
			subtotal, position, erp_product_id, unit_of_measure, tax, total)
		SELECT o.tenant_id, o.id, o.erp_order_id * 10 + n.seq, CONCAT('SKU-', CRC32(CONCAT(o.id, n.seq)) %% 5000), 'Large Cabinet',
			2, 19.90, 0, 39.80, n.seq - 1, 31, 'Units', 8.36, 48.16
		FROM orders o JOIN seq_1_to_5 n ON n.seq <= 1 + CRC32(CONCAT('l', o.erp_order_id)) %% 5
		WHERE o.tenant_id = %d AND o.erp_order_id BETWEEN %d AND %d`
)

// openListings creates a database for this run and opens it as the gateway does. drop removes it.
func openListings(ctx context.Context, s *stage, name string) (m *store.Store, drop func(), err error) {
	database := s.database + "_" + name
	if err := s.sql("CREATE DATABASE " + database); err != nil {
		return nil, nil, err
	}
	dropDatabase := func() {
		if err := s.sql("DROP DATABASE " + database); err != nil {
			fmt.Fprintln(os.Stderr, "bench: dropping the database:", err)
		}
	}
	m, err = store.Open(ctx, os.Getenv("ORDERGATE_TEST_MARIADB")+database, store.Options{})
	if err != nil {
		dropDatabase()
		return nil, nil, err
	}
	return m, func() {
		_ = m.Close()
		dropDatabase()
	}, nil
}

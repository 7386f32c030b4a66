package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"ordergate/migrations"
	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

const (
	auditOrders = 100_000
	auditDrifts = 20
	auditRounds = 3
	auditAtMost = 0.05 // of a full re-read, in time and in rows
)

// auditSeed copies an order of the demo data with its two lines as often as is asked for, a quarter of an hour apart.
const auditSeed = `DO $$
DECLARE orders text; lines text; sample int;
BEGIN
	SELECT string_agg(quote_ident(column_name), ',') INTO orders FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = 'sale_order'
		AND column_name NOT IN ('id', 'name', 'create_date', 'write_date', 'date_order', 'access_token');
	SELECT string_agg(quote_ident(column_name), ',') INTO lines FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = 'sale_order_line'
		AND column_name NOT IN ('id', 'order_id', 'create_date', 'write_date');
	SELECT order_id INTO sample FROM sale_order_line GROUP BY order_id
		HAVING count(*) = 2 AND count(display_type) = 0 ORDER BY order_id LIMIT 1;
	EXECUTE format('INSERT INTO sale_order (name, create_date, write_date, date_order, %1$s)
		SELECT ''BENCH'' || n, t, t, t, %1$s FROM (SELECT * FROM sale_order WHERE id = %2$s) o,
		(SELECT n, date_trunc(''second'', now() AT TIME ZONE ''UTC'') - interval ''2 days'' - n * interval ''15 minutes'' AS t
			FROM generate_series(COUNT, 1, -1) n) g ORDER BY n DESC', orders, sample);
	EXECUTE format('INSERT INTO sale_order_line (order_id, create_date, write_date, %1$s)
		SELECT new_id, t, t, %1$s FROM (SELECT id AS new_id, create_date AS t FROM sale_order WHERE name LIKE ''BENCH%%'') o,
		(SELECT * FROM sale_order_line WHERE order_id = %2$s) l ORDER BY new_id, l.id', lines, sample);
END $$;
ANALYZE;`

// readCount is an ERP that counts what a full re-read brings.
type readCount struct {
	*odoo.Client
	rows atomic.Int64
}

func (c *readCount) OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error) {
	heads, err := c.Client.OrderHeads(ctx, page)
	c.rows.Add(int64(len(heads)))
	return heads, err
}

func (c *readCount) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	orders, err := c.Client.Orders(ctx, ids)
	for _, o := range orders {
		c.rows.Add(1 + int64(len(o.Lines)))
	}
	return orders, err
}

// measureAudit compares an audit of a mirror of a hundred thousand orders with reading all of them again, on a database of
// Odoo that is made for it.
func measureAudit(s *stage, r *report) (err error) {
	ctx := context.Background()
	inOdoo := s.name + "_audit"
	if _, err := psql("postgres", "create database "+inOdoo+" template pristine owner odoo"); err != nil {
		return err
	}
	defer func() {
		if _, dropErr := psql("postgres", "drop database "+inOdoo+" with (force)"); err == nil {
			err = dropErr
		}
	}()
	if _, err := psql(inOdoo, strings.ReplaceAll(auditSeed, "COUNT,", fmt.Sprint(auditOrders)+",")); err != nil {
		return err
	}

	database := s.database + "_audit"
	if err := s.sql("CREATE DATABASE " + database); err != nil {
		return err
	}
	defer func() {
		if dropErr := s.sql("DROP DATABASE " + database); err == nil {
			err = dropErr
		}
	}()
	db, err := store.Open(ctx, s.server.JoinPath(database).String(), store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrations.Up(ctx, db.DB(), db.Dialect(), nil); err != nil {
		return err
	}
	tenant, err := db.EnsureTenant(ctx, "audit")
	if err != nil {
		return err
	}
	client, err := odoo.New(odoo.Config{Tenant: "audit", URL: s.odoo.base, Database: inOdoo, User: s.odoo.user,
		Password: s.odoo.password, CallTimeout: 2 * time.Minute})
	if err != nil {
		return err
	}
	defer client.Close()
	erp := &readCount{Client: client}
	service, err := ordersync.New(ordersync.Config{Tenant: order.Tenant{ID: tenant, Name: "audit"}, ERP: erp, Mirror: db})
	if err != nil {
		return err
	}
	defer service.Close()
	return compareWithReread(ctx, r, service, db, erp)
}

func compareWithReread(ctx context.Context, r *report, service *ordersync.Service, db *store.Store, erp *readCount) error {
	filling, err := timed(func() error { return service.FullSync(ctx, ordersync.FullSyncOptions{}) })
	if err != nil {
		return err
	}
	erp.rows.Store(0)
	rereading, err := timed(func() error { return service.FullSync(ctx, ordersync.FullSyncOptions{}) })
	if err != nil {
		return err
	}
	rows := erp.rows.Load()

	var best time.Duration
	var run order.AuditRun
	for range auditRounds {
		took, err := timed(func() (err error) {
			run, err = service.Audit(ctx, ordersync.AuditOptions{Pause: time.Second})
			return err
		})
		if err != nil {
			return err
		}
		if run.FindingCount() != 0 {
			return fmt.Errorf("%d findings in a mirror that was just read", run.FindingCount())
		}
		if best == 0 || took < best {
			best = took
		}
	}
	r.atMost(auditAtMost, fmt.Sprintf("audit of %d orders without drift, beside reading all again", auditOrders), best, rereading)
	share := float64(run.Rows) / float64(rows)
	r.bound("rows that it asks Odoo for, of those of reading all again", fmt.Sprintf("%d of %d (%.5f), in %d calls", run.Rows, rows, share, run.Calls),
		fmt.Sprintf("at most %.2f", auditAtMost), share <= auditAtMost)

	// Orders all over the mirror, each wrong by a cent.
	_, err = db.DB().ExecContext(ctx, fmt.Sprintf("UPDATE orders SET amount_total = amount_total + 0.01 WHERE erp_order_id %% %d = 77", auditOrders/auditDrifts))
	if err != nil {
		return err
	}
	var repair order.AuditRun
	took, err := timed(func() (err error) {
		repair, err = service.Audit(ctx, ordersync.AuditOptions{Repair: true, Pause: time.Second})
		return err
	})
	if err != nil {
		return err
	}
	if repair.Left() != 0 || repair.FindingCount() == 0 {
		return fmt.Errorf("%d of %d findings are left", repair.Left(), repair.FindingCount())
	}
	r.note("An audit found and repaired %d orders that were wrong by a cent, all over the mirror, in %.1f s (a second of it waiting), %d calls and %d rows. Filling the mirror took %.0f s.",
		repair.FindingCount(), took.Seconds(), repair.Calls, repair.Rows, filling.Seconds())
	return nil
}

func timed(work func() error) (time.Duration, error) {
	began := time.Now()
	err := work()
	return time.Since(began), err
}

// psql runs SQL in a database of Odoo's PostgreSQL, which test/servers/odoo-up has booted.
func psql(database, statements string) (string, error) {
	cmd := exec.Command("bash", "test/servers/odoo-up", "19", "sql", database)
	cmd.Stdin = strings.NewReader(statements)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, output)
	}
	return string(output), nil
}

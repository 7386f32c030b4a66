package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

// dedupeSizes are the tables that are cleaned up: rows, of which one in ten is a duplicate.
var dedupeSizes = []int{1_000_000, 5_000_000}

const (
	dedupePromise = 50 // how many times faster than row by row
	// dedupeSample is how many surplus rows the row-by-row clean-up removes before the rest is extrapolated.
	dedupeSample = 3000
	dedupeScans  = 5 // the same without an index, where each reads the whole table
	// dedupeMemory is what the larger table may take more than the smaller, in KiB of resident memory.
	dedupeMemory = 16 << 10
)

// measureDedupe compares `ordergate dedupe --table` with the clean-up that every such table has met: query the groups,
// load each, hand the children of each surplus row on and delete it. It needs a MariaDB only.
func measureDedupe(server, binary string, r *report) (err error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return errors.New("ORDERGATE_TEST_MARIADB is not set to mysql://user@host:port/")
	}
	if binary == "" {
		directory, err := os.MkdirTemp("", "ordergate-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(directory)
		binary = directory + "/ordergate"
		if output, err := exec.Command("go", "build", "-o", binary, "ordergate/cmd/ordergate").CombinedOutput(); err != nil {
			return fmt.Errorf("building the program: %w\n%s", err, output)
		}
	}
	db, err := openServer(u)
	if err != nil {
		return err
	}
	defer db.Close()
	var peaks []int64
	for _, rows := range dedupeSizes {
		peak, err := dedupeTable(db, u, binary, rows, r)
		if err != nil {
			return fmt.Errorf("%d rows: %w", rows, err)
		}
		peaks = append(peaks, peak)
	}
	r.bound("peak memory of the clean-up, for five times the rows", fmt.Sprintf("%d KiB, then %d KiB", peaks[0], peaks[1]),
		fmt.Sprintf("at most %d KiB more", dedupeMemory), peaks[1]-peaks[0] <= dedupeMemory)
	r.note("dedupe: row by row was measured on %d surplus rows of the same table just before (%d without an index on the ERP id, as portals often have it),"+
		" in autocommit as such clean-ups run, with the groups already known, and extrapolated to all of them. It archives nothing. What is compared leaves out the"+
		" unique index, which both need; ours makes an index of its own, looks for the duplicates, archives them, hands children on and deletes.", dedupeSample, dedupeScans)
	return nil
}

// dedupeTable measures one size and returns the peak memory of the clean-up in KiB.
func dedupeTable(db *sql.DB, u *url.URL, binary string, rows int, r *report) (peak int64, err error) {
	name := fmt.Sprintf("og_bench_dedupe_%d", time.Now().UnixMilli())
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return 0, err
	}
	defer func() {
		if _, dropErr := db.ExecContext(ctx, "DROP DATABASE "+name); err == nil {
			err = dropErr
		}
	}()
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := fillDedupe(ctx, conn, name, rows); err != nil {
		return 0, err
	}
	scanned, err := rowByRow(ctx, conn, dedupeScans)
	if err != nil {
		return 0, err
	}
	if _, err := conn.ExecContext(ctx, "ALTER TABLE sales_orders ADD INDEX by_erp (odoo_order_id)"); err != nil {
		return 0, err
	}
	indexed, err := rowByRow(ctx, conn, dedupeSample)
	if err != nil {
		return 0, err
	}
	if _, err := conn.ExecContext(ctx, "ALTER TABLE sales_orders DROP INDEX by_erp"); err != nil {
		return 0, err
	}

	cmd := exec.Command(binary, "dedupe", "--table", "sales_orders", "--from", u.JoinPath(name).String(), "--apply", "--json")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("ordergate dedupe: %w: %s", err, stderr.String())
	}
	all := time.Since(began)
	var removed int64
	var indexing float64
	var left int64
	err = conn.QueryRowContext(ctx, "SELECT JSON_VALUE(counts, '$.archived'), JSON_VALUE(counts, '$.index_seconds') FROM ordergate_dedupe_runs").Scan(&removed, &indexing)
	if err != nil {
		return 0, err
	}
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) - COUNT(DISTINCT odoo_order_id) FROM sales_orders").Scan(&left); err != nil {
		return 0, err
	}
	if left != 0 {
		return 0, fmt.Errorf("%d surplus rows are left", left)
	}
	ours := all - time.Duration(indexing*float64(time.Second))
	times := func(perRow time.Duration) (bare time.Duration, ratio float64) {
		bare = perRow * time.Duration(removed)
		return bare, float64(bare) / float64(ours)
	}
	bare, ratio := times(scanned)
	r.add(figure{
		what:    fmt.Sprintf("clean-up of %d rows, %d of them surplus, against row by row on the same table", rows, removed),
		gateway: ours.Round(100 * time.Millisecond).String(), bare: bare.Round(time.Second).String(),
		ratio: fmt.Sprintf("%.0f times faster", ratio), promised: fmt.Sprintf("at least %d times", dedupePromise), kept: ratio >= dedupePromise,
	})
	bare, ratio = times(indexed)
	r.note("dedupe of %d rows: row by row on a table that has an index on the ERP id takes %s; ours, which archives and can be undone, is %.1f times faster than that.",
		rows, bare.Round(time.Second), ratio)
	r.note("dedupe of %d rows: %s in all, with %.1f s for the unique index; row by row %s a surplus row without an index, %s with one.", rows,
		all.Round(100*time.Millisecond), indexing, milliseconds(scanned), milliseconds(indexed))
	return peakMemory(cmd.ProcessState), nil
}

// fillDedupe makes a table of about 200 bytes a row and one of its lines: of each ten rows one has the id of another.
func fillDedupe(ctx context.Context, conn *sql.Conn, name string, rows int) error {
	statements := []string{
		"USE " + name,
		`CREATE TABLE sales_orders (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, odoo_order_id BIGINT NULL, number VARCHAR(32) NOT NULL,
			customer VARCHAR(64) NOT NULL, address VARCHAR(160) NOT NULL, amount DECIMAL(12,2) NOT NULL, created_at DATETIME NOT NULL, updated_at TIMESTAMP NULL) ENGINE=InnoDB`,
		`CREATE TABLE order_lines (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id BIGINT UNSIGNED NOT NULL, sku VARCHAR(32) NOT NULL,
			quantity INT NOT NULL, FOREIGN KEY (order_id) REFERENCES sales_orders (id) ON DELETE CASCADE) ENGINE=InnoDB`,
	}
	const chunk = 250_000
	for begin := 0; begin < rows; begin += chunk {
		// A double click or a retry: the duplicate of an order stands a few hundred rows after it.
		statements = append(statements, fmt.Sprintf(`INSERT INTO sales_orders (id, odoo_order_id, number, customer, address, amount, created_at)
			SELECT seq, IF(seq %% 10 = 0 AND seq > 400, seq - 391, seq), CONCAT('SO', seq), CONCAT('customer ', seq %% 5000, ' of the shop'),
			RPAD(CONCAT('street ', seq), 100, '.'), seq %% 1000, '2024-01-01' + INTERVAL seq SECOND FROM seq_%d_to_%d`, begin+1, min(begin+chunk, rows)))
		statements = append(statements, fmt.Sprintf(`INSERT INTO order_lines (order_id, sku, quantity) SELECT seq, CONCAT('SKU-', seq %% 977), 1 + seq %% 3 FROM seq_%d_to_%d`,
			begin+1, min(begin+chunk, rows)))
	}
	for _, statement := range append(statements, "ANALYZE TABLE sales_orders, order_lines") {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("filling the table: %w", err)
		}
	}
	return nil
}

// rowByRow cleans some groups up as it is commonly done, and returns the time for each surplus row.
func rowByRow(ctx context.Context, conn *sql.Conn, sample int) (time.Duration, error) {
	groups, err := integersOf(ctx, conn, fmt.Sprintf("SELECT odoo_order_id FROM sales_orders GROUP BY odoo_order_id HAVING COUNT(*) > 1 LIMIT %d", sample))
	if err != nil {
		return 0, err
	}
	removed := 0
	began := time.Now()
	for _, id := range groups {
		rows, err := integersOf(ctx, conn, fmt.Sprintf("SELECT id, odoo_order_id, number, customer, address, amount, created_at, updated_at FROM sales_orders WHERE odoo_order_id = %d ORDER BY created_at, id", id))
		if err != nil {
			return 0, err
		}
		for _, surplus := range rows[1:] {
			for _, statement := range []string{
				fmt.Sprintf("UPDATE order_lines SET order_id = %d WHERE order_id = %d", rows[0], surplus),
				fmt.Sprintf("DELETE FROM sales_orders WHERE id = %d", surplus),
			} {
				if _, err := conn.ExecContext(ctx, statement); err != nil {
					return 0, err
				}
			}
			removed++
		}
	}
	if removed == 0 {
		return 0, errors.New("there were no duplicates to remove row by row")
	}
	return time.Since(began) / time.Duration(removed), nil
}

// integersOf reads the first column of a query's rows, and passes over the others.
func integersOf(ctx context.Context, conn *sql.Conn, query string) ([]int64, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var list []int64
	for rows.Next() {
		var first int64
		into := []any{&first}
		for range columns[1:] {
			into = append(into, new(sql.RawBytes))
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, first)
	}
	return list, rows.Err()
}

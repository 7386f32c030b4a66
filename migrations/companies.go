package migrations

import (
	"context"
	"database/sql"
	"fmt"
)

// companyBatch is how many orders one statement gives their company.
const companyBatch = 2000

// nameCompanies gives the orders of MySQL and MariaDB their customers' companies, and then the indexes by which a company's
// are found: the other way round would write each of these once more. A company's contacts are not asked for any more.
func nameCompanies(ctx context.Context, db *sql.DB) error {
	if err := alterCompanies.apply(ctx, db); err != nil {
		return err
	}
	if err := fillCompanies(ctx, db); err != nil {
		return err
	}
	if err := indexCompanies.apply(ctx, db); err != nil {
		return err
	}
	return dropContacts.apply(ctx, db)
}

// fillCompanies gives the orders that lack it their customers' companies, a batch a transaction. Stopped on its way, it
// begins again and passes over those that have it.
func fillCompanies(ctx context.Context, db *sql.DB) error {
	fill, err := files.ReadFile("mysql/alter/order_companies_fill.sql")
	if err != nil {
		return fmt.Errorf("reading how to fill in the companies: %w", err)
	}
	for after := int64(0); ; {
		var last sql.NullInt64
		err := db.QueryRowContext(ctx, "SELECT MAX(id) FROM (SELECT id FROM orders WHERE id > ? ORDER BY id LIMIT ?) batch",
			after, companyBatch).Scan(&last)
		if err != nil || !last.Valid {
			return err
		}
		if _, err := db.ExecContext(ctx, string(fill), after, last.Int64); err != nil {
			return fmt.Errorf("giving the orders up to %d their companies: %w", last.Int64, err)
		}
		after = last.Int64
	}
}

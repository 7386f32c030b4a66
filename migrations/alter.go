package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
)

// The steps that are written in Go, because plain SQL could not be run twice: ALTER TABLE fails on the second run.
const (
	dedupeStep    int64 = 5
	ordersStep    int64 = 6
	linesStep     int64 = 7
	historyStep   int64 = 8
	intentsStep   int64 = 15
	documentsStep int64 = 17
	listingsStep  int64 = 20
	companiesStep int64 = 21
	termsStep     int64 = 22
	entriesStep   int64 = 23
	standingStep  int64 = 24
	actionsStep   int64 = 25
)

var goStepNames = map[int64]string{
	dedupeStep:    "dedupe",
	ordersStep:    "orders_unique_erp_order",
	linesStep:     "order_lines_complete",
	historyStep:   "order_history_complete",
	intentsStep:   "intents_queue",
	documentsStep: "order_documents",
	listingsStep:  "order_listings",
	companiesStep: "order_companies",
	termsStep:     "order_terms",
	entriesStep:   "history_entries",
	standingStep:  "order_standing",
	actionsStep:   "intent_actions",
}

// alteration brings a table that exists to its final shape.
type alteration struct {
	table   string
	column  string // added by the ALTER, and so the proof that it was made
	index   string // is the proof instead, where no column is added
	dropped string // an index whose absence is the proof, where nothing is added
	fill    string // files, in order: gives NULLs a value, alters, and computes what the new columns hold
	alter   string
	after   string
}

var (
	alterOrders = alteration{table: "orders", column: "digest", fill: "mysql/alter/orders_fill.sql",
		alter: "mysql/alter/orders.sql", after: "mysql/alter/orders_after.sql"}
	alterLines = alteration{table: "order_lines", column: "position", fill: "mysql/alter/order_lines_fill.sql",
		alter: "mysql/alter/order_lines.sql"}
	alterHistory = alteration{table: "order_history", column: "from_status", fill: "mysql/alter/order_history_fill.sql",
		alter: "mysql/alter/order_history.sql"}
	alterIntents = alteration{table: "intents", column: "customer", alter: "mysql/alter/intents.sql",
		after: "mysql/alter/intents_after.sql"}
	alterActions   = alteration{table: "intents", column: "busy_order_id", alter: "mysql/alter/intent_actions.sql"}
	alterDocuments = alteration{table: "orders", column: "documents", alter: "mysql/alter/order_documents.sql"}
	alterDone      = alteration{table: "order_lines", column: "delivered", alter: "mysql/alter/order_lines_done.sql"}
	alterListings  = alteration{table: "orders", index: "idx_orders_source", alter: "mysql/alter/order_listings.sql"}
	alterCompanies = alteration{table: "orders", column: "erp_company_id", alter: "mysql/alter/order_companies.sql"}
	indexCompanies = alteration{table: "orders", index: "idx_orders_company", alter: "mysql/alter/order_companies_index.sql"}
	alterKeys      = alteration{table: "api_keys", column: "module", alter: "mysql/alter/api_keys_module.sql"}
	alterStanding  = alteration{table: "orders", column: "erp_state", alter: "mysql/alter/order_standing.sql"}
	dropContacts   = alteration{table: "customers", dropped: "idx_customers_company", alter: "mysql/alter/order_companies_contacts.sql"}
)

func goSteps(dialect Dialect) []*goose.Migration {
	if dialect == SQLite {
		return []*goose.Migration{
			goStepInTx(dedupeStep, func(ctx context.Context, tx *sql.Tx) error { return dedupeInTx(ctx, tx) }),
			goStepInTx(ordersStep, rebuildOrders),
			goStepInTx(linesStep, doneByRebuild(alterLines)),
			goStepInTx(historyStep, doneByRebuild(alterHistory)),
			goStepInTx(intentsStep, alterOnSQLite(alterIntents, "sqlite/alter/intents.sql")),
			goStepInTx(documentsStep, alterOnSQLite(alterDocuments, "sqlite/alter/order_documents.sql")),
			goStepInTx(listingsStep, alterOnSQLite(alterListings, "sqlite/alter/order_listings.sql")),
			goStepInTx(companiesStep, alterOnSQLite(indexCompanies, "sqlite/alter/order_companies.sql")),
			goStepInTx(termsStep, func(ctx context.Context, tx *sql.Tx) error { return addOrderTerms(ctx, tx, SQLite, allIn(tx)) }),
			goStepInTx(entriesStep, func(ctx context.Context, tx *sql.Tx) error {
				if err := alterOnSQLite(alterKeys, "sqlite/alter/api_keys_module.sql")(ctx, tx); err != nil {
					return err
				}
				return addHistories(ctx, tx, SQLite, allIn(tx))
			}),
			goStepInTx(standingStep, func(ctx context.Context, tx *sql.Tx) error {
				if err := alterOnSQLite(alterStanding, "sqlite/alter/order_standing.sql")(ctx, tx); err != nil {
					return err
				}
				return deriveStandings(ctx, SQLite, allIn(tx))
			}),
			goStepInTx(actionsStep, alterOnSQLite(alterActions, "sqlite/alter/intent_actions.sql")),
		}
	}
	return []*goose.Migration{
		goStep(dedupeStep, func(ctx context.Context, db *sql.DB) error {
			_, err := Dedupe(ctx, db, MySQL, nil)
			return err
		}),
		goStep(ordersStep, makeOrdersUnique),
		goStep(linesStep, alterLines.apply),
		goStep(historyStep, alterHistory.apply),
		goStep(intentsStep, alterIntents.apply),
		goStep(documentsStep, func(ctx context.Context, db *sql.DB) error {
			if err := alterDone.apply(ctx, db); err != nil {
				return err
			}
			return alterDocuments.apply(ctx, db)
		}),
		goStep(listingsStep, alterListings.apply),
		goStep(companiesStep, nameCompanies),
		goStep(termsStep, func(ctx context.Context, db *sql.DB) error { return addOrderTerms(ctx, db, MySQL, transactions(db)) }),
		goStep(entriesStep, func(ctx context.Context, db *sql.DB) error {
			if err := alterKeys.apply(ctx, db); err != nil {
				return err
			}
			return addHistories(ctx, db, MySQL, transactions(db))
		}),
		goStep(standingStep, func(ctx context.Context, db *sql.DB) error {
			if err := alterStanding.apply(ctx, db); err != nil {
				return err
			}
			return deriveStandings(ctx, MySQL, transactions(db))
		}),
		goStep(actionsStep, alterActions.apply),
	}
}

func goStep(version int64, run func(context.Context, *sql.DB) error) *goose.Migration {
	return goose.NewGoMigration(version, &goose.GoFunc{RunDB: run}, nil)
}

func goStepInTx(version int64, run func(context.Context, *sql.Tx) error) *goose.Migration {
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: run}, nil)
}

// makeOrdersUnique adds the constraint. An earlier system may still be writing: what it adds between the removal of
// duplicates and the ALTER makes the ALTER fail, and is removed in another round.
func makeOrdersUnique(ctx context.Context, db *sql.DB) error {
	const rounds = 5
	for round := 1; ; round++ {
		done, err := columnExists(ctx, db, MySQL, alterOrders.table, alterOrders.column)
		if err != nil {
			return err
		}
		if !done {
			if _, err := Dedupe(ctx, db, MySQL, nil); err != nil {
				return err
			}
		}
		err = alterOrders.apply(ctx, db)
		if err == nil || !brokenByNewRows(err) || round == rounds {
			return err
		}
	}
}

// brokenByNewRows tells whether rows written since the table was cleaned stand in the way of the ALTER.
func brokenByNewRows(err error) bool {
	const (
		duplicateEntry = 1062
		nullValue      = 1138
		truncated      = 1265
	)
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) {
		return false
	}
	return refused.Number == duplicateEntry || refused.Number == nullValue || refused.Number == truncated
}

// made tells whether the table is in its final shape.
func (a alteration) made(ctx context.Context, db executor, dialect Dialect) (bool, error) {
	if a.index != "" {
		return indexExists(ctx, db, dialect, a.table, a.index)
	}
	if a.dropped != "" {
		stands, err := indexExists(ctx, db, dialect, a.table, a.dropped)
		return !stands, err
	}
	return columnExists(ctx, db, dialect, a.table, a.column)
}

// apply makes the alteration on MySQL or MariaDB. The ALTER is one statement and atomic, so that one of its columns or
// indexes tells whether it was made; the statements around it change nothing the second time.
func (a alteration) apply(ctx context.Context, db *sql.DB) error {
	done, err := a.made(ctx, db, MySQL)
	if err != nil {
		return err
	}
	statements := []string{a.fill, a.alter, a.after}
	if done {
		statements = []string{a.after}
	}
	for _, file := range statements {
		if file == "" {
			continue
		}
		if err := executeFile(ctx, db, file); err != nil {
			return err
		}
	}
	return nil
}

// rebuildOrders does on SQLite what the three alterations do on MySQL, in goose's transaction.
func rebuildOrders(ctx context.Context, tx *sql.Tx) error {
	done, err := columnExists(ctx, tx, SQLite, alterOrders.table, alterOrders.column)
	if err != nil || done {
		return err
	}
	if err := dedupeInTx(ctx, tx); err != nil {
		return err
	}
	return executeFile(ctx, tx, "sqlite/alter/orders.sql")
}

// doneByRebuild keeps the numbers of the steps the same on all dialects.
func doneByRebuild(a alteration) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		done, err := columnExists(ctx, tx, SQLite, a.table, a.column)
		if err == nil && !done {
			return fmt.Errorf("%s has no column %s, although step %d was applied", a.table, a.column, ordersStep)
		}
		return err
	}
}

// alterOnSQLite runs the statements of a file, which do on SQLite what an alteration does on MySQL.
func alterOnSQLite(a alteration, file string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		done, err := a.made(ctx, tx, SQLite)
		if err != nil || done {
			return err
		}
		return executeFile(ctx, tx, file)
	}
}

func dedupeInTx(ctx context.Context, tx *sql.Tx) error {
	_, err := newDeduper(tx, SQLite, allIn(tx), time.Now()).run(ctx, nil)
	return err
}

// allIn runs every batch in the one transaction that there is.
func allIn(tx *sql.Tx) func(context.Context, func(executor) error) error {
	return func(_ context.Context, run func(executor) error) error { return run(tx) }
}

func executeFile(ctx context.Context, db executor, file string) error {
	statement, err := files.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if _, err := db.ExecContext(ctx, string(statement)); err != nil {
		return fmt.Errorf("running %s: %w", file, err)
	}
	return nil
}

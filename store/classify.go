package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/glebarez/go-sqlite"
	"github.com/go-sql-driver/mysql"
)

// The unique keys, by the names that the schema gives them.
const (
	keyTenantName      = "uniq_tenants_name"
	keyAPIKeyName      = "uniq_api_keys_name"
	keyAPIKeyHash      = "uniq_api_keys_hash"
	keyOrder           = "uniq_orders_erp_order"
	keyIntent          = "uniq_intents_key"
	keyBusyOrder       = "uniq_intents_busy_order"
	keyCustomerPartner = "uniq_customers_partner"
	keyCustomerRef     = "uniq_customers_ref"
	keyProduct         = "uniq_products_product"
	keyAuditNight      = "uniq_audit_runs_night"
	keyHistoryFact     = "uniq_history_entries_fact"
	keyHistoryRequest  = "uniq_history_entries_request"
	keyPrimary         = "PRIMARY" // MariaDB does not say of which table
)

// keysByColumns names the unique keys where the database names their columns: SQLite does.
var keysByColumns = map[string]string{
	"audit_runs.tenant_id, audit_runs.night":        keyAuditNight,
	"tenants.name":                                  keyTenantName,
	"api_keys.tenant_id, api_keys.name":             keyAPIKeyName,
	"api_keys.hash":                                 keyAPIKeyHash,
	"orders.tenant_id, orders.erp_order_id":         keyOrder,
	"customers.tenant_id, customers.ref":            keyCustomerRef,
	"sync_cursors.tenant_id, sync_cursors.model":    keyPrimary,
	"sync_leases.tenant_id, sync_leases.name":       keyPrimary,
	"sync_backfills.tenant_id":                      keyPrimary,
	"webhooks.tenant_id":                            keyPrimary,
	"customers.tenant_id, customers.erp_partner_id": keyCustomerPartner,
	"products.tenant_id, products.erp_product_id":   keyProduct,
	"history_entries.tenant_id, history_entries.erp_order_id, history_entries.fact_key": keyHistoryFact,
	"history_entries.tenant_id, history_entries.module, history_entries.request_key":    keyHistoryRequest,
	"intents.tenant_id, intents.source, intents.idempotency_key":                        keyIntent,
	"intents.tenant_id, intents.busy_order_id":                                          keyBusyOrder,
}

// Error numbers of MySQL and MariaDB
// (https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-codes/).
const (
	mysqlDuplicateEntry    = 1062
	mysqlLockWaitTimeout   = 1205
	mysqlDeadlock          = 1213
	mysqlRecordHasChanged  = 1020 // MariaDB, with innodb_snapshot_isolation
	mysqlServerShutdown    = 1053
	mysqlQueryInterrupted  = 1317
	mysqlConnectionKilled  = 1927 // MariaDB
	mysqlNetworkErrorFirst = 1158
	mysqlNetworkErrorLast  = 1161
)

// mysqlContentErrors are refusals of the content of a statement: the server works, and would refuse it again.
var mysqlContentErrors = []uint16{
	1048, // column cannot be null
	1264, // out of range
	1292, // truncated incorrect value
	1364, // field has no default value
	1366, // incorrect string value
	1406, // data too long
	1451, // foreign key, parent row
	1452, // foreign key, child row
	3140, // invalid JSON text
	3819, // check constraint violated
	4025, // check constraint violated, MariaDB
}

// Primary result codes of SQLite (https://www.sqlite.org/rescode.html); the low byte of what the driver reports.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteIOErr      = 10
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
)

// moment is when an error came up, which decides what it leaves behind.
type moment int

const (
	beforeCommit moment = iota // or in a read: whatever went wrong, nothing was written
	atCommit                   // COMMIT was called
)

// classify says what an error of the database leaves behind.
func classify(operation, table string, err error, when moment) error {
	if err == nil || settled(err) {
		return err
	}
	f := &failure{operation: operation, table: table, cause: err}
	switch {
	case takenKey(err) != "":
		f.certainty = ErrExists
	case refusesContent(err):
	case when == atCommit && mayHaveCommitted(err):
		f.certainty = ErrUnknown
	case fromDatabase(err):
		f.certainty = ErrUnavailable
	}
	return f
}

var mysqlKeyName = regexp.MustCompile(`for key '(?:[^'.]+\.)?([^']+)'$`)

// takenKey names the unique key that a row collided with; empty if err is no collision.
func takenKey(err error) string {
	var my *mysql.MySQLError
	if errors.As(err, &my) && my.Number == mysqlDuplicateEntry {
		if named := mysqlKeyName.FindStringSubmatch(my.Message); named != nil {
			return named[1]
		}
		return "unnamed key"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) && lite.Code()&0xff == sqliteConstraint {
		_, columns, unique := strings.Cut(lite.Error(), "UNIQUE constraint failed: ")
		if !unique {
			return ""
		}
		columns, _, _ = strings.Cut(columns, " (")
		if key, known := keysByColumns[columns]; known {
			return key
		}
		return columns
	}
	return ""
}

// lostRace reports whether another transaction got in the way, so that the same again may succeed.
func lostRace(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == mysqlDeadlock || my.Number == mysqlLockWaitTimeout || my.Number == mysqlRecordHasChanged
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqliteBusy || code == sqliteLocked
	}
	return false
}

func refusesContent(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return slices.Contains(mysqlContentErrors, my.Number)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqliteConstraint || code == sqliteTooBig || code == sqliteMismatch
	}
	return false
}

// mayHaveCommitted tells the failures of a COMMIT apart. An answer of the server is a refusal, except that of a server
// or connection that is being ended; and what never left this process did not commit either.
func mayHaveCommitted(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		ending := my.Number == mysqlServerShutdown || my.Number == mysqlQueryInterrupted ||
			my.Number == mysqlConnectionKilled
		return ending || (my.Number >= mysqlNetworkErrorFirst && my.Number <= mysqlNetworkErrorLast)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == sqliteIOErr
	}
	neverSent := errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return !neverSent
}

// fromDatabase reports whether err says something about the database and the way to it, rather than about this program.
func fromDatabase(err error) bool {
	var (
		my      *mysql.MySQLError
		lite    *sqlite.Error
		network net.Error
	)
	return errors.As(err, &my) || errors.As(err, &lite) || errors.As(err, &network) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

package migrations

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordergate/order"
)

const (
	// historyBatch is how many orders get their histories in one transaction: it bounds how long their rows are locked.
	historyBatch = 200
	// historyRows is how many entries one statement writes. SQLite allows 32766 values, and an entry has 15.
	historyRows = 500
	// writtenByMigration is who wrote what no row of order_history said.
	writtenByMigration = "migration"
)

// orderWithHistory is a row of orders that has no history yet but rows in order_history.
type orderWithHistory struct {
	id, tenantID int64
	orderedAt    string // as the database writes it
	createdAt    time.Time
	gone         bool
	order.Order  // as much as its history tells of

	known   order.Known
	entries []order.HistoryEntry
}

// addHistories creates the tables of histories and fills them from order_history and what the mirror holds. Stopped on its way it
// begins again, and passes over the orders that are done. The old table stays, for processes of the version before.
func addHistories(ctx context.Context, db executor, dialect Dialect, within func(context.Context, func(executor) error) error) error {
	tables := []string{"history_entries", "history_heads", "history_latest", "history_blocks"}
	if dialect == SQLite {
		tables = []string{"history"}
	}
	for _, table := range tables {
		if err := executeFile(ctx, db, string(dialect)+"/alter/"+table+".sql"); err != nil {
			return err
		}
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for after, more := int64(0), true; more; {
		err := within(ctx, func(tx executor) error {
			orders, err := ordersWithoutHistory(ctx, tx, dialect, after)
			if err != nil {
				return fmt.Errorf("reading orders: %w", err)
			}
			if more = len(orders) == historyBatch; len(orders) == 0 {
				return nil
			}
			after = orders[len(orders)-1].id
			if err := readOldHistory(ctx, tx, orders); err != nil {
				return fmt.Errorf("reading their histories: %w", err)
			}
			for i := range orders {
				orders[i].complete(now)
			}
			return insertHistories(ctx, tx, orders)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ordersWithoutHistory reads and locks the next orders whose history has no head.
func ordersWithoutHistory(ctx context.Context, tx executor, dialect Dialect, after int64) ([]orderWithHistory, error) {
	lock := ""
	if dialect == MySQL {
		lock = " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, "SELECT o.id, o.tenant_id, o.erp_order_id, CAST(o.ordered_at AS CHAR), o.created_at, o.status, o.documents,"+
		" o.deleted_at IS NOT NULL FROM orders o LEFT JOIN history_heads h ON h.tenant_id = o.tenant_id AND h.erp_order_id = o.erp_order_id"+
		" WHERE o.id > ? AND h.position IS NULL ORDER BY o.id LIMIT ?"+lock, after, historyBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var orders []orderWithHistory
	for rows.Next() {
		o := orderWithHistory{known: order.Known{}}
		var documents sql.NullString
		if err := rows.Scan(&o.id, &o.tenantID, &o.ID, &o.orderedAt, &o.createdAt, &o.Status, &documents, &o.gone); err != nil {
			return nil, err
		}
		if documents.Valid {
			var held struct {
				Deliveries []order.Delivery `json:"deliveries"`
				Invoices   []order.Invoice  `json:"invoices"`
			}
			if err := json.Unmarshal([]byte(documents.String), &held); err != nil {
				return nil, fmt.Errorf("documents of order %d: %w", o.ID, err)
			}
			o.Deliveries, o.Invoices = held.Deliveries, held.Invoices
		}
		orders = append(orders, o)
	}
	return orders, rows.Err()
}

// readOldHistory reads what order_history says of the orders, which are sorted by row.
func readOldHistory(ctx context.Context, tx executor, orders []orderWithHistory) error {
	ids := make([]int64, len(orders))
	for i, o := range orders {
		ids[i] = o.id
	}
	rows, err := tx.QueryContext(ctx, "SELECT order_id, code, severity, from_status, to_status, detail, recorded_by, recorded_at FROM order_history"+
		" WHERE order_id IN ("+idList(ids)+") ORDER BY order_id, recorded_at, id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row oldEntry
		if err := rows.Scan(&row.orderID, &row.code, &row.severity, &row.from, &row.to, &row.detail, &row.recordedBy, &row.recordedAt); err != nil {
			return err
		}
		at, _ := slices.BinarySearch(ids, row.orderID)
		orders[at].take(row)
	}
	return rows.Err()
}

// oldEntry is a row of order_history.
type oldEntry struct {
	orderID                                      int64
	code, severity, from, to, detail, recordedBy string
	recordedAt                                   time.Time
}

// take adds an old entry to a history, and what it says to what is known.
func (o *orderWithHistory) take(row oldEntry) {
	code := order.ModuleOrder + ":" + row.code
	isStatus := row.to != "" && len(row.to) <= 64 && strings.Trim(row.to, "abcdefghijklmnopqrstuvwxyz_") == ""
	if row.code == "status_changed" {
		if code = order.HistoryNoted; isStatus {
			code = order.StatusCode(order.Status(row.to))
		}
	}
	e := order.Entry(o.ID, code)
	e.Severity, e.Detail, e.WrittenBy = order.Severity(row.severity), row.detail, row.recordedBy
	e.RecordedAt = row.recordedAt.UTC().Truncate(time.Microsecond)
	e.Payload = order.PayloadText(map[string]any{"from": row.from, "to": row.to})

	const differs = "differs from what was sent: "
	switch {
	case code == order.HistoryDeleted:
		e = o.known.Say(order.SubjectPlace, order.Gone, e)
	case code == order.HistoryRestored:
		e = o.known.Say(order.SubjectPlace, order.There, e)
	case code == order.HistoryEdited && strings.HasPrefix(row.detail, differs):
		e = o.known.Say(order.SubjectEdits, order.EditsState(strings.TrimPrefix(row.detail, differs)), e)
	case code == order.HistoryEdited:
		e.Code = order.HistoryUnedited
		e = o.known.Say(order.SubjectEdits, order.EditsState(""), e)
	case isStatus && row.to != o.known.State(order.SubjectStatus):
		e = o.known.Say(order.SubjectStatus, row.to, e)
	}
	o.entries = append(o.entries, e)
}

// complete gives an order without any entry its first, adds what the mirror holds and no entry says, and chains the entries.
func (o *orderWithHistory) complete(now time.Time) {
	add := func(at time.Time, entries ...order.HistoryEntry) {
		for _, e := range entries {
			e.WrittenBy, e.RecordedAt = writtenByMigration, at
			o.entries = append(o.entries, e)
		}
	}
	if len(o.entries) == 0 {
		add(o.createdAt.UTC().Truncate(time.Microsecond), order.Entry(o.ID, order.HistoryAppeared))
	}
	if !o.gone {
		add(now, o.News(o.known)...)
	}
	previous := ""
	for i := range o.entries {
		e := &o.entries[i]
		e.ID = int64(i + 1)
		e.Hash = e.Chain(previous, o.tenantID)
		previous = e.Hash
	}
}

func insertHistories(ctx context.Context, tx executor, orders []orderWithHistory) error {
	entries := rowsOf{into: "INSERT INTO history_entries (tenant_id, erp_order_id, position, module, status_code, category, severity, payload, detail," +
		" written_by, recorded_at, fact_key, hash)", columns: 13}
	heads := rowsOf{into: "INSERT INTO history_heads (tenant_id, erp_order_id, position, hash)", columns: 4}
	latest := rowsOf{into: "INSERT INTO history_latest (tenant_id, erp_order_id, module, status_code, position, ordered_at)", columns: 6}
	for _, o := range orders {
		last := map[string]order.HistoryEntry{}
		for _, e := range o.entries {
			entries.add(o.tenantID, o.ID, e.ID, e.Module(), e.Code, e.Category, string(e.Severity), e.Payload, e.Detail, e.WrittenBy, e.RecordedAt,
				sql.NullString{String: e.Fact, Valid: e.Fact != ""}, e.Hash)
			last[e.Module()] = e
		}
		for module, e := range last {
			latest.add(o.tenantID, o.ID, module, e.Code, e.ID, o.orderedAt)
		}
		end := o.entries[len(o.entries)-1]
		heads.add(o.tenantID, o.ID, end.ID, end.Hash)
	}
	for _, rows := range []rowsOf{entries, latest, heads} {
		if err := rows.insert(ctx, tx); err != nil {
			return fmt.Errorf("writing histories: %w", err)
		}
	}
	return nil
}

// rowsOf are rows to be inserted into a table.
type rowsOf struct {
	into    string
	columns int
	values  []any
}

func (r *rowsOf) add(values ...any) { r.values = append(r.values, values...) }

func (r *rowsOf) insert(ctx context.Context, tx executor) error {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", r.columns), ", ") + ")"
	for values := range slices.Chunk(r.values, historyRows*r.columns) {
		rows := strings.TrimSuffix(strings.Repeat(row+", ", len(values)/r.columns), ", ")
		if _, err := tx.ExecContext(ctx, r.into+" VALUES "+rows, values...); err != nil {
			return err
		}
	}
	return nil
}

package migrations

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// removeSurplus moves the children of surplus rows to the rows that are kept, and removes the rows.
func (d *deduper) removeSurplus(ctx context.Context, tx executor, batch []surplusRow, total *DuplicateReport) error {
	batch, err := d.stillSurplus(ctx, tx, batch)
	if err != nil || len(batch) == 0 {
		return err
	}
	if d.hasLines {
		if err := d.mergeLines(ctx, tx, batch, total); err != nil {
			return err
		}
	}
	kept := make(map[int64]int64, len(batch))
	ids := make([]int64, len(batch))
	for i, row := range batch {
		kept[row.id], ids[i] = row.keptID, row.id
	}
	if d.hasHistory {
		moved, err := d.moveChildren(ctx, tx, "order_history", ids, kept)
		if err != nil {
			return err
		}
		total.HistoryMoved += moved
	}
	_, err = d.archive(ctx, tx, "orders", "id", ids, kept, ReasonDuplicate)
	return err
}

// stillSurplus locks the rows and drops those that someone removed or changed since the plan was made.
func (d *deduper) stillSurplus(ctx context.Context, tx executor, batch []surplusRow) ([]surplusRow, error) {
	ids := make([]int64, 0, 2*len(batch))
	for _, row := range batch {
		ids = append(ids, row.id, row.keptID)
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, tenant_id, COALESCE(erp_order_id, 0) FROM orders WHERE id IN ("+
		idList(ids)+") ORDER BY id"+d.forUpdate())
	if err != nil {
		return nil, fmt.Errorf("locking orders: %w", err)
	}
	defer rows.Close()
	type identity struct{ tenantID, erpOrderID int64 }
	stands := map[int64]identity{}
	for rows.Next() {
		var id int64
		var what identity
		if err := rows.Scan(&id, &what.tenantID, &what.erpOrderID); err != nil {
			return nil, fmt.Errorf("locking orders: %w", err)
		}
		stands[id] = what
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("locking orders: %w", err)
	}
	var still []surplusRow
	for _, row := range batch {
		planned := identity{row.tenantID, row.erpOrderID}
		if stands[row.id] == planned && stands[row.keptID] == planned {
			still = append(still, row)
		}
	}
	return still, nil
}

// mergeLines gives a kept row without lines those of the oldest surplus row that has some. All other lines of surplus
// rows are the same lines once more.
func (d *deduper) mergeLines(ctx context.Context, tx executor, batch []surplusRow, total *DuplicateReport) error {
	ids := make([]int64, 0, 2*len(batch))
	for _, row := range batch {
		ids = append(ids, row.id, row.keptID)
	}
	hasLines, err := d.ordersWithLines(ctx, tx, ids)
	if err != nil {
		return err
	}
	var givers, others []int64
	kept := make(map[int64]int64, len(batch))
	for _, row := range batch {
		kept[row.id] = row.keptID
		switch {
		case !hasLines[row.id]:
		case hasLines[row.keptID]:
			others = append(others, row.id)
		default:
			givers = append(givers, row.id)
			hasLines[row.keptID] = true
		}
	}
	archived, err := d.archive(ctx, tx, "order_lines", "order_id", others, kept, ReasonDuplicate)
	if err != nil {
		return err
	}
	moved, err := d.moveChildren(ctx, tx, "order_lines", givers, kept)
	if err != nil {
		return err
	}
	total.LinesArchived += archived
	total.LinesMoved += moved
	return nil
}

func (d *deduper) ordersWithLines(ctx context.Context, tx executor, ids []int64) (map[int64]bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT order_id FROM order_lines WHERE order_id IN ("+idList(ids)+")")
	if err != nil {
		return nil, fmt.Errorf("reading order_lines: %w", err)
	}
	defer rows.Close()
	found := map[int64]bool{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading order_lines: %w", err)
		}
		found[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading order_lines: %w", err)
	}
	return found, nil
}

// removeLoose removes rows that name no order of the ERP, and their children with them.
func (d *deduper) removeLoose(ctx context.Context, tx executor, batch []LooseRow, total *DuplicateReport) error {
	planned := make([]int64, len(batch))
	for i, row := range batch {
		planned[i] = row.RowID
	}
	ids, err := d.stillLoose(ctx, tx, planned)
	if err != nil || len(ids) == 0 {
		return err
	}
	if d.hasLines {
		n, err := d.archive(ctx, tx, "order_lines", "order_id", ids, nil, ReasonNoERPOrderID)
		if err != nil {
			return err
		}
		total.LinesArchived += n
	}
	if d.hasHistory {
		n, err := d.archive(ctx, tx, "order_history", "order_id", ids, nil, ReasonNoERPOrderID)
		if err != nil {
			return err
		}
		total.HistoryArchived += n
	}
	_, err = d.archive(ctx, tx, "orders", "id", ids, nil, ReasonNoERPOrderID)
	return err
}

func (d *deduper) stillLoose(ctx context.Context, tx executor, ids []int64) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM orders WHERE id IN ("+idList(ids)+
		") AND (erp_order_id IS NULL OR erp_order_id <= 0) ORDER BY id"+d.forUpdate())
	if err != nil {
		return nil, fmt.Errorf("locking orders: %w", err)
	}
	defer rows.Close()
	var still []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("locking orders: %w", err)
		}
		still = append(still, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("locking orders: %w", err)
	}
	return still, nil
}

// moveChildren hands the children of orders to the orders that are kept for them.
func (d *deduper) moveChildren(
	ctx context.Context, tx executor, table string, orderIDs []int64, kept map[int64]int64,
) (int64, error) {
	if len(orderIDs) == 0 {
		return 0, nil
	}
	result, err := tx.ExecContext(ctx, "UPDATE "+table+" SET order_id = "+caseOf("order_id", orderIDs, kept)+
		" WHERE order_id IN ("+idList(orderIDs)+")")
	if err != nil {
		return 0, fmt.Errorf("moving rows of %s: %w", table, err)
	}
	return result.RowsAffected()
}

// archive copies the rows of a table whose key is one of ids to dedupe_archive, and deletes them.
func (d *deduper) archive(
	ctx context.Context, tx executor, table, key string, ids []int64, kept map[int64]int64, reason string,
) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	keptRow, erpOrderID := "NULL", "NULL"
	if table == "orders" {
		erpOrderID = "r.erp_order_id"
		if kept != nil {
			keptRow = caseOf("r.id", ids, kept)
		}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO dedupe_archive
			(tenant_id, run_id, table_name, row_id, kept_row_id, reason, erp_order_id, row_json, archived_at)
		SELECT r.tenant_id, ?, ?, r.id, `+keptRow+`, ?, `+erpOrderID+`, `+d.rowJSON[table]+`, ?
		FROM `+table+` r
		WHERE r.`+key+` IN (`+idList(ids)+`)
		ORDER BY r.id`, d.runID, table, reason, d.now)
	if err != nil {
		return 0, fmt.Errorf("archiving rows of %s: %w", table, err)
	}
	result, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE "+key+" IN ("+idList(ids)+")")
	if err != nil {
		return 0, fmt.Errorf("deleting from %s: %w", table, err)
	}
	return result.RowsAffected()
}

// forUpdate is empty on SQLite, where a transaction holds the only write lock from its beginning.
func (d *deduper) forUpdate() string {
	if d.dialect == MySQL {
		return " FOR UPDATE"
	}
	return ""
}

// jsonOfRow is an expression that makes JSON of all columns of a row called r, so that a column which only an earlier
// system knew is kept too. Decimals become text, which no reader rounds, and bytes become hexadecimal text, which JSON
// could not hold otherwise.
func jsonOfRow(dialect Dialect, columns []column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		quoted := "r.`" + strings.ReplaceAll(c.Name, "`", "``") + "`"
		value := quoted
		switch {
		case dialect == SQLite:
			value = "CASE typeof(" + quoted + ") WHEN 'blob' THEN hex(" + quoted + ") ELSE " + quoted + " END"
		case c.Kind == "decimal":
			value = "CAST(" + quoted + " AS CHAR)"
		case strings.HasSuffix(c.Kind, "binary"), strings.HasSuffix(c.Kind, "blob"), c.Kind == "bit":
			value = "HEX(" + quoted + ")"
		}
		parts[i] = "'" + strings.ReplaceAll(c.Name, "'", "''") + "', " + value
	}
	return "JSON_OBJECT(" + strings.Join(parts, ", ") + ")"
}

// caseOf maps each of ids to its value.
func caseOf(expression string, ids []int64, values map[int64]int64) string {
	var b strings.Builder
	b.WriteString("CASE " + expression)
	for _, id := range ids {
		b.WriteString(" WHEN " + strconv.FormatInt(id, 10) + " THEN " + strconv.FormatInt(values[id], 10))
	}
	b.WriteString(" END")
	return b.String()
}

func idList(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ", ")
}

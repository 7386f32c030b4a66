package foreign

import (
	"context"
	"database/sql"
	"fmt"
)

// Report is what Apply would do to a table, before it does.
type Report struct {
	Table    string `json:"table"`
	IDColumn string `json:"id_column"`
	Keep     string `json:"keep"`

	Rows        int64 `json:"rows"`
	SharedIDs   int64 `json:"shared_ids"`   // ERP ids that more than one row has
	SurplusRows int64 `json:"surplus_rows"` // rows beyond the one of each that is kept
	BlankRows   int64 `json:"blank_rows"`   // rows that name no order: NULL, 0 or empty; they are left alone

	Children []Child  `json:"children"`
	Triggers []string `json:"triggers"` // TABLE: TRIGGER, which may fire when rows are moved, deleted or put back
	Unique   string   `json:"unique,omitempty"`
	Sample   []Shared `json:"sample"` // the first SampleLimit shared ids

	Unfinished *Run `json:"unfinished,omitempty"` // a run that is under way
}

// Child is a column of a table that points to the table.
type Child struct {
	Name    string `json:"name"`    // TABLE.COLUMN
	ToMove  int64  `json:"to_move"` // rows that point to a surplus row
	Bound   bool   `json:"foreign_key"`
	MayStay bool   `json:"may_collide"` // a unique key may leave some no place beside others; those are archived
}

// Shared is an ERP id that several rows have.
type Shared struct {
	ERPID string   `json:"erp_id"`
	Rows  []Member `json:"rows"` // the one that is kept first
}

// Member is one of the rows that share an id, with what decides which of them is kept.
type Member struct {
	Key         string  `json:"key"`
	Rule        *string `json:"rule,omitempty"` // the value of the deciding column
	HasChildren bool    `json:"has_children"`
}

// SampleLimit bounds how many ids a report shows; its counts are complete.
const SampleLimit = 10

// memberLimit bounds how many rows of one id are shown.
const memberLimit = 20

// Find reports what Apply would do, and changes nothing. *OptionError if the table cannot be cleaned up.
func (d *Database) Find(ctx context.Context, o Options) (Report, error) {
	o, err := o.completed()
	if err != nil {
		return Report{}, err
	}
	l, err := d.look(ctx, d.db, o)
	if err != nil {
		return Report{}, err
	}
	report := Report{Table: l.root().Name, IDColumn: l.ID, Keep: o.Keep, Unique: l.uniqueIndex(),
		Children: []Child{}, Triggers: append([]string{}, l.triggers()...), Sample: []Shared{}}
	standing, err := d.findRuns(ctx, d.db, "active = ?", report.Table)
	if err != nil {
		return report, err
	}
	if len(standing) > 0 {
		report.Unfinished = &standing[0]
	}
	return report, d.fill(ctx, l, o, &report)
}

func (d *Database) fill(ctx context.Context, l layout, o Options, report *Report) error {
	var err error
	if report.Rows, report.BlankRows, err = d.countRows(ctx, l); err != nil {
		return err
	}
	shared := fmt.Sprintf("SELECT t.%[1]s AS erp_id, COUNT(*) AS n FROM %[2]s t WHERE %[3]s GROUP BY t.%[1]s HAVING COUNT(*) > 1", quote(l.ID), l.root().sql(), l.named("t."))
	err = d.one(ctx, d.db, "SELECT COUNT(*), COALESCE(SUM(g.n - 1), 0) FROM ("+shared+") g", nil, &report.SharedIDs, &report.SurplusRows)
	if err != nil {
		return fmt.Errorf("foreign: counting the rows of %s that share an id: %w", l.root(), err)
	}
	for _, s := range l.Steps {
		child := Child{Name: l.name(s), Bound: s.Bound, MayStay: s.Collides}
		err := d.one(ctx, d.db, fmt.Sprintf("SELECT COUNT(*) FROM (%s) x JOIN %s k ON k.%s = x.row_key", l.surplus(o, "1 = 1"), l.Tables[s.Table].sql(), quote(s.Column)),
			nil, &child.ToMove)
		if err != nil {
			return fmt.Errorf("foreign: counting children in %s: %w", child.Name, err)
		}
		report.Children = append(report.Children, child)
	}
	return d.sample(ctx, l, o, shared, report)
}

// countRows counts the rows of the table, and those of them that name no order.
func (d *Database) countRows(ctx context.Context, l layout) (all, blank int64, err error) {
	err = d.one(ctx, d.db, fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(CASE WHEN %s THEN 0 ELSE 1 END), 0) FROM %s t", l.named("t."), l.root().sql()),
		nil, &all, &blank)
	if err != nil {
		return 0, 0, fmt.Errorf("foreign: counting the rows of %s: %w", l.root(), err)
	}
	return all, blank, nil
}

// sample shows the first shared ids, with what decides among their rows.
func (d *Database) sample(ctx context.Context, l layout, o Options, shared string, report *Report) error {
	rule := "NULL"
	if wanted, _, _ := o.keepColumn(); wanted != "" {
		rule = "t." + quote(wanted)
	} else if _, dated := l.root().column(ageColumn); dated {
		rule = "t." + quote(ageColumn)
	}
	key, id := l.keyColumn(), l.idColumn()
	// The id is the group's, since texts that the database takes for equal may be written differently.
	query := fmt.Sprintf(`SELECT %s, %s, c.rule, c.has_children FROM (
		SELECT t.%s AS row_key, d.erp_id, %s AS rule, (%s) AS has_children
		FROM (%s ORDER BY t.%s LIMIT %d) d JOIN %s t ON t.%s = d.erp_id) c ORDER BY c.erp_id, %s`,
		key.text("c.row_key"), id.text("c.erp_id"), quote(l.Key), rule, l.hasChildren("t"),
		shared, quote(l.ID), SampleLimit, l.root().sql(), quote(l.ID), l.order(o))
	err := d.each(ctx, d.db, query, nil, func(rows *sql.Rows) error {
		var m Member
		var erpID string
		var value sql.NullString
		if err := rows.Scan(&m.Key, &erpID, &value, &m.HasChildren); err != nil {
			return err
		}
		if value.Valid {
			m.Rule = &value.String
		}
		last := len(report.Sample) - 1
		if last < 0 || report.Sample[last].ERPID != erpID {
			report.Sample = append(report.Sample, Shared{ERPID: erpID})
			last++
		}
		if len(report.Sample[last].Rows) < memberLimit {
			report.Sample[last].Rows = append(report.Sample[last].Rows, m)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("foreign: reading rows of %s that share an id: %w", l.root(), err)
	}
	return nil
}

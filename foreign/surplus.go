package foreign

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// named is a condition that a row, by its alias, names an order of the ERP. NULL, 0 (and what is below it) and an empty
// text are how systems write that it names none: rows that share one of those are no duplicates.
func (l layout) named(alias string) string {
	id := alias + quote(l.ID)
	switch c := l.idColumn(); {
	case c.isInteger():
		return "(" + id + " > 0)"
	case c.Kind == "uuid":
		return "(" + id + " IS NOT NULL AND " + id + " <> '00000000-0000-0000-0000-000000000000')"
	default:
		return "(" + id + " <> '' AND " + id + " <> '0')"
	}
}

// order is which of the rows that share an id stands first, and is kept: columns of the derived table c. Rows without the
// value that decides stand last: nothing says that they are old. The key decides between equals.
func (l layout) order(o Options) string {
	key := "c.row_key"
	wanted, direction, _ := o.keepColumn()
	if wanted != "" {
		return "c.rule IS NULL, c.rule " + direction + ", " + key
	}
	terms := ""
	if o.Keep == KeepChildren {
		terms = "c.has_children DESC, "
	}
	if _, dated := l.root().column(ageColumn); dated {
		terms += "c.rule IS NULL, c.rule, "
	}
	return terms + key
}

// candidates selects from the rows of alias t what order needs.
func (l layout) candidates(o Options) string {
	columns := "t." + quote(l.Key) + " AS row_key, t." + quote(l.ID) + " AS erp_id"
	wanted, _, _ := o.keepColumn()
	if _, dated := l.root().column(ageColumn); wanted == "" && dated {
		wanted = ageColumn
	}
	if wanted != "" {
		columns += ", t." + quote(wanted) + " AS rule"
	}
	if o.Keep == KeepChildren {
		columns += ", (" + l.hasChildren("t") + ") AS has_children"
	}
	return columns
}

func (l layout) hasChildren(alias string) string {
	if len(l.Steps) == 0 {
		return "0"
	}
	any := make([]string, len(l.Steps))
	for i, s := range l.Steps {
		any[i] = fmt.Sprintf("EXISTS (SELECT 1 FROM %s k WHERE k.%s = %s.%s)",
			l.Tables[s.Table].sql(), quote(s.Column), alias, quote(l.Key))
	}
	return strings.Join(any, " OR ")
}

// surplus is a query for the rows that must go: row_key, kept_key. Its rows are those whose ERP id meets a condition on
// t. With an index on that column it reads, besides the index, only rows that share an id.
func (l layout) surplus(o Options, condition string) string {
	from := fmt.Sprintf("%s t WHERE %s AND %s", l.root().sql(), l.named("t."), condition)
	if l.hasIDIndex() {
		from = fmt.Sprintf("(SELECT t.%[1]s AS shared FROM %[2]s t WHERE %[3]s AND %[4]s GROUP BY t.%[1]s HAVING COUNT(*) > 1) d"+
			" STRAIGHT_JOIN %[2]s t ON t.%[1]s = d.shared WHERE %[3]s", quote(l.ID), l.root().sql(), l.named("t."), condition)
	}
	return fmt.Sprintf("SELECT r.row_key, r.kept_key FROM (%s) r WHERE r.place > 1", l.ranked(o, l.candidates(o), from, "c.row_key"))
}

// ranked is a query for columns of the candidates, with the key of the row of the same ERP id that is kept, and the row's
// place behind it, from 1.
func (l layout) ranked(o Options, candidates, from, columns string) string {
	return fmt.Sprintf(`SELECT %s, FIRST_VALUE(c.row_key) OVER w AS kept_key, ROW_NUMBER() OVER w AS place
		FROM (SELECT %s FROM %s) c
		WINDOW w AS (PARTITION BY c.erp_id ORDER BY %s)`, columns, candidates, from, l.order(o))
}

// A key's value travels through this process only as the end of a range, as text; value is what a statement compares a
// column with so that its index serves.
func (c column) value(text string) (any, error) {
	switch {
	case c.isInteger() && strings.Contains(c.Type, "unsigned"):
		n, err := strconv.ParseUint(text, 10, 64)
		return n, err
	case c.isInteger():
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err
	case c.isBinary():
		return hex.DecodeString(text)
	default:
		return text, nil
	}
}

// text selects a value as value expects it.
func (c column) text(expression string) string {
	if c.isBinary() {
		return "HEX(" + expression + ")"
	}
	return expression
}

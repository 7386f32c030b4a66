package foreign

import (
	"fmt"
	"regexp"
	"strings"
)

// Options say which table is to be cleaned up, and how.
type Options struct {
	Table    string   `json:"table"`
	IDColumn string   `json:"id_column"`          // of the ERP order id; odoo_order_id by default
	Keep     string   `json:"keep"`               // oldest (the default), children, or COLUMN, COLUMN:asc, COLUMN:desc
	Children []string `json:"children,omitempty"` // TABLE.COLUMN, for tables that no foreign key ties to this one
	Batch    int      `json:"batch"`              // surplus rows in one transaction; 2000 by default
}

const (
	defaultIDColumn = "odoo_order_id"
	defaultBatch    = 2000
	maxBatch        = 100_000
)

// Rules for which row of those that share an id is kept.
const (
	KeepOldest   = "oldest"
	KeepChildren = "children" // the oldest of those that have children
)

// OptionError is an option that is not as it must be.
type OptionError struct {
	Option string // as in Options, by its JSON name
	Reason string
}

func (e *OptionError) Error() string { return "foreign: " + e.Option + ": " + e.Reason }

func optionErrorf(option, format string, args ...any) error {
	return &OptionError{Option: option, Reason: fmt.Sprintf(format, args...)}
}

// name is what tables and columns may be called. It keeps out what databases allow but no order table has; all names
// are quoted nevertheless.
var name = regexp.MustCompile(`^[\p{L}\p{N}_$-]{1,64}$`)

// prefix marks every table and index that this package creates in the other system's database.
const prefix = "ordergate_dedupe_"

// completed returns the options with defaults filled in. An *OptionError names what is wrong.
func (o Options) completed() (Options, error) {
	if o.IDColumn == "" {
		o.IDColumn = defaultIDColumn
	}
	if o.Keep == "" {
		o.Keep = KeepOldest
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	switch {
	case !name.MatchString(o.Table):
		return o, optionErrorf("table", "%q is not the name of a table", o.Table)
	case strings.HasPrefix(o.Table, prefix):
		return o, optionErrorf("table", "%s belongs to the clean-up itself", o.Table)
	case !name.MatchString(o.IDColumn):
		return o, optionErrorf("id_column", "%q is not the name of a column", o.IDColumn)
	case o.Batch < 1 || o.Batch > maxBatch:
		return o, optionErrorf("batch", "%d is not from 1 to %d", o.Batch, maxBatch)
	}
	if column, _, err := o.keepColumn(); err != nil {
		return o, err
	} else if column != "" && !name.MatchString(column) {
		return o, optionErrorf("keep", "%q is neither oldest, nor children, nor a column with or without :asc or :desc", o.Keep)
	}
	for _, child := range o.Children {
		table, column, found := strings.Cut(child, ".")
		if !found || !name.MatchString(table) || !name.MatchString(column) {
			return o, optionErrorf("children", "%q is not TABLE.COLUMN", child)
		}
	}
	return o, nil
}

// keepColumn returns the column that decides which row is kept, and its direction; no column for the named rules.
func (o Options) keepColumn() (column, direction string, err error) {
	if o.Keep == KeepOldest || o.Keep == KeepChildren {
		return "", "", nil
	}
	column, direction, found := strings.Cut(o.Keep, ":")
	switch {
	case !found, direction == "asc":
		return column, "ASC", nil
	case direction == "desc":
		return column, "DESC", nil
	}
	return "", "", optionErrorf("keep", "the direction %q is neither asc nor desc", direction)
}

func (o Options) equal(other Options) bool {
	return o.Table == other.Table && o.IDColumn == other.IDColumn && o.Keep == other.Keep &&
		strings.Join(o.Children, ",") == strings.Join(other.Children, ",")
}

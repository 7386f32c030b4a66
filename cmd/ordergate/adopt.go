package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ordergate/foreign"
	"ordergate/order"
	ordersync "ordergate/sync"
)

type adoptCommand struct {
	databaseFlags
	foreignFlags
	tenantFlags
	Tenant   string   `help:"The tenant, where there are several."`
	Table    string   `required:"" placeholder:"NAME" help:"The other system's table of orders. It is only read."`
	Map      []string `placeholder:"FIELD=COLUMN" help:"Where the table has what: id (the ERP order id; odoo_order_id if left out), source, key (the idempotency key), reference."`
	Source   string   `placeholder:"NAME" help:"The system that placed the orders, where no column says it: the --source of its API key here."`
	Keep     string   `placeholder:"RULE" help:"Which of the rows that share an id stands for the order: oldest (the default), children, or COLUMN, COLUMN:asc, COLUMN:desc."`
	Children []string `placeholder:"TABLE.COLUMN" help:"For --keep children: what points to its rows beside the foreign keys, which are found."`
	Apply    bool     `help:"Change the mirror. Without it, only report what would be changed."`
	JSON     bool     `help:"Print the report as JSON."`
}

// adoptReport is what the command found, and with Applied what it changed.
type adoptReport struct {
	Table     string `json:"table"`
	Rows      int64  `json:"rows"`
	BlankRows int64  `json:"blank_rows"` // rows that name no order
	ordersync.Adoption
}

// Run reports, and with --apply records, which system placed the orders of another system's table, and under which keys.
func (c adoptCommand) Run(ctx context.Context, term terminal) error {
	columns, err := foreign.ParseColumns(c.Map)
	if err != nil {
		return err
	}
	if err := c.checkSource(columns); err != nil {
		return err
	}
	tenants, err := c.tenants()
	if err != nil {
		return err
	}
	t, err := only(tenants, c.Tenant)
	if err != nil {
		return err
	}
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	other, err := c.foreignFlags.open(ctx, c.databaseFlags)
	if err != nil {
		return err
	}
	defer other.Close()
	table, err := other.Table(ctx, foreign.Options{Table: c.Table, Keep: c.Keep, Children: c.Children}, columns)
	if err != nil {
		return err
	}
	report := adoptReport{Table: table.Name, Rows: table.Rows, BlankRows: table.Blank}
	err = eachTenant(ctx, db, c.tenantFlags, t.Name, term, func(s service) (err error) {
		report.Adoption, err = s.Adopt(ctx, rowsOf(ctx, table), ordersync.AdoptOptions{Source: c.Source, Apply: c.Apply, Rows: table.Rows - table.Blank})
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(term.out, report)
	}
	report.print(term.out)
	return nil
}

func (c adoptCommand) checkSource(columns foreign.Columns) error {
	switch {
	case c.Source == "" && columns.Source == "":
		return errors.New("which system placed the orders? Give --source NAME, or --map source=COLUMN where a column says it")
	case c.Source != "" && columns.Source != "":
		return errors.New("give either --source or --map source=COLUMN, not both")
	case c.Source != "":
		if err := order.CheckSource(c.Source); err != nil {
			return fmt.Errorf("--source: %w", err)
		}
	}
	return nil
}

// rowsOf reads a table for an adoption.
func rowsOf(ctx context.Context, table *foreign.Table) func(func([]ordersync.ForeignRow) error) error {
	return func(visit func([]ordersync.ForeignRow) error) error {
		return table.Each(ctx, func(rows []foreign.Row) error {
			page := make([]ordersync.ForeignRow, len(rows))
			for i, r := range rows {
				page[i] = ordersync.ForeignRow(r)
			}
			return visit(page)
		})
	}
}

func (r adoptReport) print(w io.Writer) {
	would, are := "to be ", "are to be"
	if r.Applied {
		would, are = "", "were"
	}
	fmt.Fprintf(w, "%s: %d rows, of which %d name no order and %d are duplicates of another row; %d orders\n", r.Table, r.Rows, r.BlankRows, r.SurplusRows, r.Orders)
	fmt.Fprintf(w, "orders %sadopted: %d, of which %d %s read from Odoo because the mirror lacked them\n", would, r.Adopted, r.Pulled, are)
	fmt.Fprintf(w, "orders there already: %d\n", r.Present)
	fmt.Fprintf(w, "idempotency keys %sadded: %d\n", would, r.Keys)
	for _, n := range []struct {
		what string
		ordersync.Noted
	}{
		{"orders that are not in Odoo, left out", r.Absent},
		{"orders of Odoo that the mirror cannot hold, left out", r.Unmirrored},
		{"keys that stand for another order already, left as they are", r.KeysTaken},
		{"rows with a source or key that cannot be used", r.Unusable},
		{"orders with another reference in Odoo, which counts", r.References},
	} {
		if n.Count == 0 {
			continue
		}
		fmt.Fprintf(w, "%s: %d\n", n.what, n.Count)
		for _, row := range n.Sample {
			detail := ""
			if row.Detail != "" {
				detail = ": " + plain(row.Detail)
			}
			fmt.Fprintf(w, "    row %s, id %s%s\n", plain(row.Row), plain(row.ERPID), detail)
		}
		if more := n.Count - int64(len(n.Sample)); more > 0 {
			fmt.Fprintf(w, "    and %d more\n", more)
		}
	}
	if !r.Applied {
		fmt.Fprintln(w, "\nNothing was changed; with --apply it is done.")
	}
}

package main

import (
	"errors"
	"io"
	"strings"
	"text/tabwriter"
)

// exitFindings is the exit code of a command that leaves differences behind, and of histories that are not as they were written.
const exitFindings = 3

// errDifferences ends a command that found something to differ from what it should be, and has said so.
var errDifferences = errors.New("differences are left")

// report is what a command found at one tenant.
type report interface {
	print(w io.Writer) error
	differs() bool // something is left that is not as it should be
}

// printReports prints what was found before err, as JSON or each in turn, and returns how the command ends: with err, or else with
// errDifferences if a report says so.
func printReports[R report](w io.Writer, asJSON bool, reports []R, err error) error {
	if printErr := printEach(w, asJSON, reports); err == nil {
		err = printErr
	}
	for _, r := range reports {
		if err == nil && r.differs() {
			err = errDifferences
		}
	}
	return err
}

func printEach[R report](w io.Writer, asJSON bool, reports []R) error {
	if asJSON {
		return printJSON(w, reports)
	}
	for _, r := range reports {
		if err := r.print(w); err != nil {
			return err
		}
	}
	return nil
}

// printTable prints rows of plain text under their headings, and nothing without rows.
func printTable(w io.Writer, headings []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{headings}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain(cell)
		}
		if _, err := io.WriteString(table, strings.Join(cells, "\t")+"\n"); err != nil {
			return err
		}
	}
	return table.Flush()
}

// whatDiffers is the cell of a finding, with why it was not repaired if that was tried.
func whatDiffers(detail, failure string) string {
	if failure == "" {
		return detail
	}
	return detail + " (not repaired: " + failure + ")"
}

package foreign

// Hooks lets a test fail or watch statements; see Database.
func (d *Database) Hooks(before, after func(query string) error) { d.before, d.after = before, after }

// Page lets a test read a small table in several pages.
func (t *Table) Page(rows int) { t.page = rows }

// DB is the pool, for what a test does beside a run.
var DB = func(d *Database) executor { return d.db }

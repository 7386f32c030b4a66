package faults

import (
	"fmt"
	"strings"

	"ordergate/failpoint"
	"ordergate/test/env"
)

// The kinds of Odoo and of database that a run can use.
const (
	Sandbox   = "sandbox"   // the stand-in, as Odoo 19
	Sandbox14 = "sandbox14" // the stand-in, as Odoo 14
	Odoo19    = "19"
	Odoo14    = "14"

	SQLite  = "sqlite"
	MariaDB = "mariadb"
	MySQL   = "mysql"
)

// Options say what to run.
type Options struct {
	Seed     uint64
	Scenario string // the name of one of Scenarios; empty: the seed chooses
	Odoo     string // Sandbox unless said otherwise
	Database string // SQLite unless said otherwise
	Out      []failpoint.Guard

	Binary  string // a gateway that was built with the tag failpoints; see Build
	Servers Servers
}

// Servers are the real ones that runs may use; a zero value says that there is none.
type Servers struct {
	Odoo     map[string]env.OdooServer // by Odoo14 and Odoo19
	Database map[string]string         // by MariaDB and MySQL: "mysql://root@127.0.0.1:3306/"
}

func (o *Options) setDefaults() {
	if o.Odoo == "" {
		o.Odoo = Sandbox
	}
	if o.Database == "" {
		o.Database = SQLite
	}
}

// arguments are those of the command that repeats a run.
func (o Options) arguments(scenario string) string {
	args := fmt.Sprintf("-first %d -seeds 1 -scenario %s -odoo %s -database %s", o.Seed, scenario, o.Odoo, o.Database)
	if len(o.Out) > 0 {
		names := make([]string, len(o.Out))
		for i, g := range o.Out {
			names[i] = string(g)
		}
		args += " -out " + strings.Join(names, ",")
	}
	return args
}

// real reports whether the run uses a real Odoo, which is slower and keeps what earlier runs left.
func (o Options) real() bool { return o.Odoo == Odoo14 || o.Odoo == Odoo19 }

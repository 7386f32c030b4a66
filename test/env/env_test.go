package env_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"ordergate/test/env"
)

// verdict records how a test that ran with it ended, instead of ending the test around it.
type verdict struct {
	testing.TB
	outcome string // "skipped", "failed" or, if neither, empty
	message string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) { v.end("skipped", format, args) }

func (v *verdict) Fatalf(format string, args ...any) { v.end("failed", format, args) }

func (v *verdict) end(outcome, format string, args []any) {
	v.outcome, v.message = outcome, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// judge runs body as the only part of a test and returns how that test ended.
func judge(t *testing.T, body func(t testing.TB)) *verdict {
	t.Helper()
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		body(v)
	}()
	<-done
	return v
}

// servers are the functions under test, each with its variable and a value that is right for it.
var servers = map[string]struct {
	variable, value string
	use             func(t testing.TB)
}{
	"mysql":   {"ORDERGATE_TEST_MYSQL", "mysql://root@db:3307/", func(t testing.TB) { env.MySQL(t) }},
	"mariadb": {"ORDERGATE_TEST_MARIADB", "mysql://root@db:3306/", func(t testing.TB) { env.MariaDB(t) }},
	"odoo14":  {"ORDERGATE_TEST_ODOO14", "http://u:p@erp:8083/shop14", func(t testing.TB) { env.Odoo(t, 14) }},
	"odoo19":  {"ORDERGATE_TEST_ODOO19", "http://u:p@erp:8088/shop19", func(t testing.TB) { env.Odoo(t, 19) }},
	"sales14": {"ORDERGATE_TEST_ODOO14_SALES", "http://u:p@erp:8083/sales14", func(t testing.TB) { env.OdooSales(t, 14) }},
	"sales19": {"ORDERGATE_TEST_ODOO19_SALES", "http://u:p@erp:8088/sales19", func(t testing.TB) { env.OdooSales(t, 19) }},
}

func TestUnsetSkipsByName(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_REQUIRE", "")
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Setenv(server.variable, "")
			v := judge(t, server.use)
			require.Equal(t, "skipped", v.outcome)
			require.Contains(t, v.message, server.variable)
		})
	}
}

func TestUnsetFailsWhenAllAreRequired(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_REQUIRE", "all")
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Setenv(server.variable, "")
			v := judge(t, server.use)
			require.Equal(t, "failed", v.outcome)
			require.Contains(t, v.message, server.variable)
		})
	}
}

func TestSetIsUsed(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_REQUIRE", "all")
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Setenv(server.variable, server.value)
			v := judge(t, server.use)
			require.Empty(t, v.outcome, v.message)
		})
	}
}

func TestUnknownRequirementFails(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_REQUIRE", "yes")
	t.Setenv("ORDERGATE_TEST_MYSQL", "mysql://root@db:3307/")
	v := judge(t, func(t testing.TB) { env.MySQL(t) })
	require.Equal(t, "failed", v.outcome)
	require.Contains(t, v.message, "ORDERGATE_TEST_REQUIRE")
}

func TestUnusableValueFailsWithoutShowingIt(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_REQUIRE", "")
	tests := map[string]struct{ variable, value, complaint string }{
		"database: not a URL":     {"ORDERGATE_TEST_MYSQL", "mysql://root:s3cret@db:port/", "is not a URL"},
		"database: scheme":        {"ORDERGATE_TEST_MYSQL", "postgres://root:s3cret@db:1/", "scheme"},
		"database: driver's DSN":  {"ORDERGATE_TEST_MYSQL", "root:s3cret@tcp(db:3306)/", "scheme"},
		"database: no host":       {"ORDERGATE_TEST_MYSQL", "mysql://root:s3cret@:3306/", "host"},
		"database: no user":       {"ORDERGATE_TEST_MARIADB", "mysql://db:3306/", "user"},
		"database: no port":       {"ORDERGATE_TEST_MARIADB", "mysql://root:s3cret@db/", "port"},
		"database: not a server":  {"ORDERGATE_TEST_MARIADB", "mysql://root:s3cret@db:1/shop", "shop"},
		"database: with settings": {"ORDERGATE_TEST_MARIADB", "mysql://root:s3cret@db:1/?tls=1", "query"},
		"odoo: scheme":            {"ORDERGATE_TEST_ODOO14", "mysql://u:s3cret@erp:8083/shop", "scheme"},
		"odoo: no password":       {"ORDERGATE_TEST_ODOO14", "http://u@erp:8083/shop", "password"},
		"odoo: no database":       {"ORDERGATE_TEST_ODOO19", "http://u:s3cret@erp:8083/", "database"},
		"odoo: deeper path":       {"ORDERGATE_TEST_ODOO19", "http://u:s3cret@erp:8083/odoo/shop", "database"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			v := judge(t, func(t testing.TB) {
				for _, server := range servers {
					if server.variable == test.variable {
						server.use(t)
					}
				}
			})
			require.Equal(t, "failed", v.outcome)
			require.Contains(t, v.message, test.variable)
			require.Contains(t, v.message, test.complaint)
			require.NotContains(t, v.message, "s3cret")
		})
	}
}

func TestOdooIsSplitIntoItsParts(t *testing.T) {
	t.Setenv("ORDERGATE_TEST_ODOO14", "http://gateway:p%40ss@erp.example:8083/shop14")
	require.Equal(t, env.OdooServer{
		Major: 14, URL: "http://erp.example:8083", Database: "shop14",
		User: "gateway", Password: "p@ss", AdminUser: "admin", AdminPassword: "admin",
	}, env.Odoo(t, 14))
}

func TestDatabaseIsFreshAndDropped(t *testing.T) {
	for name, server := range map[string]func(testing.TB) string{"mysql": env.MySQL, "mariadb": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			serverURL := server(t)
			var names []string
			t.Run("in use", func(t *testing.T) {
				for range 2 {
					u, err := url.Parse(env.Database(t, serverURL))
					require.NoError(t, err)
					names = append(names, strings.TrimPrefix(u.Path, "/"))
				}
				require.NotEqual(t, names[0], names[1])
				require.Equal(t, names, existing(t, serverURL, names))
			})
			require.Empty(t, existing(t, serverURL, names))
		})
	}
}

// existing returns those of the two databases that the server has, in the order of names.
func existing(t *testing.T, serverURL string, names []string) []string {
	t.Helper()
	u, err := url.Parse(serverURL)
	require.NoError(t, err)
	db, err := sql.Open("mysql", u.User.String()+"@tcp("+u.Host+")/")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(),
		"SELECT schema_name FROM information_schema.schemata WHERE schema_name IN (?, ?) ORDER BY schema_name = ? DESC",
		names[0], names[1], names[0])
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var found []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		found = append(found, name)
	}
	require.NoError(t, rows.Err())
	return found
}

func TestDatabaseThatCannotBeMadeFails(t *testing.T) {
	for name, test := range map[string]struct{ serverURL, complaint string }{
		"nobody listens": {"mysql://root:s3cret@127.0.0.1:1/", "127.0.0.1:1"},
		"not a server":   {"mysql://root:s3cret@127.0.0.1:1/shop", "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(t, func(t testing.TB) { env.Database(t, test.serverURL) })
			require.Equal(t, "failed", v.outcome)
			require.Contains(t, v.message, test.complaint)
			require.NotContains(t, v.message, "s3cret")
		})
	}
}

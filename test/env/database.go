package env

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// databasePrefix marks the databases that tests made, so that what a killed run left behind is easy to find.
const databasePrefix = "og_test_"

// databaseTimeout bounds the creation and the removal of a database. Both wait for locks that a test may have left.
const databaseTimeout = 30 * time.Second

// MySQL returns the URL of a MySQL server, such as "mysql://root@127.0.0.1:3307/", or skips the test if
// ORDERGATE_TEST_MYSQL is not set. Its user may create and drop databases.
func MySQL(t testing.TB) string {
	t.Helper()
	return databaseServer(t, "ORDERGATE_TEST_MYSQL", "mysql://root@127.0.0.1:3307/")
}

// MariaDB is MySQL for a MariaDB server and ORDERGATE_TEST_MARIADB. The URL has the scheme mysql too, for both speak
// the same protocol.
func MariaDB(t testing.TB) string {
	t.Helper()
	return databaseServer(t, "ORDERGATE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/")
}

func databaseServer(t testing.TB, variable, example string) string {
	t.Helper()
	value := setting(t, variable, example)
	if _, err := parseDatabaseServer(value); err != nil {
		t.Fatalf("%s %v", variable, err)
	}
	return value
}

func parseDatabaseServer(value string) (*url.URL, error) {
	u, err := parseServer(value, "mysql")
	switch {
	case err != nil:
		return nil, err
	case u.Port() == "":
		return nil, fmt.Errorf("names no port")
	case strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("has the path %q: it must name the server, not a database", u.Path)
	}
	return u, nil
}

// Database creates an empty database of its own for the test on a server from MySQL or MariaDB, and returns its URL,
// such as "mysql://root@127.0.0.1:3307/og_test_5b1e0c5f9d3a". It has the server's default character set, as a database
// that an operator creates without further thought. It is dropped when the test and all its subtests have ended.
func Database(t testing.TB, serverURL string) string {
	t.Helper()
	server, err := parseDatabaseServer(serverURL)
	if err != nil {
		t.Fatalf("the URL of the database server %v", err)
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	name := databasePrefix + hex.EncodeToString(random)

	if err := execute(server, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("creating a database on %s: %v", server.Host, err)
	}
	t.Cleanup(func() {
		if err := execute(server, "DROP DATABASE "+name); err != nil {
			t.Errorf("dropping the test's database on %s: %v", server.Host, err)
		}
	})
	return server.JoinPath(name).String()
}

// execute runs one statement on a connection of its own: a kept one would outlive the test between creating and
// dropping, and look like a leak to tests that watch for them.
func execute(server *url.URL, statement string) (err error) {
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = net.JoinHostPort(server.Hostname(), server.Port())
	config.User = server.User.Username()
	config.Passwd, _ = server.User.Password()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
}

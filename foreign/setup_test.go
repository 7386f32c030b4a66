package foreign_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"ordergate/foreign"
	"ordergate/test/env"
)

// shop is a database of another system, with whatever makes such tables hard to put back.
type shop struct {
	*foreign.Database
	sql *sql.DB
	dsn string
}

// databases runs a test on both servers.
func databases(t *testing.T, test func(t *testing.T, s shop)) {
	for name, server := range map[string]func(testing.TB) string{"MariaDB": env.MariaDB, "MySQL": env.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openShop(t, env.Database(t, server(t))))
		})
	}
}

func openShop(t *testing.T, dsn string) shop {
	t.Helper()
	d, err := foreign.Open(t.Context(), dsn, foreign.Settings{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return shop{Database: d, sql: plain(t, dsn), dsn: dsn}
}

// plain is a connection like another system's, which cares for none of this package's settings but zero dates.
func plain(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	address, database, _ := strings.Cut(strings.TrimPrefix(dsn, "mysql://root@"), "/")
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.DBName = "tcp", address, "root", database
	config.InterpolateParams, config.MultiStatements = true, true
	config.Params = map[string]string{"sql_mode": "'NO_AUTO_VALUE_ON_ZERO'", "time_zone": "'+02:00'"}
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func (s shop) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := s.sql.ExecContext(t.Context(), query, args...)
	require.NoError(t, err, query)
}

// list joins the rows of a query of one column.
func (s shop) list(t *testing.T, query string) string {
	t.Helper()
	rows, err := s.sql.QueryContext(t.Context(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	var values []string
	for rows.Next() {
		var v sql.NullString
		require.NoError(t, rows.Scan(&v))
		values = append(values, v.String)
	}
	require.NoError(t, rows.Err())
	return strings.Join(values, ",")
}

const tables = "sales_orders, order_lines, order_tags, order_notes, note_files, order_events"

// checksums are of the rows of all tables.
func (s shop) checksums(t *testing.T) string {
	t.Helper()
	var all []string
	rows, err := s.sql.QueryContext(t.Context(), "CHECKSUM TABLE "+tables)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var table, sum string
		require.NoError(t, rows.Scan(&table, &sum))
		all = append(all, table+" "+sum)
	}
	require.NoError(t, rows.Err())
	return strings.Join(all, "\n")
}

// leftovers are tables and indexes of runs.
func (s shop) leftovers(t *testing.T) string {
	t.Helper()
	return s.list(t, `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'ordergate%'
		UNION SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name NOT LIKE 'ordergate%' AND index_name LIKE 'ordergate%' ORDER BY 1`)
}

const createShop = `
CREATE TABLE sales_orders (
	id %[1]s NOT NULL PRIMARY KEY,
	odoo_order_id %[2]s NULL,
	number VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci NULL,
	note TEXT CHARACTER SET utf8mb4 NULL,
	payload VARBINARY(40) NULL,
	picture BLOB NULL,
	flags BIT(5) NULL,
	big BIGINT UNSIGNED NOT NULL DEFAULT 7,
	amount DECIMAL(20,6) NULL,
	doubled DECIMAL(22,6) GENERATED ALWAYS AS (amount * 2) STORED,
	halved DECIMAL(22,6) GENERATED ALWAYS AS (amount / 2) VIRTUAL,
	kind ENUM('a','b') NULL,
	ratio DOUBLE NULL,
	document JSON NULL,
	legacy DATETIME NULL,
	parent_id %[1]s NULL,
	created_at DATETIME(3) NULL,
	updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
	CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES sales_orders (id)
) ENGINE=InnoDB;
CREATE TABLE order_lines (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	order_id %[1]s NOT NULL, sku VARCHAR(20) NOT NULL,
	updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
	CONSTRAINT fk_line FOREIGN KEY (order_id) REFERENCES sales_orders (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE order_tags (
	order_id %[1]s NOT NULL, tag_id INT NOT NULL, PRIMARY KEY (order_id, tag_id),
	CONSTRAINT fk_tag FOREIGN KEY (order_id) REFERENCES sales_orders (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE order_notes (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	order_id %[1]s NULL, slug VARCHAR(20) NULL, UNIQUE KEY one_slug (order_id, slug),
	CONSTRAINT fk_note FOREIGN KEY (order_id) REFERENCES sales_orders (id) ON DELETE SET NULL
) ENGINE=InnoDB;
CREATE TABLE note_files (
	id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note_id INT UNSIGNED NOT NULL, content VARBINARY(20) NOT NULL,
	CONSTRAINT fk_file FOREIGN KEY (note_id) REFERENCES order_notes (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE order_events (
	id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id %[1]s NOT NULL, what VARCHAR(20) NOT NULL, KEY by_order (order_id)
) ENGINE=InnoDB`

// kinds are the types that keys have in other systems.
type kinds struct{ key, id string }

var integers = kinds{"BIGINT UNSIGNED", "BIGINT"}

// keyOf returns the key of the n-th row in SQL.
func (k kinds) keyOf(n int) string {
	switch {
	case strings.HasPrefix(k.key, "BINARY"):
		return fmt.Sprintf("UNHEX('%032x')", uint64(n)*2654435761)
	case strings.HasPrefix(k.key, "CHAR"):
		return fmt.Sprintf("'%08x-0000-4000-8000-00000000000%x'", uint32(n)*2654435761, n%16)
	case k.key == "BIGINT UNSIGNED":
		return fmt.Sprint(uint64(18446744073709551615) - uint64(n)*3)
	default:
		return fmt.Sprint(n)
	}
}

// create makes the tables and fills them with n rows, of which many share an id.
func (s shop) create(t *testing.T, k kinds, n int, random *rand.Rand) {
	t.Helper()
	s.exec(t, fmt.Sprintf(createShop, k.key, k.id))
	for i := range n {
		s.insertOrder(t, k, i, random)
	}
	for range 3 * n {
		key := k.keyOf(random.IntN(n))
		switch random.IntN(5) {
		case 0:
			s.exec(t, "INSERT INTO order_lines (order_id, sku, updated_at) VALUES ("+key+", ?, '2020-02-02 02:02:02.000002')", fmt.Sprint("sku", random.IntN(9)))
		case 1:
			s.exec(t, "INSERT IGNORE INTO order_tags VALUES ("+key+", ?)", random.IntN(3))
		case 2:
			slug := any(fmt.Sprint("slug", random.IntN(3)))
			if random.IntN(4) == 0 {
				slug = nil
			}
			s.exec(t, "INSERT IGNORE INTO order_notes (order_id, slug) VALUES ("+key+", ?)", slug)
		case 3:
			s.exec(t, "INSERT INTO order_events (order_id, what) VALUES ("+key+", 'seen')")
		case 4:
			s.exec(t, "INSERT INTO note_files (note_id, content) SELECT id, ? FROM order_notes ORDER BY RAND(?) LIMIT 1", []byte{0, 255, byte(random.IntN(256))}, random.IntN(1000))
		}
	}
}

func (s shop) insertOrder(t *testing.T, k kinds, i int, random *rand.Rand) {
	t.Helper()
	erp := fmt.Sprint(random.IntN(i/2 + 3))
	switch random.IntN(12) {
	case 0:
		erp = "NULL"
	case 1:
		erp = "0"
	case 2:
		if !strings.Contains(k.id, "INT") {
			erp = "''"
		}
	}
	if erp != "NULL" && erp != "0" && erp != "''" {
		erp = "'" + erp + "'"
		if !strings.Contains(k.id, "INT") && random.IntN(2) == 0 {
			erp = "'so-" + strings.Trim(erp, "'") + "'"
			if random.IntN(2) == 0 {
				erp = strings.ToUpper(erp)
			}
		}
	}
	parent := "NULL"
	if i > 0 && random.IntN(3) == 0 {
		parent = k.keyOf(random.IntN(i))
	}
	created := any(fmt.Sprintf("2026-01-%02d 10:00:00.%03d", random.IntN(28)+1, random.IntN(3)))
	if random.IntN(6) == 0 {
		created = nil
	}
	legacy := any("0000-00-00 00:00:00")
	if random.IntN(2) == 0 {
		legacy = "2026-00-00 00:00:00"
	}
	s.exec(t, fmt.Sprintf(`INSERT INTO sales_orders (id, odoo_order_id, number, note, payload, picture, flags, big, amount, kind, ratio, document, legacy, parent_id, created_at, updated_at)
		VALUES (%s, %s, ?, ?, ?, ?, b'10101', 18446744073709551615, ?, ?, ?, ?, ?, %s, ?, '2020-01-01 00:00:00.123456')`, k.keyOf(i), erp, parent),
		fmt.Sprintf("Größe %d ", i), "it's 😀 \\ \"q\"\x00", []byte{0, 1, 255, byte(i)}, []byte{0xff, 0xfe}, fmt.Sprintf("%d.123456", i), []string{"a", "b"}[i%2],
		1.0/float64(i+3), fmt.Sprintf(`{"a": [%d, null, "ü"]}`, i), legacy, created)
}

// drop removes the tables, for another test in the same database.
func (s shop) drop(t *testing.T) {
	_, err := s.sql.ExecContext(context.WithoutCancel(t.Context()), "SET FOREIGN_KEY_CHECKS = 0; DROP TABLE "+tables+"; SET FOREIGN_KEY_CHECKS = 1")
	require.NoError(t, err)
}

package faults

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"ordergate/test/env"
)

// ServersFromEnvironment returns the servers that the variables ORDERGATE_TEST_* name; package env says what they look
// like. It is for programs: tests ask package env.
func ServersFromEnvironment() (Servers, error) {
	s := Servers{Odoo: map[string]env.OdooServer{}, Database: map[string]string{}}
	for name, variable := range map[string]string{MariaDB: "ORDERGATE_TEST_MARIADB", MySQL: "ORDERGATE_TEST_MYSQL"} {
		if value := os.Getenv(variable); value != "" {
			s.Database[name] = value
		}
	}
	for name, major := range map[string]int{Odoo14: 14, Odoo19: 19} {
		variable := fmt.Sprintf("ORDERGATE_TEST_ODOO%d", major)
		value := os.Getenv(variable)
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil {
			return Servers{}, fmt.Errorf("%s is not a URL", variable) // the parser's error would show the password
		}
		password, _ := u.User.Password()
		s.Odoo[name] = env.OdooServer{
			Major: major, URL: u.Scheme + "://" + u.Host, Database: strings.Trim(u.Path, "/"),
			User: u.User.Username(), Password: password, AdminUser: "admin", AdminPassword: "admin",
		}
	}
	return s, nil
}

// DatabaseFor chooses a database for a seed, so that seeds are spread evenly over those that there are and independently
// of the scenarios that the seeds choose.
func (s Servers) DatabaseFor(seed uint64) string {
	there := append([]string{SQLite}, sortedKeys(s.Database)...)
	mixed := (seed + 1) * 0x9e3779b97f4a7c15
	return there[(mixed>>33)%uint64(len(there))]
}

package env

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"ordergate/test/odoorpc"
)

// OdooServer is a running Odoo with the demo data of its applications: sales and accounting, and, but for OdooSales, stock and delivery.
type OdooServer struct {
	Major    int    // 14 or 19
	URL      string // without path and credentials: "http://127.0.0.1:8083"
	Database string

	// User may do what a gateway needs and no more: sell, create contacts, see stock, invoice.
	User     string
	Password string

	// AdminUser is the administrator, for tests that change what the gateway's user may not.
	AdminUser     string
	AdminPassword string
}

// Odoo returns the Odoo server of a major version, or skips the test if ORDERGATE_TEST_ODOO<major> is not set. The
// server is shared by all tests of a package, and packages take turns: a test finds its own records by names that no other uses.
func Odoo(t testing.TB, major int) OdooServer {
	t.Helper()
	return odooOf(t, major, fmt.Sprintf("ORDERGATE_TEST_ODOO%d", major))
}

// OdooSales is Odoo for a database without stock, or skips the test if ORDERGATE_TEST_ODOO<major>_SALES is not set. There an invoice whose
// reference has HiddenReference is hidden from User, and Seller may read none.
func OdooSales(t testing.TB, major int) OdooServer {
	t.Helper()
	return odooOf(t, major, fmt.Sprintf("ORDERGATE_TEST_ODOO%d_SALES", major))
}

// What the script odoo-up makes of the database without stock.
const (
	HiddenReference = "kept from the gateway"
	Seller          = "seller"
	SellerPassword  = "seller-secret"
)

func odooOf(t testing.TB, major int, variable string) OdooServer {
	t.Helper()
	value := setting(t, variable, "http://gateway:gateway-secret@127.0.0.1:8069/shop")
	server, err := parseOdoo(value)
	if err != nil {
		t.Fatalf("%s %v", variable, err)
	}
	server.Major = major
	reserveOdoos(t)
	return server
}

func parseOdoo(value string) (OdooServer, error) {
	u, err := parseServer(value, "http", "https")
	if err != nil {
		return OdooServer{}, err
	}
	password, _ := u.User.Password()
	database := strings.Trim(u.Path, "/")
	switch {
	case password == "":
		return OdooServer{}, fmt.Errorf("has no password")
	case database == "" || strings.Contains(database, "/"):
		return OdooServer{}, fmt.Errorf("has the path %q: it must be the name of one database", u.Path)
	}
	return OdooServer{
		URL:           (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(),
		Database:      database,
		User:          u.User.Username(),
		Password:      password,
		AdminUser:     "admin", // as Odoo's demo data has it
		AdminPassword: "admin",
	}, nil
}

// APIKey makes an API key for the gateway's user, with which JSON-2 can be spoken; 19 and up. It is deleted when the test ends.
func (s OdooServer) APIKey(t testing.TB) string {
	t.Helper()
	return s.apiKeyOf(t, s.User, s.Password)
}

// AdminAPIKey is APIKey for the administrator.
func (s OdooServer) AdminAPIKey(t testing.TB) string {
	t.Helper()
	return s.apiKeyOf(t, s.AdminUser, s.AdminPassword)
}

func (s OdooServer) apiKeyOf(t testing.TB, user, password string) string {
	t.Helper()
	key, remove, err := odoorpc.APIKey(s.URL, s.Database, user, password)
	if err != nil {
		t.Fatalf("making an API key in Odoo %d: %v", s.Major, err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Errorf("deleting an API key in Odoo %d: %v", s.Major, err)
		}
	})
	return key
}

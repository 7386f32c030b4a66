package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"ordergate/failpoint"
	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// databaseFlags say where the database is.
type databaseFlags struct {
	Database string `env:"ORDERGATE_DATABASE" placeholder:"URL" help:"sqlite:FILE or mysql://user:password@host:port/database (also for MariaDB)."`
}

func (f databaseFlags) open(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if f.Database == "" {
		return nil, errors.New("no database given: set --database or ORDERGATE_DATABASE to sqlite:FILE or mysql://user:password@host:port/database")
	}
	return store.Open(ctx, f.Database, store.Options{Logger: log, Clock: failpoint.Now})
}

// openMigrated opens the database for a command that is run by hand, and refuses one of an older schema.
func (f databaseFlags) openMigrated(ctx context.Context) (*store.Store, error) {
	db, err := f.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := refuseOldSchema(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// tenantFlags say which Odoo, or which several, the gateway stands in front of.
type tenantFlags struct {
	OdooURL          string `env:"ORDERGATE_ODOO_URL" placeholder:"URL" help:"Address of Odoo, such as https://odoo.example.com."`
	OdooDB           string `env:"ORDERGATE_ODOO_DB" name:"odoo-db" placeholder:"NAME" help:"Name of Odoo's database."`
	OdooUser         string `env:"ORDERGATE_ODOO_USER" placeholder:"LOGIN" help:"Login of the gateway's user in Odoo."`
	OdooPassword     string `env:"ORDERGATE_ODOO_PASSWORD" placeholder:"SECRET" help:"Its password or API key; better given by file or environment."`
	OdooPasswordFile string `env:"ORDERGATE_ODOO_PASSWORD_FILE" placeholder:"FILE" help:"A file that holds the password."`

	OdooProtocol string `env:"ORDERGATE_ODOO_PROTOCOL" enum:"auto,xmlrpc,json2" default:"auto" help:"How to speak to Odoo: xmlrpc, json2 (Odoo 19 and up, with an API key), or auto, which takes JSON-2 where it can."`

	CustomerMaySetPrices bool `env:"ORDERGATE_CUSTOMER_MAY_SET_PRICES" help:"Let keys of role customer set prices and discounts."`
	CustomerMayConfirm   bool `env:"ORDERGATE_CUSTOMER_MAY_CONFIRM" help:"Let keys of role customer confirm orders."`

	StockCheck string `env:"ORDERGATE_STOCK_CHECK" enum:"off,refuse,backorder" default:"off" help:"What to do with an order that asks for more than Odoo has free: off (do not look), refuse, or backorder (place it and say so)."`

	Tenants string `env:"ORDERGATE_TENANTS" placeholder:"FILE" help:"A YAML file of several tenants, instead of the flags above; see docs/operations.md."`

	OdooTimeout          time.Duration `env:"ORDERGATE_ODOO_TIMEOUT" default:"20s" help:"The longest that one call to Odoo may take."`
	OdooConnections      int           `env:"ORDERGATE_ODOO_CONNECTIONS" default:"8" help:"The most calls to one Odoo at a time."`
	OdooTransactionLimit time.Duration `env:"ORDERGATE_ODOO_TRANSACTION_LIMIT" default:"150s" help:"Longer than Odoo's longest transaction (limit_time_real, 120 s by default)."`
}

// tenantConfig is one entry of the tenants file.
type tenantConfig struct {
	Name     string         `yaml:"name"`
	Odoo     odooConfig     `yaml:"odoo"`
	Settings order.Settings `yaml:"settings"`
}

type odooConfig struct {
	URL          string `yaml:"url"`
	Database     string `yaml:"database"`
	User         string `yaml:"user"`
	Password     string `yaml:"password"`
	PasswordEnv  string `yaml:"password_env"`
	PasswordFile string `yaml:"password_file"`
	Protocol     string `yaml:"protocol"` // auto if empty
}

// defaultTenant is the name of the only tenant where no file names several.
const defaultTenant = "default"

// tenants returns the configured tenants; there is at least one.
func (f tenantFlags) tenants() ([]tenantConfig, error) {
	if f.Tenants != "" {
		if f.OdooURL != "" {
			return nil, errors.New("give either --tenants or --odoo-url, not both")
		}
		if name, instead := f.settingOfOne(); name != "" {
			return nil, fmt.Errorf("%s is for a single tenant; in the file of --tenants, each has %s", name, instead)
		}
		return readTenants(f.Tenants)
	}
	var missing []string
	for _, setting := range []struct{ name, value string }{
		{"ORDERGATE_ODOO_URL", f.OdooURL}, {"ORDERGATE_ODOO_DB", f.OdooDB}, {"ORDERGATE_ODOO_USER", f.OdooUser},
	} {
		if setting.value == "" {
			missing = append(missing, setting.name)
		}
	}
	if f.OdooPassword == "" && f.OdooPasswordFile == "" {
		missing = append(missing, "ORDERGATE_ODOO_PASSWORD or ORDERGATE_ODOO_PASSWORD_FILE")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("which Odoo? Set %s (or try `ordergate serve --sandbox`, which needs none)", strings.Join(missing, ", "))
	}
	return []tenantConfig{{
		Name: defaultTenant,
		Odoo: odooConfig{
			URL: f.OdooURL, Database: f.OdooDB, User: f.OdooUser, Password: f.OdooPassword, PasswordFile: f.OdooPasswordFile,
			Protocol: f.OdooProtocol,
		},
		Settings: order.Settings{
			CustomerMaySetPrices: f.CustomerMaySetPrices, CustomerMayConfirm: f.CustomerMayConfirm,
			StockCheck: order.StockPolicy(f.StockCheck),
		},
	}}, nil
}

// settingOfOne returns a setting that differs from its default and would say nothing beside a file of tenants, and what that has instead; or "".
func (f tenantFlags) settingOfOne() (name, instead string) {
	for _, setting := range []struct {
		name, instead string
		given         bool
	}{
		{"ORDERGATE_STOCK_CHECK", "stock_check in its settings", f.StockCheck != "" && f.StockCheck != string(order.StockOff)},
		{"ORDERGATE_CUSTOMER_MAY_SET_PRICES", "customer_may_set_prices in its settings", f.CustomerMaySetPrices},
		{"ORDERGATE_CUSTOMER_MAY_CONFIRM", "customer_may_confirm in its settings", f.CustomerMayConfirm},
		{"ORDERGATE_ODOO_PROTOCOL", "protocol under odoo", f.OdooProtocol != "" && f.OdooProtocol != "auto"},
	} {
		if setting.given {
			return setting.name, setting.instead
		}
	}
	return "", ""
}

func readTenants(file string) ([]tenantConfig, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Tenants []tenantConfig `yaml:"tenants"`
	}
	if err := yaml.UnmarshalWithOptions(content, &list, yaml.Strict()); err != nil {
		// The library's message quotes the lines around the mistake, which may hold a password.
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			return nil, fmt.Errorf("%s, line %d: %s", file, syntax.GetToken().Position.Line, syntax.GetMessage())
		}
		return nil, fmt.Errorf("%s is not a file of tenants", file)
	}
	if len(list.Tenants) == 0 {
		return nil, fmt.Errorf("%s names no tenants", file)
	}
	seen := make(map[string]bool)
	for i, t := range list.Tenants {
		switch {
		case t.Name == "":
			return nil, fmt.Errorf("%s: tenant number %d has no name", file, i+1)
		case seen[t.Name]:
			return nil, fmt.Errorf("%s: there are two tenants named %q", file, t.Name)
		case !slices.Contains([]string{"", "auto", "xmlrpc", "json2"}, t.Odoo.Protocol):
			return nil, fmt.Errorf("%s: the protocol of tenant %q is %q, and must be auto, xmlrpc or json2", file, t.Name, t.Odoo.Protocol)
		case t.Settings.StockCheck != "" && !slices.Contains(order.StockPolicies, t.Settings.StockCheck):
			return nil, fmt.Errorf("%s: stock_check of tenant %q is %q, and must be off, refuse or backorder", file, t.Name, t.Settings.StockCheck)
		}
		seen[t.Name] = true
	}
	return list.Tenants, nil
}

// password returns the secret from wherever it was said to be.
func (c odooConfig) password() (string, error) {
	switch {
	case c.Password != "":
		return c.Password, nil
	case c.PasswordEnv != "":
		if secret := os.Getenv(c.PasswordEnv); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("the environment variable %s, which should hold Odoo's password, is empty", c.PasswordEnv)
	case c.PasswordFile != "":
		content, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("the password for Odoo: %w", err)
		}
		return strings.TrimRight(string(content), "\r\n"), nil
	default:
		return "", errors.New("no password for Odoo is given")
	}
}

// client makes the ERP client of a tenant.
func (f tenantFlags) client(t tenantConfig, log *slog.Logger, registerer prometheus.Registerer) (*odoo.Client, error) {
	secret, err := t.Odoo.password()
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	client, err := odoo.New(odoo.Config{
		Tenant: t.Name, URL: t.Odoo.URL, Database: t.Odoo.Database, User: t.Odoo.User, Password: secret,
		Protocol:    odoo.Protocol(t.Odoo.Protocol),
		CallTimeout: f.OdooTimeout, MaxConnections: f.OdooConnections, Logger: log, Registerer: registerer, Clock: failpoint.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w (an address is like https://odoo.example.com)", t.Name, err)
	}
	return client, nil
}

// service is one tenant's, with the client it works through.
type service struct {
	*ordersync.Service
	tenant order.Tenant
	client *odoo.Client
}

// open makes the service of a tenant, and enters the tenant in the database if it is new there.
func (f tenantFlags) open(ctx context.Context, db *store.Store, t tenantConfig, tune func(*ordersync.Config)) (service, error) {
	id, err := db.EnsureTenant(ctx, t.Name)
	if err != nil {
		return service{}, err
	}
	cfg := ordersync.Config{
		Tenant: order.Tenant{ID: id, Name: t.Name, Settings: t.Settings},
		Mirror: db, TransactionLimit: f.OdooTransactionLimit,
	}
	tune(&cfg)
	client, err := f.client(t, cfg.Logger, cfg.Registerer)
	if err != nil {
		return service{}, err
	}
	cfg.ERP = client
	s, err := ordersync.New(cfg)
	if err != nil {
		return service{}, err
	}
	return service{Service: s, tenant: cfg.Tenant, client: client}, nil
}

// only returns the tenant that is named, or the only one.
func only(tenants []tenantConfig, name string) (tenantConfig, error) {
	if name == "" && len(tenants) == 1 {
		return tenants[0], nil
	}
	var names []string
	for _, t := range tenants {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return tenantConfig{}, fmt.Errorf("which tenant? Give --tenant, one of: %s", strings.Join(names, ", "))
	}
	return tenantConfig{}, fmt.Errorf("no tenant %q; there are: %s", name, strings.Join(names, ", "))
}

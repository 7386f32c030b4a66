package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// keyCommand groups what is done with API keys.
type keyCommand struct {
	Create keyCreateCommand `cmd:"" help:"Create a key. It is shown once."`
	List   keyListCommand   `cmd:"" help:"List the keys, without their secrets."`
	Revoke keyRevokeCommand `cmd:"" help:"Revoke a key; it stops working at once."`
}

type keyCreateCommand struct {
	databaseFlags
	tenantFlags
	Tenant   string `help:"The tenant, where there are several."`
	Role     string `required:"" enum:"customer,portal,operator,module" help:"customer (bound to one partner), portal (any customer), operator, or module (another system that writes into histories)."`
	Name     string `required:"" help:"What the key is for, such as \"web shop\"."`
	Source   string `help:"The system that orders with this key come from. Keys of one source share their idempotency keys. Default: portal, or manual for operators."`
	Customer int64  `placeholder:"PARTNER" help:"For role customer: the id of its partner in Odoo."`
	Module   string `help:"For role module: whose history entries the key writes, such as warehouse; their codes begin with it."`
}

// Run creates the key and prints its secret, and nothing else, to standard output.
func (c keyCreateCommand) Run(ctx context.Context, term terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tenants, err := c.tenants()
	if err != nil {
		return err
	}
	t, err := only(tenants, c.Tenant)
	if err != nil {
		return err
	}
	s, err := c.tenantFlags.open(ctx, db, t, func(*ordersync.Config) {})
	if err != nil {
		return err
	}
	defer s.Close()

	key := order.APIKey{TenantID: s.tenant.ID, Name: c.Name, Role: order.Role(c.Role), Source: c.source(), Module: c.Module}
	if key.Role == order.RoleCustomer {
		customer, err := s.Customer(ctx, c.Customer)
		if err != nil {
			return fmt.Errorf("partner %d: %w", c.Customer, err)
		}
		key.ERPPartnerID = customer.ERPPartnerID
		fmt.Fprintf(term.err, "The key sees the orders of %s and its company.\n", customer.Name)
	}
	secret, err := createKey(ctx, db, key)
	if err != nil {
		return err
	}
	fmt.Fprintln(term.err, "This is the only time the key is shown; only its hash is kept.")
	_, err = fmt.Fprintln(term.out, secret)
	return err
}

func (c keyCreateCommand) check() error {
	switch {
	case c.Role == string(order.RoleCustomer) && c.Customer <= 0:
		return errors.New("a key of role customer needs --customer, the id of its partner in Odoo")
	case c.Role != string(order.RoleCustomer) && c.Customer != 0:
		return errors.New("--customer is for keys of role customer")
	case c.Role == string(order.RoleCustomer) && c.Source != "":
		return errors.New("the source of a key of role customer is its customer; leave --source out")
	case c.Role == string(order.RoleModule) && c.Source != "":
		return errors.New("a key of role module places no orders; leave --source out")
	case c.Role != string(order.RoleModule) && c.Module != "":
		return errors.New("--module is for keys of role module")
	case len(c.Name) > 190:
		return errors.New("--name may have 190 characters")
	case c.Name == "" || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("--name must be printable, and not empty")
	}
	if c.Role == string(order.RoleModule) {
		if err := order.CheckModule(c.Module); err != nil {
			return fmt.Errorf("--module: %w", err)
		}
	}
	if c.Source == "" {
		return nil
	}
	if err := order.CheckSource(c.Source); err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	return nil
}

// source is where orders come from that are placed with the key. Two customers must not share one: the idempotency
// key of one would answer for the other.
func (c keyCreateCommand) source() string {
	switch {
	case c.Role == string(order.RoleCustomer):
		return order.CustomerSource + strconv.FormatInt(c.Customer, 10)
	case c.Role == string(order.RoleModule):
		return ""
	case c.Source != "":
		return c.Source
	case c.Role == string(order.RoleOperator):
		return "manual"
	default:
		return "portal"
	}
}

// createKey makes a secret for the key, stores its hash and returns it.
func createKey(ctx context.Context, db *store.Store, key order.APIKey) (string, error) {
	secret, prefix, hash, err := order.NewSecret(rand.Reader)
	if err != nil {
		return "", err
	}
	key.Prefix, key.Hash = prefix, hash
	if _, err := db.CreateKey(ctx, key); err != nil {
		if errors.Is(err, store.ErrExists) {
			return "", fmt.Errorf("there is, or was, a key named %q; choose another name", key.Name)
		}
		return "", err
	}
	return secret, nil
}

type keyListCommand struct {
	databaseFlags
	Tenant string `help:"The tenant, where there are several." default:"default"`
}

// Run prints the keys of a tenant.
func (c keyListCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tenantID, err := db.Tenant(ctx, c.Tenant)
	if err != nil {
		return err
	}
	keys, err := db.Keys(ctx, tenantID)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(term.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tROLE\tSOURCE OR MODULE\tKEY\tCREATED\tREVOKED")
	for _, k := range keys {
		revoked := "-"
		if !k.RevokedAt.IsZero() {
			revoked = k.RevokedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s…\t%s\t%s\n", k.ID, k.Name, k.Role, cmp.Or(k.Module, k.Source), k.Prefix, k.CreatedAt.Format(time.RFC3339), revoked)
	}
	return table.Flush()
}

type keyRevokeCommand struct {
	databaseFlags
	Tenant string `help:"The tenant, where there are several." default:"default"`
	Key    string `arg:"" help:"The key's name or id, as key list shows them."`
}

// Run revokes a key.
func (c keyRevokeCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tenantID, err := db.Tenant(ctx, c.Tenant)
	if err != nil {
		return err
	}
	if err := db.RevokeKey(ctx, tenantID, c.Key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(term.err, "The key %s no longer works.\n", c.Key)
	return err
}

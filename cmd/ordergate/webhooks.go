package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// webhooksCommand groups what is done with the automations in Odoo that tell the gateway of changes.
type webhooksCommand struct {
	Install webhooksInstallCommand `cmd:"" help:"Create the automations in Odoo (17 or later) that tell the gateway of changes, or set them right."`
	Status  webhooksStatusCommand  `cmd:"" help:"Show the automations, what came of them, and how many changes they missed."`
	Remove  webhooksRemoveCommand  `cmd:"" help:"Delete the gateway's automations in Odoo, and nothing else."`
}

// adminFlags are the login of somebody who may change Odoo's automations. It is used once and never stored.
type adminFlags struct {
	AdminUser     string `env:"ORDERGATE_ODOO_ADMIN_USER" placeholder:"LOGIN" help:"Login of an administrator of Odoo (\"Settings\" rights). Used once, never stored."`
	AdminPassword string `env:"ORDERGATE_ODOO_ADMIN_PASSWORD" placeholder:"SECRET" help:"The administrator's password or API key; better given by environment."`
}

func (f adminFlags) given() bool { return f.AdminUser != "" && f.AdminPassword != "" }

// of is a tenant as its administrator, who may have a password where the gateway has an API key.
func (f adminFlags) of(t tenantConfig) tenantConfig {
	t.Odoo.User, t.Odoo.Password = f.AdminUser, f.AdminPassword
	t.Odoo.PasswordEnv, t.Odoo.PasswordFile = "", ""
	if t.Odoo.Protocol == string(odoo.JSON2) {
		t.Odoo.Protocol = string(odoo.Auto)
	}
	return t
}

// webhookFlags are what all of the commands take.
type webhookFlags struct {
	databaseFlags
	tenantFlags
	adminFlags
	Tenant string `help:"The tenant, where there are several."`
}

// webhookSite is one tenant with both of its logins.
type webhookSite struct {
	db     *store.Store
	tenant tenantConfig
	id     int64
	client *odoo.Client // as the gateway's own user
	admin  *odoo.Client // nil if no administrator was given
}

// open makes the site; its owner closes it.
func (f webhookFlags) open(ctx context.Context) (*webhookSite, error) {
	tenants, err := f.tenants()
	if err != nil {
		return nil, err
	}
	t, err := only(tenants, f.Tenant)
	if err != nil {
		return nil, err
	}
	site := &webhookSite{tenant: t}
	quiet := slog.New(slog.DiscardHandler)
	if site.client, err = f.client(t, quiet, nil); err != nil {
		return nil, err
	}
	if f.given() {
		if site.admin, err = f.client(f.of(t), quiet, nil); err != nil {
			return nil, err
		}
	}
	if site.db, err = f.openMigrated(ctx); err != nil {
		return nil, err
	}
	site.id, err = site.db.EnsureTenant(ctx, t.Name)
	if err != nil {
		return nil, errors.Join(err, site.close())
	}
	return site, nil
}

func (s *webhookSite) close() error {
	s.client.Close()
	if s.admin != nil {
		s.admin.Close()
	}
	return s.db.Close()
}

var errNoAdmin = errors.New("this takes an administrator of Odoo: set ORDERGATE_ODOO_ADMIN_USER and ORDERGATE_ODOO_ADMIN_PASSWORD (they are used once and never stored)")

type webhooksInstallCommand struct {
	webhookFlags
	URL    string        `env:"ORDERGATE_PUBLIC_URL" required:"" placeholder:"URL" help:"Address of the gateway as Odoo reaches it, such as https://orders.example.com."`
	Rotate bool          `help:"Make a new secret. The one before stays valid for the time of --grace."`
	Grace  time.Duration `default:"10m" help:"How long the secret before is still taken."`
}

// secretSpread is how long after a new secret was stored every process knows it, or asks for it when it meets it.
const secretSpread = 1500 * time.Millisecond

// Run creates or repairs the automations.
func (c webhooksInstallCommand) Run(ctx context.Context, term terminal) error {
	if !c.given() {
		return errNoAdmin
	}
	if c.Grace < 0 || c.Grace > 30*24*time.Hour {
		return errors.New("--grace must be between 0 and 30 days")
	}
	site, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer site.close()
	address, err := webhookAddress(c.URL, site.tenant.Name)
	if err != nil {
		return err
	}
	early, err := site.admin.WebhookSupport(ctx)
	if err != nil {
		return briefly(err)
	}
	plan := odoo.WebhookPlan{Address: address}
	if plan.Silent, err = site.silentUser(ctx); err != nil {
		return err
	}
	known, err := site.known(ctx)
	if err != nil {
		return err
	}
	inUse, err := site.secretInUse(ctx, known)
	if err != nil {
		return briefly(err)
	}
	now := time.Now()
	next := known
	next.Early = early
	if next.Address == "" {
		next.Address = address // that of an earlier installation is kept until its automations are gone
	}
	plan.Secret = inUse
	fresh := c.Rotate || inUse == "" || order.HashSecret(inUse) != known.Hash
	if fresh {
		if plan.Secret, _, next.Hash, err = order.NewSecret(rand.Reader); err != nil {
			return err
		}
		next.RotatedAt, next.PreviousHash, next.PreviousUntil = now, "", time.Time{}
		if inUse != "" {
			next.PreviousHash, next.PreviousUntil = order.HashSecret(inUse), now.Add(c.Grace)
		}
	}
	if next.InstalledAt.IsZero() {
		next.InstalledAt = now
	}
	// The gateway must take the secret before Odoo uses it.
	if err := site.db.SaveWebhooks(ctx, site.id, next); err != nil {
		return err
	}
	if fresh {
		select {
		case <-time.After(secretSpread):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n, err := site.admin.InstallWebhooks(ctx, plan)
	if err != nil {
		return briefly(err)
	}
	if next.Address != address {
		if _, err := site.admin.RemoveWebhooks(ctx, odoo.WebhookPlan{Address: next.Address}); err != nil {
			return fmt.Errorf("removing the automations of the address before, %s: %w", next.Address, briefly(err))
		}
		next.Address = address
		if err := site.db.SaveWebhooks(ctx, site.id, next); err != nil {
			return err
		}
	}
	return c.report(term, n, fresh, next)
}

func (c webhooksInstallCommand) report(term terminal, n int, fresh bool, w store.Webhooks) error {
	fmt.Fprintf(term.out, "%d automations in Odoo post to %s…\n", n, w.Address)
	switch {
	case fresh && w.PreviousHash != "":
		fmt.Fprintf(term.out, "The secret is new; the one before is taken until %s.\n", w.PreviousUntil.UTC().Format(time.RFC3339))
	case fresh:
		fmt.Fprintln(term.out, "The secret is new.")
	default:
		fmt.Fprintln(term.out, "The secret is the one it was; --rotate makes a new one.")
	}
	_, err := fmt.Fprintln(term.out, "Odoo must be able to reach this address: it waits up to a second for each notification.")
	return err
}

// maxWebhookAddress is what the database holds.
const maxWebhookAddress = 1024

// webhookAddress is the URL that Odoo posts to, without the secret.
func webhookAddress(public, tenant string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", errors.New("--url must be the address of the gateway, such as https://orders.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("--url must have neither credentials nor query nor fragment")
	}
	address := strings.TrimRight(u.String(), "/") + "/hooks/odoo/" + url.PathEscape(tenant) + "/"
	if len(address) > maxWebhookAddress {
		return "", fmt.Errorf("--url is too long: with the tenant's name it may have %d characters", maxWebhookAddress)
	}
	return address, nil
}

// silentUser is the user whose changes need not be told: the gateway's, unless it is the administrator's as well, and so
// perhaps a person's.
func (s *webhookSite) silentUser(ctx context.Context) (int64, error) {
	own, err := s.client.UserID(ctx)
	if err != nil {
		return 0, fmt.Errorf("as the gateway's user: %w", briefly(err))
	}
	admin, err := s.admin.UserID(ctx)
	if err != nil {
		return 0, fmt.Errorf("as the administrator: %w", briefly(err))
	}
	if own == admin {
		return 0, nil
	}
	return own, nil
}

// known is what the database has; the zero value if nothing was installed.
func (s *webhookSite) known(ctx context.Context) (store.Webhooks, error) {
	known, err := s.db.Webhooks(ctx, s.id)
	if order.IsKind(err, order.NotFound) {
		return store.Webhooks{}, nil
	}
	return known, err
}

// secretInUse returns the secret that Odoo posts with, if the gateway takes it; only its hash is stored here.
func (s *webhookSite) secretInUse(ctx context.Context, known store.Webhooks) (string, error) {
	if known.Address == "" {
		return "", nil
	}
	webhooks, err := s.admin.Webhooks(ctx, odoo.WebhookPlan{Address: known.Address})
	if err != nil {
		return "", err
	}
	inUse := ""
	for _, w := range webhooks {
		secret := strings.TrimPrefix(w.URL, known.Address)
		switch hash := order.HashSecret(secret); {
		case hash == known.Hash:
			return secret, nil
		case known.Takes(hash, time.Now()):
			inUse = secret
		}
	}
	return inUse, nil
}

type webhooksRemoveCommand struct{ webhookFlags }

// Run deletes the automations, and then forgets the secret.
func (c webhooksRemoveCommand) Run(ctx context.Context, term terminal) error {
	if !c.given() {
		return errNoAdmin
	}
	site, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer site.close()
	known, err := site.db.Webhooks(ctx, site.id)
	if err != nil {
		return briefly(err)
	}
	n, err := site.admin.RemoveWebhooks(ctx, odoo.WebhookPlan{Address: known.Address})
	if err != nil {
		return briefly(err)
	}
	if err := site.db.RemoveWebhooks(ctx, site.id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(term.out, "%d automations removed. The background sync goes on finding every change.\n", n)
	return err
}

type webhooksStatusCommand struct{ webhookFlags }

// Run prints what there is, and fails if something is not as it should be.
func (c webhooksStatusCommand) Run(ctx context.Context, term terminal) error {
	site, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer site.close()
	known, err := site.db.Webhooks(ctx, site.id)
	if err != nil {
		return briefly(err)
	}
	printWebhooks(term, known, time.Now())
	if site.admin == nil {
		_, err := fmt.Fprintln(term.err, "The automations themselves are only shown to an administrator: set ORDERGATE_ODOO_ADMIN_USER and ORDERGATE_ODOO_ADMIN_PASSWORD.")
		return err
	}
	plan := odoo.WebhookPlan{Address: known.Address}
	if plan.Silent, err = site.silentUser(ctx); err != nil {
		return err
	}
	webhooks, err := site.admin.Webhooks(ctx, plan)
	if err != nil {
		return briefly(err)
	}
	return printAutomations(term, webhooks, known, time.Now())
}

// printWebhooks prints what the database knows.
func printWebhooks(term terminal, w store.Webhooks, now time.Time) {
	last := "none so far"
	if at := w.Counts.NotifiedAt; !at.IsZero() {
		last = fmt.Sprintf("%s (%s ago)", at.Format(time.RFC3339), now.Sub(at).Round(time.Second))
	}
	missed := "no change was seen so far"
	if all := w.Counts.Announced + w.Counts.Missed; all > 0 {
		missed = fmt.Sprintf("%.2f %% (%d of %d changes)", 100*float64(w.Counts.Missed)/float64(all), w.Counts.Missed, all)
	}
	table := tabwriter.NewWriter(term.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(table, "address\t%s…\n", w.Address)
	fmt.Fprintf(table, "installed\t%s\n", w.InstalledAt.Format(time.RFC3339))
	fmt.Fprintf(table, "secret since\t%s\n", w.RotatedAt.Format(time.RFC3339))
	if now.Before(w.PreviousUntil) {
		fmt.Fprintf(table, "secret before\ttaken until %s\n", w.PreviousUntil.Format(time.RFC3339))
	}
	fmt.Fprintf(table, "notifications\t%d\n", w.Counts.Notifications)
	fmt.Fprintf(table, "last one\t%s\n", last)
	fmt.Fprintf(table, "missed\t%s\n", missed)
	_ = table.Flush() // what cannot be printed is not worth an error of its own
}

// printAutomations prints the automations, and returns errReported if one of them is not as it should be.
func printAutomations(term terminal, webhooks []odoo.Webhook, known store.Webhooks, now time.Time) error {
	fmt.Fprintln(term.out)
	table := tabwriter.NewWriter(term.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "AUTOMATION\tMODEL\tTRIGGER\tSECRET\tSTATE")
	healthy := true
	for _, w := range webhooks {
		secret, state := "-", "missing"
		if !w.Missing {
			hash := order.HashSecret(strings.TrimPrefix(w.URL, known.Address))
			switch {
			case hash == known.Hash:
				secret = "current"
			case known.Takes(hash, now):
				secret = "the one before"
			default:
				secret = "wrong"
			}
			state = "ok"
			if len(w.Drift) > 0 {
				state = "changed: " + strings.Join(w.Drift, ", ")
			}
		}
		healthy = healthy && secret == "current" && state == "ok"
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", w.Name, w.Model, w.Trigger, secret, state)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !healthy {
		fmt.Fprintln(term.out, "→ `ordergate webhooks install` sets them right.")
		return errReported
	}
	return nil
}

// briefly leaves of an error of Odoo or of the domain what is fit for a terminal.
func briefly(err error) error {
	var fromERP *odoo.Error
	if errors.As(err, &fromERP) {
		return errors.New(fromERP.Message)
	}
	var domain *order.Error
	if errors.As(err, &domain) {
		return errors.New(domain.Message)
	}
	return err
}

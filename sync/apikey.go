package ordersync

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ordergate/odoo"
)

const (
	// keyInterval is how often the end of the API key is asked for.
	keyInterval = time.Hour
	// keyNotice is how long before the end of the API key it is worth a word, once in keyReminder. The rule in
	// docs/alerts.yaml has the same.
	keyNotice   = 21 * 24 * time.Hour
	keyReminder = 24 * time.Hour
)

// keyWatch warns of the end of the API key. It belongs to the one goroutine that calls look.
type keyWatch struct {
	warned time.Time
}

// look asks for the end of the API key, which the client's gauge then shows, and logs a warning if it is near.
func (w *keyWatch) look(ctx context.Context, s *Service) error {
	key, err := s.erp.KeyExpiry(ctx)
	if err != nil {
		return err
	}
	now := s.erp.Now()
	if !endsSoon(key, now) || s.now().Sub(w.warned) < keyReminder {
		return nil
	}
	w.warned = s.now()
	s.log.LogAttrs(ctx, slog.LevelWarn, "the API key for Odoo is about to end: nothing is placed or synced without one",
		slog.Time("ends", key.Expires), slog.Int("days_left", daysUntil(key.Expires, now)), slog.Int("keys", key.Keys))
	return nil
}

func endsSoon(key odoo.KeyExpiry, now time.Time) bool {
	return !key.Expires.IsZero() && key.Expires.Sub(now) < keyNotice
}

func daysUntil(at, now time.Time) int { return int(at.Sub(now) / (24 * time.Hour)) }

func keyFinding(key odoo.KeyExpiry, now time.Time) Finding {
	f := Finding{Check: "API key", OK: true}
	switch {
	case !key.InUse:
		f.Detail = "none in use: the gateway logs in with a password"
		return f
	case key.Keys == 0:
		f.Detail = "in use; Odoo does not say when it ends"
		return f
	case key.Expires.IsZero():
		f.Detail = "in use, and does not end"
		return f
	}
	f.Detail = fmt.Sprintf("ends on %s, in %d days", key.Expires.Format(time.DateOnly), daysUntil(key.Expires, now))
	if key.Keys > 1 {
		f.Detail = fmt.Sprintf("one of the %d that the gateway's user has %s; Odoo does not tell which of them is in use", key.Keys, f.Detail)
	}
	if endsSoon(key, now) {
		f.OK = false
		f.Advice = "As the gateway's user, make a new key in Odoo (Preferences, Account Security), put it in ORDERGATE_ODOO_PASSWORD, restart, and delete the old one."
	}
	return f
}

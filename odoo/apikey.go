package odoo

import (
	"context"
	"regexp"
	"time"
)

// KeyExpiry is what Odoo tells of the end of the API key that a client logs in with. It does not tell which of its user's
// keys that is, so that the one that ends first speaks for them all.
type KeyExpiry struct {
	InUse   bool      // an API key, and no password, is what the client logs in with
	Keys    int       // how many keys it may be; 0 if none is in use, or Odoo does not show them
	Expires time.Time // when the first of them ends; zero if none ever does, or they are not shown
}

// formOfKey is what API keys look like. Over XML-RPC nothing else tells them from passwords.
var formOfKey = regexp.MustCompile(`^[0-9a-f]{40}$`)

// KeyExpiry asks when the API key ends. Versions before 18 have keys that never do.
func (c *Client) KeyExpiry(ctx context.Context) (KeyExpiry, error) {
	s, err := c.sessionFor(ctx, "res.users.apikeys.search_read")
	if err != nil {
		return KeyExpiry{}, err
	}
	key := KeyExpiry{InUse: s.protocol == JSON2 || formOfKey.MatchString(c.password)}
	if key.InUse && s.dialect.keysExpire {
		if err := c.findKeys(ctx, s.uid, &key); err != nil {
			return KeyExpiry{}, err
		}
	}
	c.metrics.keyExpires(key.Expires)
	return key, nil
}

// findKeys enters the keys of a user that open RPC and are still valid.
func (c *Client) findKeys(ctx context.Context, uid int64, key *KeyExpiry) error {
	list, _, err := c.searchRead(ctx, query{model: "res.users.apikeys", fields: []string{"expiration_date"},
		domain: domain{condition("user_id", "=", uid), condition("scope", "in", []any{false, "rpc"})}})
	if isReason(err, AccessRights) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range list {
		expires := list[i].moment("expiration_date")
		if !expires.IsZero() && expires.Before(c.Now()) {
			continue // Odoo has yet to tidy it up
		}
		key.Keys++
		if !expires.IsZero() && (key.Expires.IsZero() || expires.Before(key.Expires)) {
			key.Expires = expires
		}
	}
	return firstError("res.users.apikeys.search_read", list)
}

// keyExpires shows when the API key ends, or nothing if it does not.
func (m *metrics) keyExpires(at time.Time) {
	if at.IsZero() {
		m.keyEnd.Reset()
		return
	}
	m.keyEnd.WithLabelValues().Set(float64(at.Unix()))
}

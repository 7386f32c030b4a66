package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// The lists that a cursor may be of.
const (
	listOrders    = "orders"
	listHistory   = "history"
	listProducts  = "products"
	listAudits    = "audits"
	listFindings  = "findings"
	listCustomers = "customers"
	listIntents   = "intents"
)

const notACursor = "is not the next_cursor of this list; leave it out to begin again"

const cursorVersion = 1

// cursor is a place in a list: the last entry of the page before. Callers see it as one opaque word. It grants nothing,
// so it is not signed; the sum only tells a damaged or made-up one from one that was given out.
type cursor struct {
	Version int       `json:"v"`
	List    string    `json:"l"`
	ID      int64     `json:"i"`
	At      time.Time `json:"t,omitzero"`
	Sum     string    `json:"s"`
}

func encodeCursor(c cursor) string {
	c.Version, c.At = cursorVersion, c.At.UTC()
	c.Sum = c.sum()
	text, err := json.Marshal(c)
	if err != nil {
		panic("gateway: a cursor always marshals: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// decodeCursor reads a cursor of a list. It returns false for anything that encodeCursor did not make for that list.
func decodeCursor(text, list string) (cursor, bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return cursor{}, false
	}
	var c cursor
	decoder := json.NewDecoder(bytes.NewReader(decoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return cursor{}, false
	}
	if c.Version != cursorVersion || c.List != list || c.ID <= 0 || c.Sum != c.sum() || encodeCursor(c) != text {
		return cursor{}, false
	}
	return c, true
}

func (c cursor) sum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s/%d/%d", c.Version, c.List, c.ID, c.At.UnixNano()))
	return hex.EncodeToString(sum[:4])
}

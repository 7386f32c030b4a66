package odoo

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"ordergate/order"
)

// lookupAge is how long what hardly ever changes in Odoo is taken from memory: currencies, units, precisions.
const lookupAge = 5 * time.Minute

// smallTable holds a whole table of the ERP that is small and hardly ever changes, by id.
type smallTable[T any] struct {
	mu     sync.Mutex
	byID   map[int64]T
	readAt time.Time
}

// find returns the entry of id, and reads the table again if it is not there or the table is too old.
func (s *smallTable[T]) find(id int64, now time.Time, read func() (map[int64]T, error)) (T, error) {
	entry, ok := s.recall(now)[id]
	if ok {
		return entry, nil
	}
	byID, err := s.refresh(now, read)
	if err != nil {
		return entry, err
	}
	entry, ok = byID[id]
	if !ok {
		return entry, badAnswer(fmt.Errorf("a record refers to %T %d, which Odoo does not list", entry, id))
	}
	return entry, nil
}

// recall returns the table, nil if it is too old.
func (s *smallTable[T]) recall(now time.Time) map[int64]T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.readAt) < lookupAge {
		return s.byID
	}
	return nil
}

func (s *smallTable[T]) refresh(now time.Time, read func() (map[int64]T, error)) (map[int64]T, error) {
	byID, err := read()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID, s.readAt = byID, now
	return byID, nil
}

type currency struct {
	name     string
	decimals int
}

func (c *Client) currencyOf(ctx context.Context, id int64) (currency, error) {
	return c.currencies.find(id, c.clock(), func() (map[int64]currency, error) { return c.readCurrencies(ctx) })
}

// currencyNamed returns the id of a currency; their names are unique in Odoo.
func (c *Client) currencyNamed(ctx context.Context, name string) (int64, error) {
	now := c.clock()
	id, known := idNamed(c.currencies.recall(now), name)
	if known {
		return id, nil
	}
	byID, err := c.currencies.refresh(now, func() (map[int64]currency, error) { return c.readCurrencies(ctx) })
	if err != nil {
		return 0, err
	}
	if id, known = idNamed(byID, name); !known {
		return 0, badAnswer(fmt.Errorf("there is no currency %q", name))
	}
	return id, nil
}

func idNamed(byID map[int64]currency, name string) (id int64, known bool) {
	for id, c := range byID {
		if c.name == name {
			return id, true
		}
	}
	return 0, false
}

func (c *Client) readCurrencies(ctx context.Context) (map[int64]currency, error) {
	list, _, err := c.searchRead(ctx, query{model: "res.currency", domain: domain{},
		fields: []string{"name", "decimal_places"}, context: archivedToo})
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]currency, len(list))
	for i := range list {
		byID[list[i].id()] = currency{list[i].text("name"), int(list[i].integer("decimal_places"))}
	}
	return byID, firstError("res.currency.search_read", list)
}

// unit is the name of a unit of measure.
type unit string

// unitOf returns an empty name for no unit.
func (c *Client) unitOf(ctx context.Context, id int64) (unit, error) {
	if id == 0 {
		return "", nil
	}
	return c.units.find(id, c.clock(), func() (map[int64]unit, error) {
		list, _, err := c.searchRead(ctx, query{model: "uom.uom", domain: domain{}, fields: []string{"name"}, context: archivedToo})
		if err != nil {
			return nil, err
		}
		byID := make(map[int64]unit, len(list))
		for i := range list {
			byID[list[i].id()] = unit(list[i].text("name"))
		}
		return byID, firstError("uom.uom.search_read", list)
	})
}

// locationCache remembers the usages of stock locations: "internal", "customer", "supplier".
type locationCache struct {
	mu     sync.Mutex
	usage  map[int64]string
	readAt time.Time // of the oldest
}

// locationUsages returns the usages of locations by id; one that the user does not see has none. A warehouse may have a
// location for each shelf, so that only those are read that transfers of orders begin or end at.
func (c *Client) locationUsages(ctx context.Context, ids []int64) (map[int64]string, error) {
	now := c.clock()
	c.locations.mu.Lock()
	known := c.locations.usage
	readAt := c.locations.readAt
	c.locations.mu.Unlock()
	if age := now.Sub(readAt); age < 0 || age >= lookupAge {
		known, readAt = nil, now
	}
	usage := maps.Clone(known)
	if usage == nil {
		usage = map[int64]string{}
	}
	var missing []int64
	for _, id := range ids {
		if _, there := usage[id]; !there {
			usage[id] = ""
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return usage, nil
	}
	list, _, err := c.searchRead(ctx, query{model: "stock.location", domain: idsIn("id", missing), fields: []string{"usage"},
		context: archivedToo})
	if err != nil {
		return nil, err
	}
	for i := range list {
		usage[list[i].id()] = list[i].text("usage")
	}
	if err := firstError("stock.location.search_read", list); err != nil {
		return nil, err
	}
	c.locations.mu.Lock()
	defer c.locations.mu.Unlock()
	c.locations.usage, c.locations.readAt = usage, readAt
	return usage, nil
}

type countryCode struct{ country, state string }

type countryIDs struct{ country, state int64 }

// countryCache holds what was found; what was not found is asked for again, so that callers cannot fill memory.
type countryCache struct {
	mu     sync.Mutex
	byCode map[countryCode]countryIDs
}

// Country returns the id of a country by ISO code and of a state of it by code; 0 for what does not exist. An empty state
// is not looked for.
func (c *Client) Country(ctx context.Context, country, state string) (countryID, stateID int64, err error) {
	code := countryCode{country, state}
	c.country.mu.Lock()
	ids, ok := c.country.byCode[code]
	c.country.mu.Unlock()
	if ok {
		return ids.country, ids.state, nil
	}
	ids.country, err = c.idByCode(ctx, "res.country", domain{condition("code", "=", country)})
	if err != nil || ids.country == 0 {
		return 0, 0, err
	}
	if state != "" {
		ids.state, err = c.idByCode(ctx, "res.country.state",
			domain{condition("country_id", "=", ids.country), condition("code", "=", state)})
		if err != nil || ids.state == 0 {
			return ids.country, 0, err
		}
	}
	c.country.mu.Lock()
	defer c.country.mu.Unlock()
	if c.country.byCode == nil {
		c.country.byCode = map[countryCode]countryIDs{}
	}
	c.country.byCode[code] = ids
	return ids.country, ids.state, nil
}

// idByCode returns 0 if there is none.
func (c *Client) idByCode(ctx context.Context, model string, d domain) (int64, error) {
	list, _, err := c.searchRead(ctx, query{model: model, domain: d, fields: []string{"code"}, limit: 1})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	id := list[0].id()
	return id, firstError(model+".search_read", list)
}

type precisionCache struct {
	mu     sync.Mutex
	known  order.Precision
	readAt time.Time
}

// Precision returns the decimals that Odoo keeps.
func (c *Client) Precision(ctx context.Context) (order.Precision, error) {
	c.decimals.mu.Lock()
	known, readAt := c.decimals.known, c.decimals.readAt
	c.decimals.mu.Unlock()
	if !readAt.IsZero() && c.clock().Sub(readAt) < lookupAge {
		return known, nil
	}
	s, err := c.sessionFor(ctx, "decimal.precision.precision_get")
	if err != nil {
		return order.Precision{}, err
	}
	var p order.Precision
	for _, kind := range []struct {
		name   string
		digits *int
	}{{s.dialect.quantityPrecision, &p.Quantity}, {"Product Price", &p.Price}, {"Discount", &p.Discount}} {
		a, err := c.execute(ctx, "decimal.precision", "precision_get", []any{kind.name}, nil)
		if err != nil {
			return order.Precision{}, err
		}
		digits, err := countOf(a.value, "decimal.precision.precision_get")
		if err != nil {
			return order.Precision{}, err
		}
		*kind.digits = int(digits)
	}
	c.decimals.mu.Lock()
	c.decimals.known, c.decimals.readAt = p, c.clock()
	c.decimals.mu.Unlock()
	return p, nil
}

// countOf reads an answer that is a number, and not a negative one.
func countOf(v any, method string) (int64, error) {
	n, ok := v.(int64)
	if !ok || n < 0 {
		err := badAnswer(fmt.Errorf("%.80v instead of a number", v))
		named(err, method)
		return 0, err
	}
	return n, nil
}

// needed is what the gateway does in Odoo.
var needed = []struct {
	model      string
	operations []string
}{
	{"sale.order", []string{"create", "read", "write"}},
	{"sale.order.line", []string{"create", "read", "write"}},
	{"res.partner", []string{"create", "read"}},
	{"product.product", []string{"read"}},
	{"product.template", []string{"read"}},
	{"uom.uom", []string{"read"}},
	{"res.currency", []string{"read"}},
	{"res.country", []string{"read"}},
	{"res.country.state", []string{"read"}},
}

// Permissions tells what of all that the gateway does its user may do. Record rules, which hide single records, are not
// part of it.
func (c *Client) Permissions(ctx context.Context) ([]Permission, error) {
	s, err := c.sessionFor(ctx, "common.version")
	if err != nil {
		return nil, err
	}
	var permissions []Permission
	for _, n := range needed {
		for _, operation := range n.operations {
			method, args, kwargs := s.dialect.accessCheck(operation)
			a, err := c.execute(ctx, n.model, method, args, kwargs)
			if err != nil {
				return nil, err
			}
			allowed, ok := a.value.(bool)
			if !ok {
				err := badAnswer(fmt.Errorf("%T instead of true or false", a.value))
				named(err, n.model+"."+method)
				return nil, err
			}
			permissions = append(permissions, Permission{Model: n.model, Operation: operation, Allowed: allowed})
		}
	}
	return permissions, nil
}

// SenderAddress returns the e-mail address of the gateway's user, empty if it has none.
func (c *Client) SenderAddress(ctx context.Context) (string, error) {
	s, err := c.sessionFor(ctx, "res.users.read")
	if err != nil {
		return "", err
	}
	list, _, err := c.readRaw(ctx, "res.users", []int64{s.uid}, []string{"email"})
	if err != nil {
		return "", err
	}
	if len(list) != 1 {
		err := badAnswer(fmt.Errorf("%d users with the id of the gateway's", len(list)))
		named(err, "res.users.read")
		return "", err
	}
	return list[0].text("email"), firstError("res.users.read", list)
}

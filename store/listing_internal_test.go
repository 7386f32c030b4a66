package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/test/env"
)

// onDatabases runs a test on each database that the machine offers, with a store of its own on the current schema.
func onDatabases(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, dsn := range map[string]func(t *testing.T) string{
		"SQLite":  func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "ordergate.db") },
		"MySQL":   func(t *testing.T) string { return env.Database(t, env.MySQL(t)) },
		"MariaDB": func(t *testing.T) string { return env.Database(t, env.MariaDB(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), dsn(t), Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
			test(t, s)
		})
	}
}

// A page is what a filter over all orders would leave, whatever is asked for and by whichever index it is read.
func TestListingsAreWhatTheirFiltersSay(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		random := rand.New(rand.NewPCG(7, 11))
		mirror := newImagined(t, s, random)
		mirror.write(t, 600)
		mirror.tell(t, 250)
		mirror.write(t, 300) // some of the same again, changed
		mirror.remove(t, 120)
		mirror.write(t, 60)
		mirror.unread(t, 50)

		found, ways := 0, map[int]int{}
		for i := range 300 {
			s.search = searchWays[i%len(searchWays)]
			if i%30 == 29 {
				mirror.move(t)
			}
			f := mirror.filter()
			want := mirror.listed(f)
			got := []int64{}
			for pages := 0; ; pages++ {
				require.LessOrEqual(t, pages, len(want), "%+v does not end", f)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				listing, err := s.ListOrders(ctx, 1, f)
				cancel()
				require.NoError(t, err, "%+v", f)
				for _, o := range listing.Orders {
					got = append(got, o.ID)
				}
				if listing.Next.ID == 0 {
					ways[min(pages, 2)]++
					break
				}
				require.Len(t, listing.Orders, f.Limit)
				f.Before = listing.Next
			}
			require.Equal(t, want, got, "%+v", f)
			found += len(got)
		}
		require.Greater(t, found, 2000, "the filters leave nothing")
		require.Greater(t, ways[2], 40, "the pages hold everything")
	})
}

// imagined is a mirror and what is in it.
type imagined struct {
	store  *Store
	random *rand.Rand
	orders map[int64]order.Snapshot
	gone   map[int64]bool
	edited map[int64]bool
	strays map[int64]bool // stand there from an earlier system
	clock  time.Time
	codes  map[int64]string  // the latest of the module shop
	blocks map[int64][]int64 // open ones
	// companies of the customers that the mirror knows
	companies map[int64]int64
}

const (
	imaginedIDs      = 500
	imaginedStranger = 8 // a company of which the mirror knows only the contacts
	imaginedPartners = 14
)

func newImagined(t *testing.T, s *Store, random *rand.Rand) *imagined {
	m := &imagined{store: s, random: random, orders: map[int64]order.Snapshot{}, gone: map[int64]bool{},
		edited: map[int64]bool{}, strays: map[int64]bool{}, codes: map[int64]string{},
		blocks: map[int64][]int64{}, companies: map[int64]int64{},
		clock: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	var customers []order.Customer
	for id := int64(1); id <= 12; id++ {
		if id != imaginedStranger {
			customers = append(customers, m.customer(id, id-id%4))
		}
	}
	require.NoError(t, s.UpsertCustomers(t.Context(), 1, customers))
	return m
}

// customer is what the ERP says of a partner. Some of an earlier version's have no company.
func (m *imagined) customer(id, company int64) order.Customer {
	m.companies[id] = cmp.Or(company, id)
	return order.Customer{ERPPartnerID: id, ERPCompanyID: company, Ref: fmt.Sprint("u-", id)}
}

// move takes some customers to other companies, new ones among them, and forgets one.
func (m *imagined) move(t *testing.T) {
	var customers []order.Customer
	for range 3 {
		customers = append(customers, m.customer(1+m.random.Int64N(imaginedPartners), 4*m.random.Int64N(4)))
	}
	require.NoError(t, m.store.UpsertCustomers(t.Context(), 1, customers))
	gone := 1 + m.random.Int64N(imaginedPartners)
	require.NoError(t, m.store.ForgetCustomers(t.Context(), 1, []int64{gone}))
	delete(m.companies, gone)
}

var imaginedStatuses = []order.Status{order.Draft, order.Completed, order.Completed, order.Completed, order.Cancelled}

// partner is often one, and rarely one of the others.
func (m *imagined) partner() int64 {
	if m.random.IntN(2) == 0 {
		return 1
	}
	return 1 + m.random.Int64N(imaginedPartners)
}

// write stores n orders, some of them newer states of those that are there. Many have the same time.
func (m *imagined) write(t *testing.T, n int) {
	m.clock = m.clock.Add(time.Hour)
	var batch []order.Snapshot
	for range n {
		id := 1 + m.random.Int64N(imaginedIDs)
		at := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, m.random.IntN(120))
		s := order.Snapshot{
			Order: order.Order{ID: id, Number: fmt.Sprintf("S%04d", id), Status: imaginedStatuses[m.random.IntN(len(imaginedStatuses))],
				Customer:  order.Party{ERPPartnerID: m.partner()},
				Reference: m.reference(),
				OrderedAt: at, Lines: []order.Line{{ERPLineID: id}}},
			WriteDate: m.clock, ReadAt: m.clock,
		}
		if former, known := m.orders[id]; known && m.random.IntN(3) == 0 {
			s.Reference, s.OrderedAt, s.Customer = former.Reference, former.OrderedAt, former.Customer
		}
		if slices.ContainsFunc(batch, func(other order.Snapshot) bool { return other.ID == id }) {
			continue
		}
		batch = append(batch, s)
		m.orders[id] = s
		delete(m.gone, id)
	}
	_, err := m.store.UpsertOrders(t.Context(), 1, batch, "sync")
	require.NoError(t, err)
	m.origin(t, batch)
}

// tell writes n entries into histories. Some block, and some close what does.
func (m *imagined) tell(t *testing.T, n int) {
	for i := range n {
		id := 1 + m.random.Int64N(imaginedIDs)
		if _, known := m.orders[id]; !known {
			continue
		}
		e := order.HistoryEntry{OrderID: id, Code: imaginedCodes[m.random.IntN(len(imaginedCodes))], Severity: order.Info, Key: fmt.Sprint(i)}
		if m.random.IntN(2) == 0 {
			e.Severity = order.Blocking
		}
		if open := m.blocks[id]; len(open) > 0 && m.random.IntN(2) == 0 {
			e.Closes, m.blocks[id] = open[0], open[1:]
		}
		written, _, err := m.store.WriteHistory(t.Context(), 1, e, func(order.HistoryEntry) error { return nil })
		require.NoError(t, err)
		m.codes[id] = e.Code
		if e.Severity == order.Blocking {
			m.blocks[id] = append(m.blocks[id], written.ID)
		}
	}
}

var imaginedCodes = []string{"shop:packed", "shop:packed", "shop:sent", "shop:lost"}

func (m *imagined) remove(t *testing.T, n int) {
	m.clock = m.clock.Add(time.Hour)
	var ids []int64
	for range n {
		id := 1 + m.random.Int64N(imaginedIDs)
		ids = append(ids, id)
		m.gone[id] = true
	}
	_, err := m.store.MarkDeleted(t.Context(), 1, ids, m.clock, "sync")
	require.NoError(t, err)
}

// unread gives some orders the look of rows that were never read from the ERP.
func (m *imagined) unread(t *testing.T, n int) {
	for range n {
		id := 1 + m.random.Int64N(imaginedIDs)
		m.strays[id] = true
		_, err := m.store.DB().ExecContext(t.Context(), "UPDATE orders SET write_date = NULL WHERE tenant_id = 1 AND erp_order_id = ?", id)
		require.NoError(t, err)
	}
}

// origin makes one of the orders' sources and whether people edited them a matter of their ids and states.
func (m *imagined) origin(t *testing.T, batch []order.Snapshot) {
	tx, err := m.store.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for i, s := range batch {
		source := imaginedSources[m.random.IntN(len(imaginedSources))]
		m.edited[s.ID] = m.random.IntN(4) == 0
		batch[i].Source = source
		m.orders[s.ID] = batch[i]
		_, err := tx.ExecContext(t.Context(), "UPDATE orders SET source = ?, edited = ? WHERE tenant_id = 1 AND erp_order_id = ?",
			source, m.edited[s.ID], s.ID)
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
}

var imaginedSources = []string{"portal", "portal", "portal", "shopify:eu", "odoo"}

func (m *imagined) filter() order.Filter {
	f := order.Filter{Limit: 1 + m.random.IntN(20)}
	switch m.random.IntN(6) {
	case 0:
		f.ERPPartnerID = m.partner()
	case 1:
		f.CustomerRef = fmt.Sprint("u-", m.partner())
	case 2:
		f.CompanyID = 4 * m.random.Int64N(4)
	}
	if m.random.IntN(3) == 0 {
		f.Status = imaginedStatuses[m.random.IntN(len(imaginedStatuses))]
	}
	if m.random.IntN(3) == 0 {
		f.From = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, m.random.IntN(120))
	}
	if m.random.IntN(3) == 0 {
		f.To = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, m.random.IntN(120))
	}
	if m.random.IntN(3) == 0 {
		f.Source = imaginedSources[m.random.IntN(len(imaginedSources))]
	}
	switch m.random.IntN(4) {
	case 0:
		f.Sync = order.SyncDeleted
	case 1:
		f.Sync = order.SyncDrifted
	}
	if m.random.IntN(2) == 0 {
		f.Query = m.query()
	}
	if m.random.IntN(6) == 0 {
		f.Code = imaginedCodes[m.random.IntN(len(imaginedCodes))]
	}
	f.Blocked = m.random.IntN(8) == 0
	return f
}

// listed is the ids that a filter selects.
func (m *imagined) listed(f order.Filter) []int64 {
	var all []order.Snapshot
	for _, s := range m.orders {
		partner := s.Customer.ERPPartnerID
		company, known := m.companies[partner]
		if !known {
			company = partner
		}
		switch {
		case m.strays[s.ID],
			m.gone[s.ID] != (f.Sync == order.SyncDeleted),
			f.Sync == order.SyncDrifted && !m.edited[s.ID],
			f.Source != "" && f.Source != s.Source,
			f.ERPPartnerID != 0 && f.ERPPartnerID != partner,
			f.CustomerRef != "" && (!known || f.CustomerRef != fmt.Sprint("u-", partner)),
			f.CompanyID != 0 && f.CompanyID != company,
			f.Status != "" && f.Status != s.Status,
			f.Code != "" && f.Code != m.codes[s.ID],
			f.Blocked && len(m.blocks[s.ID]) == 0,
			!f.From.IsZero() && s.OrderedAt.Before(f.From),
			!f.To.IsZero() && !s.OrderedAt.Before(f.To),
			f.Query != "" && !wordBegins(f.Query, s.Number, s.Reference):
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b order.Snapshot) int {
		return cmp.Or(b.OrderedAt.Compare(a.OrderedAt), cmp.Compare(b.ID, a.ID))
	})
	ids := []int64{}
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

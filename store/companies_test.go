package store

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"ordergate/migrations"
	"ordergate/order"
)

var companyDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// ordersOf are orders of a customer, with these ids, as they were at an hour of the day.
func ordersOf(partner int64, hour int, ids ...int64) []order.Snapshot {
	at := companyDay.Add(time.Duration(hour) * time.Hour)
	snapshots := make([]order.Snapshot, len(ids))
	for i, id := range ids {
		snapshots[i] = order.Snapshot{WriteDate: at, ReadAt: at, Order: order.Order{ID: id, Status: order.Completed, OrderedAt: companyDay,
			Customer: order.Party{ERPPartnerID: partner}}}
	}
	return snapshots
}

func contactOf(partner, company int64, hour int) order.Customer {
	return order.Customer{ERPPartnerID: partner, ERPCompanyID: company, WriteDate: companyDay.Add(time.Duration(hour) * time.Hour)}
}

func (s *Store) write(t *testing.T, snapshots []order.Snapshot, customers ...order.Customer) {
	t.Helper()
	require.NoError(t, s.UpsertCustomers(t.Context(), 1, customers))
	_, err := s.UpsertOrders(t.Context(), 1, snapshots, "sync")
	require.NoError(t, err)
}

// requireCompanies demands that each company's orders are these, by rising id, and are stored as its own.
func requireCompanies(t *testing.T, s *Store, want map[int64][]int64) {
	t.Helper()
	for company, ids := range want {
		listing, err := s.ListOrders(t.Context(), 1, order.Filter{CompanyID: company})
		require.NoError(t, err)
		got := []int64{}
		for i := len(listing.Orders) - 1; i >= 0; i-- {
			got = append(got, listing.Orders[i].ID)
		}
		require.Equal(t, ids, got, "company %d", company)
	}
	var wrong int64
	require.NoError(t, s.gorm.Raw("SELECT COUNT(*) FROM orders o LEFT JOIN customers c ON c.tenant_id = o.tenant_id"+
		" AND c.erp_partner_id = o.erp_partner_id WHERE o.erp_company_id <> COALESCE(NULLIF(c.erp_company_id, 0), o.erp_partner_id)").
		Scan(&wrong).Error)
	require.Zero(t, wrong, "orders are stored as another company's")
}

func TestOrdersFollowTheirCustomersCompany(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		s.write(t, ordersOf(3, 1, 1, 2))
		requireCompanies(t, s, map[int64][]int64{3: {1, 2}})
		s.write(t, nil, contactOf(3, 20, 2), contactOf(4, 20, 2), contactOf(5, 5, 2))
		requireCompanies(t, s, map[int64][]int64{3: {}, 20: {1, 2}})
		s.write(t, append(ordersOf(4, 3, 3), ordersOf(5, 3, 4)...))
		requireCompanies(t, s, map[int64][]int64{20: {1, 2, 3}, 5: {4}})

		s.write(t, nil, contactOf(3, 30, 5))
		requireCompanies(t, s, map[int64][]int64{20: {3}, 30: {1, 2}})
		s.write(t, nil, contactOf(3, 20, 4))
		requireCompanies(t, s, map[int64][]int64{20: {3}, 30: {1, 2}}) // that was an older state
		s.write(t, ordersOf(4, 6, 2), contactOf(5, 0, 6))
		requireCompanies(t, s, map[int64][]int64{20: {2, 3}, 30: {1}, 5: {4}})

		record := &recorder{Interface: logger.Discard}
		s.gorm.Logger = record
		s.write(t, nil, contactOf(3, 30, 7))
		require.Len(t, record.taken(), 2, "the customer is read and written, and no order is looked for")

		require.NoError(t, s.ForgetCustomers(t.Context(), 1, []int64{3, 4}))
		requireCompanies(t, s, map[int64][]int64{20: {}, 30: {}, 3: {1}, 4: {2, 3}, 5: {4}})
	})
}

// Whatever an order's row says, a company sees only what its customers' rows give it.
func TestAMistakeHidesOrders(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		s.write(t, ordersOf(3, 1, 1, 2), contactOf(3, 20, 1))
		_, err := s.MarkDeleted(t.Context(), 1, []int64{2}, time.Now(), "sync")
		require.NoError(t, err)
		_, err = s.DB().ExecContext(t.Context(), "UPDATE orders SET erp_company_id = 30, edited = 1")
		require.NoError(t, err)
		for _, f := range []order.Filter{{}, {Status: order.Completed}, {Source: order.SourceERP}, {Sync: order.SyncDrifted}, {Sync: order.SyncDeleted},
			{ERPPartnerID: 3}, {ERPPartnerID: 3, Status: order.Completed}, {Sync: order.SyncDeleted, ERPPartnerID: 3}} {
			f.CompanyID = 30
			listing, err := s.ListOrders(t.Context(), 1, f)
			require.NoError(t, err)
			require.Empty(t, listing.Orders, "%+v", f)
		}
	})
}

// An order is written while its customer comes or moves: neither may miss the other.
func TestAnOrderAndItsCustomerMeet(t *testing.T) {
	t.Parallel()
	const waits = 300 * time.Millisecond // far longer than writing takes that waits for nobody
	moving := map[string][]order.Customer{"it moves": {contactOf(3, 30, 2)}, "it comes": {contactOf(7, 30, 2)}}
	onDatabases(t, func(t *testing.T, s *Store) {
		if s.dialect == migrations.SQLite {
			return // its transactions exclude each other
		}
		meet := func(t *testing.T, first func(tx *gorm.DB) error, second func() error) {
			tx := s.gorm.WithContext(t.Context()).Begin()
			require.NoError(t, tx.Error)
			defer tx.Rollback()
			require.NoError(t, first(tx))
			done := make(chan error, 1)
			go func() { done <- second() }()
			time.Sleep(waits)
			require.NoError(t, tx.Commit().Error)
			require.NoError(t, <-done)
		}
		for name, customers := range moving {
			partner := customers[0].ERPPartnerID
			ids := []int64{100 * partner, 100*partner + 1, 100*partner + 2}
			s.write(t, nil, contactOf(3, 20, 1))
			t.Run(name+" in a transaction", func(t *testing.T) {
				meet(t, func(tx *gorm.DB) error { return s.upsertCustomers(tx, 1, customers) },
					func() error {
						_, err := s.UpsertOrders(t.Context(), 1, ordersOf(partner, 3, ids[0]), "sync")
						return err
					})
				requireCompanies(t, s, map[int64][]int64{30: ids[:1]})
			})
			require.NoError(t, s.ForgetCustomers(t.Context(), 1, []int64{partner}))
			t.Run(name+" while orders are in a transaction", func(t *testing.T) {
				meet(t, func(tx *gorm.DB) error {
					arrivals, err := prepareSnapshots(ordersOf(partner, 3, ids[1]), &Upserted{})
					require.NoError(t, err)
					up := upsert{store: s, tx: tx, tenantID: 1, now: s.now()}
					return up.run(arrivals)
				}, func() error { return s.UpsertCustomers(t.Context(), 1, customers) })
				requireCompanies(t, s, map[int64][]int64{30: ids[:2]})
			})
			require.NoError(t, s.ForgetCustomers(t.Context(), 1, []int64{partner}))
		}
		t.Run("it comes after it was looked for", func(t *testing.T) {
			var came atomic.Bool
			require.NoError(t, s.gorm.Callback().Create().Before("gorm:create").Register("a customer comes", func(tx *gorm.DB) {
				if tx.Statement.Table == "orders" && came.CompareAndSwap(false, true) {
					require.NoError(t, s.UpsertCustomers(t.Context(), 1, []order.Customer{contactOf(8, 40, 2)}))
				}
			}))
			s.write(t, ordersOf(8, 3, 800))
			require.True(t, came.Load())
			requireCompanies(t, s, map[int64][]int64{40: {800}})
		})
		t.Run("it comes while its orders are put right", func(t *testing.T) {
			s.write(t, ordersOf(9, 3, 900))
			_, err := s.DB().ExecContext(t.Context(), "UPDATE orders SET erp_company_id = 0 WHERE erp_partner_id = 9")
			require.NoError(t, err)
			var came atomic.Bool
			require.NoError(t, s.gorm.Callback().Raw().Before("gorm:raw").Register("a customer comes", func(tx *gorm.DB) {
				if strings.HasPrefix(tx.Statement.SQL.String(), "UPDATE orders") && came.CompareAndSwap(false, true) {
					require.NoError(t, s.UpsertCustomers(t.Context(), 1, []order.Customer{contactOf(9, 40, 2)}))
				}
			}))
			_, err = s.CorrectCompanies(t.Context(), 1)
			require.NoError(t, err)
			require.True(t, came.Load())
			requireCompanies(t, s, map[int64][]int64{40: {800, 900}})
		})
	})
}

// The second customer cannot be stored. The first one's move had a transaction of its own.
func TestCustomersOfManyOrdersAreMovedOneByOne(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		ids := make([]int64, movedOrders+1)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		named := order.Customer{ERPPartnerID: 9, Ref: "u-9"}
		s.write(t, ordersOf(3, 1, ids...), contactOf(3, 20, 1), contactOf(4, 20, 1), named)
		refused := contactOf(4, 30, 2)
		refused.Ref = named.Ref
		require.ErrorIs(t, s.UpsertCustomers(t.Context(), 1, []order.Customer{contactOf(3, 30, 2), refused}), ErrExists)
		var moved int64
		require.NoError(t, s.gorm.Model(&orderRow{}).Where("tenant_id = 1 AND erp_company_id = 30").Count(&moved).Error)
		require.EqualValues(t, len(ids), moved)
	})
}

// What a process of an earlier version does to a database of this one's.
func TestOrdersOfAnotherCompanyAreCorrected(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		ids := make([]int64, companyBatch+5)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		s.write(t, ordersOf(3, 1, ids...), contactOf(3, 20, 1), contactOf(5, 20, 1))
		s.write(t, append(ordersOf(4, 1, 7001), ordersOf(5, 1, 7002)...))
		for _, statement := range []string{
			"UPDATE orders SET erp_company_id = 0 WHERE erp_partner_id = 4 OR erp_order_id > 1002 AND erp_partner_id = 3",
			"UPDATE customers SET erp_company_id = 30 WHERE erp_partner_id = 3",
		} {
			_, err := s.DB().ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		corrected, err := s.CorrectCompanies(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 2, corrected)
		requireCompanies(t, s, map[int64][]int64{4: {7001}, 20: {7002}})
		corrected, err = s.CorrectCompanies(t.Context(), 1)
		require.NoError(t, err)
		require.Zero(t, corrected)
	})
}

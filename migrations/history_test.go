package migrations_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
)

// Histories as the version before wrote them, of more orders than one batch has.
func TestOldHistoriesAreBroughtAlong(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		const orders, step = 503, 23
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), step-1, nil))
		var rows, entries []string
		for id := 1; id <= orders; id++ {
			status, deleted, documents := "confirmed", "NULL", "NULL"
			switch id {
			case 2:
				deleted = "'2026-01-05'"
			case 3:
				documents = `'{"deliveries":[{"id":12,"number":"WH/OUT/12","state":"delivered"}],"invoices":[{"id":5,"state":"posted","payment":"paid","currency":"EUR","amount_total":"10","amount_due":"0"}]}'`
			}
			rows = append(rows, fmt.Sprintf(`(%d, %d, %d, 'S%05d', '%s', 1, '', 'EUR', 0, 0, 0, '2026-01-01 00:00:00', '2026-01-01', '2026-01-01', '2026-01-01', '', '', %s, %s)`,
				id, 1+id%2, 1000+id, id, status, deleted, documents))
			if id == 4 {
				continue // an order that nobody wrote a history of
			}
			for i, e := range []string{"'appeared', 'info', '', 'draft', '', 'sync', '2026-01-02 00:00:00.5'",
				"'status_changed', 'info', 'draft', 'confirmed', '', 'shop', '2026-01-03 00:00:00'"} {
				entries = append(entries, fmt.Sprintf("(%d, %d, %d, %s)", 10*id-i, 1+id%2, id, e)) // written in another order than it happened
			}
		}
		for _, e := range []string{
			"20003, 1, 2, 'deleted', 'warning', 'confirmed', '', '', 'sync', '2026-01-04'",
			"20004, 2, 5, 'edited', 'warning', '', '', 'differs from what was sent: total 1 instead of 2 EUR', 'sync', '2026-01-04'",
			"20005, 2, 5, 'edited', 'info', '', '', 'is again as it was sent', 'sync', '2026-01-05'",
			"20006, 1, 6, 'status_changed', 'info', '', 'Sent by mail!', 'seen', 'old', '2026-01-04'",
		} {
			entries = append(entries, "("+e+")")
		}
		exec(t, s.DB(), `INSERT INTO orders (id, tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency, amount_untaxed, amount_tax,
			amount_total, ordered_at, created_at, updated_at, write_date, note, search_text, deleted_at, documents) VALUES `+strings.Join(rows, ","))
		exec(t, s.DB(), `INSERT INTO order_history (id, tenant_id, order_id, code, severity, from_status, to_status, detail, recorded_by, recorded_at)
			VALUES `+strings.Join(entries, ","))
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))

		codes := func(id int64) (codes []string) {
			history, err := s.History(t.Context(), 1+id%2, 1000+id, order.HistoryFilter{})
			require.NoError(t, err)
			for _, e := range history {
				codes = append(codes, e.Code)
			}
			return codes
		}
		require.Equal(t, []string{"order:appeared", "order:confirmed"}, codes(1))
		require.Equal(t, []string{"order:appeared", "order:confirmed", "order:deleted"}, codes(2))
		require.Equal(t, []string{"order:appeared", "order:confirmed", "inventory:delivery_created", "inventory:shipped", "billing:invoice_created",
			"billing:invoice_posted", "payment:paid"}, codes(3))
		require.Equal(t, []string{"order:appeared", "order:confirmed"}, codes(4))
		require.Equal(t, []string{"order:appeared", "order:confirmed", "order:edited", "order:unedited"}, codes(5))
		require.Equal(t, []string{"order:appeared", "order:confirmed", "order:noted"}, codes(6))
		history, err := s.History(t.Context(), 2, 1001, order.HistoryFilter{})
		require.NoError(t, err)
		require.JSONEq(t, `{"from": "draft", "to": "confirmed"}`, history[1].Payload)
		require.Equal(t, "shop", history[1].WrittenBy)
		require.Equal(t, "2026-01-02T00:00:00.5Z", history[0].RecordedAt.Format("2006-01-02T15:04:05.999999999Z07:00"))
		requireIntact := func() {
			for tenant := int64(1); tenant <= 2; tenant++ {
				check, _, err := s.VerifyHistory(t.Context(), tenant, 0)
				require.NoError(t, err)
				require.Empty(t, check.Faults)
				require.GreaterOrEqual(t, check.Orders, int64(orders/2))
			}
		}
		requireIntact()
		listing, err := s.ListOrders(t.Context(), 2, order.Filter{Code: "payment:paid"})
		require.NoError(t, err)
		require.Len(t, listing.Orders, 1)

		// What comes then says nothing again.
		counts, err := s.UpsertOrders(t.Context(), 2, []order.Snapshot{{WriteDate: storetest.At(10, 0), Order: order.Order{ID: 1003, Status: order.Confirmed,
			Deliveries: []order.Delivery{{ID: 12, Number: "WH/OUT/12", State: order.DocumentDelivered}}}}}, "sync")
		require.NoError(t, err)
		require.Equal(t, store.Upserted{Updated: 1}, counts)
		require.Len(t, codes(3), 7)

		// It was stopped on its way.
		all := count(t, s.DB(), "SELECT COUNT(*) FROM history_entries")
		exec(t, s.DB(), "DELETE FROM goose_db_version WHERE version_id = ?", step)
		for _, table := range []string{"history_entries", "history_heads", "history_latest"} {
			exec(t, s.DB(), "DELETE FROM "+table+" WHERE erp_order_id > 1300")
		}
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		require.EqualValues(t, all, count(t, s.DB(), "SELECT COUNT(*) FROM history_entries"))
		requireIntact()
	})
}

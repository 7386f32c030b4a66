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

const standingStep = 24

// Orders that stand there get the state that their status stood for, and a status that derives from their lines and documents;
// more of them than one batch.
func TestStandingOrdersGetTheirStanding(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), standingStep-1, nil))
		const out, back = `{"id":1,"number":"O1","state":"%s"}`, `{"id":2,"number":"R1","state":"%s","return":true}`
		const invoice = `{"id":3,"state":"posted","payment":"paid","currency":"EUR","amount_total":"10","amount_due":"%s"}`
		type quantities struct{ ordered, delivered, invoiced string }
		standing := func(state order.ERPState, status order.Status, f order.Fulfilment, p order.Payment) order.Order {
			return order.Order{State: state, Status: status, Fulfilment: f, Payment: p}
		}
		cases := map[int64]struct {
			status    string
			documents any
			lines     []quantities
			want      order.Order
		}{
			1: {"draft", nil, []quantities{{"2", "0", "0"}}, standing("draft", "draft", "none", "none")},
			2: {"sent", nil, nil, standing("sent", "draft", "none", "none")},
			3: {"cancelled", nil, nil, standing("cancel", "cancelled", "none", "none")},
			4: {"confirmed", `{"deliveries":[` + fmt.Sprintf(out, "waiting") + `]}`, []quantities{{"2", "0", "0"}},
				standing("sale", "confirmed", "none", "none")},
			5: {"confirmed", `{"deliveries":[` + fmt.Sprintf(out, "ready") + `]}`, []quantities{{"2", "0", "0"}},
				standing("sale", "picking", "none", "none")},
			6: {"confirmed", `{"deliveries":[` + fmt.Sprintf(out, "delivered") + `,` + fmt.Sprintf(out, "waiting") + `]}`,
				[]quantities{{"2", "1", "0"}}, standing("sale", "shipped", "partial", "none")},
			7: {"done", `{"deliveries":[` + fmt.Sprintf(out, "delivered") + `],"invoices":[` + fmt.Sprintf(invoice, "0") + `]}`,
				[]quantities{{"2", "2", "2"}, {"1", "0", "1"}}, standing("done", "completed", "full", "paid")},
			8: {"done", `{"deliveries":[` + fmt.Sprintf(out, "delivered") + `,` + fmt.Sprintf(back, "delivered") + `],"invoices":[` +
				fmt.Sprintf(invoice, "4") + `]}`, []quantities{{"2", "1", "1"}}, standing("done", "delivered", "partially_returned", "partial")},
			9:    {"Processing", nil, []quantities{{"2", "0", "0"}}, standing("Processing", "draft", "none", "none")},
			1203: {"confirmed", nil, []quantities{{"2", "2", "0"}}, standing("sale", "delivered", "full", "none")},
		}
		var rows []string
		for id := int64(1); id <= 1203; id++ {
			status := "draft"
			if c, known := cases[id]; known {
				status = c.status
			}
			rows = append(rows, fmt.Sprintf(`(%d, 1, %d, 'S%05d', '%s', 1, '', 'EUR', 0, 0, 0, '2026-01-01', '2026-01-01', '2026-01-01',
				'2026-01-01', '', '')`, id, id, id, status))
		}
		exec(t, s.DB(), `INSERT INTO orders (id, tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
			amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, write_date, note, search_text) VALUES `+strings.Join(rows, ","))
		for id, c := range cases {
			exec(t, s.DB(), "UPDATE orders SET documents = ? WHERE id = ?", c.documents, id)
			for _, l := range c.lines {
				exec(t, s.DB(), `INSERT INTO order_lines (tenant_id, order_id, erp_line_id, sku, name, quantity, unit_price, discount,
					subtotal, unit_of_measure, delivered, invoiced) VALUES (1, ?, 1, '', '', ?, 0, 0, 0, '', ?, ?)`, id, l.ordered, l.delivered, l.invoiced)
			}
		}
		for tenant := int64(1); tenant <= 2; tenant++ {
			exec(t, s.DB(), "INSERT INTO sync_cursors (tenant_id, model, complete) VALUES (?, 'sale.order', 1), (?, 'res.partner', 1)", tenant, tenant)
		}
		exec(t, s.DB(), "INSERT INTO sync_backfills (tenant_id, after_id, orders, erp_began, updated_at) VALUES (1, 9, 9, '2026-01-01', '2026-01-01')")
		check := func() {
			t.Helper()
			for id, c := range cases {
				o, err := s.Order(t.Context(), 1, id)
				require.NoError(t, err)
				require.Equal(t, c.want, standing(o.State, o.Status, o.Fulfilment, o.Payment), "order %d", id)
			}
			require.EqualValues(t, 1203, count(t, s.DB(), "SELECT COUNT(*) FROM orders WHERE erp_state <> ''"))
		}
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		check()
		o, err := s.Order(t.Context(), 1, 8)
		require.NoError(t, err)
		require.Equal(t, []order.DeliveryKind{order.DeliveryOutgoing, order.DeliveryReturn}, []order.DeliveryKind{o.Deliveries[0].Kind, o.Deliveries[1].Kind})
		require.Equal(t, "R1", o.Deliveries[1].Number)
		require.Equal(t, "4", o.Invoices[0].AmountDue.String())

		// What the mirror did not hold is read: every order once more, of the tenant that has some, from the first on.
		require.False(t, cursor(t, s, 1, "sale.order"))
		require.True(t, cursor(t, s, 1, "res.partner"))
		require.True(t, cursor(t, s, 2, "sale.order"))
		require.Zero(t, count(t, s.DB(), "SELECT COUNT(*) FROM sync_backfills"))

		// It was stopped behind the first batch, and an order that was done has moved on since.
		exec(t, s.DB(), "DELETE FROM goose_db_version WHERE version_id = ?", standingStep)
		exec(t, s.DB(), "UPDATE orders SET erp_state = '', status = 'confirmed' WHERE id = 1203")
		exec(t, s.DB(), "UPDATE orders SET status = 'on_hold' WHERE id = 600")
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		check()
		require.EqualValues(t, 1, count(t, s.DB(), "SELECT COUNT(*) FROM orders WHERE status = 'on_hold'"), "what was done is passed over")
	})
}

// cursor reports whether a model was ever read as a whole.
func cursor(t *testing.T, s *store.Store, tenant int64, model string) bool {
	t.Helper()
	c, err := s.Cursor(t.Context(), tenant, model)
	require.NoError(t, err)
	return c.Complete
}

package migrations_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store/storetest"
)

// Orders that stand there are found like those that come; more of them than one batch, and one with very many words.
func TestStandingOrdersGetTheirTerms(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		const orders = 1203
		const termsStep = 22
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), termsStep-1, nil))
		var rows []string
		for id := 1; id <= orders; id++ {
			reference := fmt.Sprintf("GRÖSSE-%04d", id)
			if id == 600 {
				reference = strings.Repeat("a1", 2000)
			}
			rows = append(rows, fmt.Sprintf(`(%d, %d, 'S%05d', 'done', 1, '%s', 'EUR', 0, 0, 0, '2026-01-01 00:%02d:%02d', '2026-01-01',
				'2026-01-01', '2026-01-01', '', 's%05d')`, 1+id%2, id, id, reference, id/60, id%60, id))
		}
		exec(t, s.DB(), `INSERT INTO orders (tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
			amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, write_date, note, search_text) VALUES `+strings.Join(rows, ","))
		found := func(query string, want ...int64) {
			t.Helper()
			got := []int64{}
			for tenant := int64(1); tenant <= 2; tenant++ {
				listing, err := s.ListOrders(t.Context(), tenant, order.Filter{Query: query})
				require.NoError(t, err)
				for _, o := range listing.Orders {
					got = append(got, o.ID)
				}
			}
			require.Equal(t, append([]int64{}, want...), got, query)
		}
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		all := count(t, s.DB(), "SELECT COUNT(*) FROM order_terms")
		found("größe") // what another word is
		found("grösse-120", 1202, 1200, 1203, 1201)
		found("600", 600)
		found("a1a1", 600)

		// It was stopped behind the first batch.
		exec(t, s.DB(), "DELETE FROM goose_db_version WHERE version_id = ?", termsStep)
		exec(t, s.DB(), "DELETE FROM order_terms WHERE erp_order_id > 500")
		exec(t, s.DB(), "UPDATE orders SET search_text = number WHERE erp_order_id > 500")
		exec(t, s.DB(), "DELETE FROM order_terms WHERE erp_order_id = 7")
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		require.EqualValues(t, all, count(t, s.DB(), "SELECT COUNT(*) FROM order_terms")+int64(len(order.SearchTerms("S00007", "GRÖSSE-0007"))),
			"what was done is passed over, what was not is done")
		found("1203", 1203)
		found("a1a1", 600)
	})
}

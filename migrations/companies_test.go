package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/store/storetest"
)

// As earlier versions left them. Some have their company already: the program was stopped before it came to the others.
func TestOrdersAreGivenTheirCompanies(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 20, nil))
		exec(t, s.DB(), `INSERT INTO orders (tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
			amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, note, search_text)
			VALUES (1, 0, '', 'draft', 0, '', 'EUR', 0, 0, 0, '2026-01-01', '2026-01-01', '2026-01-01', '', '')`)
		const orders = 1 << 13 // more than one batch
		for n := 1; n < orders; n *= 2 {
			exec(t, s.DB(), `INSERT INTO orders (tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
				amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, note, search_text)
				SELECT tenant_id, erp_order_id + ?, number, status, (erp_order_id + ?) % 4, reference, currency, amount_untaxed,
				amount_tax, amount_total, ordered_at, created_at, updated_at, note, search_text FROM orders`, n, n)
		}
		for partner, company := range map[int]int{1: 7, 2: 0} { // and nothing is known of 3
			exec(t, s.DB(), `INSERT INTO customers (tenant_id, erp_partner_id, erp_company_id, name, email, phone, active,
				search_text, created_at, updated_at) VALUES (1, ?, ?, '', '', '', 1, '', '2026-01-01', '2026-01-01')`, partner, company)
		}
		if s.Dialect() == migrations.MySQL { // SQLite does it in one transaction
			exec(t, s.DB(), "ALTER TABLE orders ADD erp_company_id BIGINT NOT NULL DEFAULT 0")
			exec(t, s.DB(), "UPDATE orders SET erp_company_id = 7 WHERE erp_partner_id = 1 AND id <= 3000")
		}
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		for partner, company := range map[int]int{1: 7, 2: 2, 3: 3} {
			require.EqualValues(t, orders/4, count(t, s.DB(),
				"SELECT COUNT(*) FROM orders WHERE erp_partner_id = ? AND erp_company_id = ?", partner, company), "partner %d", partner)
		}
	})
}

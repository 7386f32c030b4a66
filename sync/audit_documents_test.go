package ordersync_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// movedERP has one delivery, which is another order's than the mirror thinks.
type movedERP struct {
	*countingERP
	delivery order.Document
	lists    int
}

func (e *movedERP) DocumentTotals(_ context.Context, of order.DocumentSlice) ([]order.Totals, error) {
	if of.Kind == order.Invoices {
		return nil, nil
	}
	return []order.Totals{{Group: order.TotalsGroup{Document: e.delivery.State}, Count: 1, IDSum: e.delivery.ID, RefSum: e.delivery.OrderID,
		FirstID: e.delivery.ID, LastID: e.delivery.ID}}, nil
}

func (e *movedERP) Documents(context.Context, order.DocumentSlice) ([]order.Document, error) {
	e.lists++
	return []order.Document{e.delivery}, nil
}

// Number and ids of the deliveries are the same on both sides.
func TestAuditSeesADeliveryOfAnotherOrder(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 2)
	erp := &movedERP{countingERP: w.erp, delivery: order.Document{ID: 7, OrderID: ids[0], State: order.Waiting}}
	w.cfg.ERP, w.cfg.Registerer = erp, nil
	s, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer s.Close()
	w.mirror(t, ids[0], `UPDATE orders SET documents = '{"deliveries":[{"id":7,"state":"waiting"}]}' WHERE id = ?`)
	w.later(10 * time.Minute)
	audit := func() map[int64]order.FindingKind {
		run, err := s.Audit(t.Context(), ordersync.AuditOptions{})
		require.NoError(t, err)
		return kindsOf(w.findings(t, run))
	}
	require.Empty(t, audit())
	require.Zero(t, erp.lists, "the sums agree")
	erp.delivery.OrderID = ids[1]
	require.Equal(t, map[int64]order.FindingKind{ids[0]: order.FindingStale}, audit())
	require.Equal(t, 1, erp.lists)
}

// What people do to documents, and what the user comes to see later, which leaves no date at all.
func TestAuditSeesDocumentsThatAreGoneMovedOrNew(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]func(t *testing.T) *auditWorld{
		"Odoo 14 and MariaDB": func(t *testing.T) *auditWorld { return realWorld(t, 14, env.Database(t, env.MariaDB(t))) },
		"Odoo 19 and MySQL":   func(t *testing.T) *auditWorld { return realWorld(t, 19, env.Database(t, env.MySQL(t))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			w.people(t, "product.product", "write", []any{w.product}, map[string]any{"invoice_policy": "order"})
			var ids []int64
			for range 6 {
				ids = append(ids, w.newOrder(t))
				w.people(t, "sale.order", "action_confirm", []any{ids[len(ids)-1]})
			}
			delivery := func(of int64) []any {
				found := w.people(t, "stock.picking", "search", []any{[]any{"sale_id", "=", of}}).([]any)
				require.Len(t, found, 1)
				return found
			}
			invoice := w.invoice(t, ids[2], ids[3])
			require.NoError(t, w.MirrorOrders(t.Context(), ids))
			w.later(3 * time.Second)
			require.Zero(t, w.audit(t, true).FindingCount())

			w.people(t, "stock.picking", "unlink", delivery(ids[0]))
			w.people(t, "stock.picking", "write", delivery(ids[1]), map[string]any{"sale_id": ids[4]})
			w.people(t, "account.move", "unlink", []any{invoice})
			w.mirror(t, ids[5], "UPDATE orders SET documents = NULL WHERE id = ?") // as if the user might see them only now
			w.later(3 * time.Second)
			found := w.findings(t, w.audit(t, true))
			require.Len(t, found, len(ids))
			for i, id := range ids {
				require.Equal(t, order.FindingRepaired, found[id].State, "%d: %+v", i, found)
			}
			require.Zero(t, w.audit(t, true).FindingCount())
		})
	}
}

// invoice makes one invoice, a draft, of orders of one customer.
func (w *auditWorld) invoice(t *testing.T, ids ...int64) int64 {
	t.Helper()
	var active []any
	for _, id := range ids {
		active = append(active, id)
	}
	act := func(method string, args ...any) any {
		answer, _ := odoorpc.Execute(w.server.URL, w.server.Database, w.server.AdminUser, w.server.AdminPassword, "sale.advance.payment.inv", method,
			args, map[string]any{"context": map[string]any{"active_model": "sale.order", "active_ids": active, "active_id": ids[0]}})
		return answer // proves nothing, and need not even be marshalled
	}
	act("create_invoices", []any{act("create", map[string]any{"advance_payment_method": "delivered"})})
	found := w.people(t, "account.move", "search", []any{[]any{"line_ids.sale_line_ids.order_id", "in", active}}).([]any)
	require.Len(t, found, 1)
	return found[0].(int64)
}

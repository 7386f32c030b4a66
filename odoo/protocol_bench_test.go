package odoo_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// BenchmarkProtocols does the same over both protocols in turn, on a real Odoo 19, and reports the medians. What it makes is
// deleted in the end.
func BenchmarkProtocols(b *testing.B) {
	server := env.Odoo(b, 19)
	clients := map[odoo.Protocol]*odoo.Client{}
	for protocol, password := range map[odoo.Protocol]string{odoo.XMLRPC: server.Password, odoo.JSON2: server.APIKey(b)} {
		c, err := odoo.New(odoo.Config{URL: server.URL, Database: server.Database, User: server.User, Password: password, Protocol: protocol, CallTimeout: time.Minute})
		require.NoError(b, err)
		defer c.Close()
		require.NoError(b, c.Ping(b.Context()))
		clients[protocol] = c
	}
	admin := func(model, method string, args ...any) any {
		answer, err := odoorpc.Execute(server.URL, server.Database, server.AdminUser, server.AdminPassword, model, method, args, nil)
		require.NoError(b, err)
		return answer
	}
	product := admin("product.product", "create", map[string]any{"name": "Benchmark", "list_price": 12.5, "taxes_id": false}).(int64)
	partner := admin("res.partner", "create", map[string]any{"name": "Benchmark"}).(int64)
	var made []any
	defer func() {
		admin("sale.order", "unlink", made)
		admin("product.product", "unlink", []any{product})
		admin("res.partner", "unlink", []any{partner})
	}()
	tag, placed := time.Now().UnixNano(), 0
	placing := func(n int) func(ctx context.Context, c *odoo.Client) error {
		return func(ctx context.Context, c *odoo.Client) error {
			orders := make([]odoo.NewOrder, n)
			for i := range orders {
				placed++
				id := fmt.Sprintf("bench_%d_%d", tag, placed)
				orders[i] = odoo.NewOrder{ExternalID: id, PartnerID: partner, Lines: []odoo.NewLine{
					{ExternalID: id + "_1", ProductID: product, Quantity: decimal.New(2, 0)},
					{ExternalID: id + "_2", ProductID: product, Quantity: decimal.New(1, 0)}}}
			}
			for _, result := range c.PlaceOrders(ctx, orders) {
				if result.Err != nil {
					return result.Err
				}
				made = append(made, result.ID)
			}
			return nil
		}
	}
	for _, work := range []struct {
		name string
		do   func(ctx context.Context, c *odoo.Client) error
	}{
		{"search one id", func(ctx context.Context, c *odoo.Client) error { return c.Ping(ctx) }},
		{"load one order", placing(1)},
		{"load 20 orders", placing(20)},
		{"search_read 1000 heads", func(ctx context.Context, c *odoo.Client) error {
			_, err := c.OrderHeads(ctx, odoo.Page{Limit: 1000})
			return err
		}},
		{"web_read 20 orders", func(ctx context.Context, c *odoo.Client) error {
			ids := make([]int64, 0, 20)
			for _, id := range made[:20] {
				ids = append(ids, id.(int64))
			}
			_, err := c.Orders(ctx, ids)
			return err
		}},
	} {
		b.Run(work.name, func(b *testing.B) {
			took := map[odoo.Protocol][]time.Duration{}
			for b.Loop() {
				for protocol, c := range clients {
					started := time.Now()
					require.NoError(b, work.do(b.Context(), c))
					took[protocol] = append(took[protocol], time.Since(started))
				}
			}
			for protocol, all := range took {
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, string(protocol)+"-ms")
			}
		})
	}
}

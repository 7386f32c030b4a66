package gateway_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// damaged is an entry of the warehouse's that blocks the order.
func damaged(id int64) order.HistoryEntry {
	return order.HistoryEntry{ID: id, OrderID: 4711, Code: "warehouse:damaged", Category: "quality", Severity: order.Blocking,
		Payload: `{"pallet":"17"}`, Detail: "One box is crushed.", WrittenBy: "scanner", RecordedAt: start, Hash: "aa"}
}

func TestGetOrderHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.history = func(_ context.Context, _ order.Caller, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error) {
		require.Equal(t, order.HistoryFilter{Limit: order.DefaultPageSize + 1}, f)
		placed := order.Entry(id, order.HistoryPlaced)
		placed.ID, placed.WrittenBy, placed.RecordedAt, placed.Hash = 1, "shop-portal", start, "99"
		block := damaged(2)
		block.ClosedBy, block.ClosedAt = 3, start.Add(time.Minute)
		closing := order.Entry(id, "operator:released")
		closing.ID, closing.Category, closing.Closes, closing.WrittenBy, closing.RecordedAt, closing.Hash = 3, "general", 2, "ops", start, "bb"
		return []order.HistoryEntry{placed, block, closing}, nil
	}

	a := b.get("/v1/orders/4711/history", moduleSecret)

	require.Equal(t, http.StatusOK, a.StatusCode)
	require.JSONEq(t, `{"order_id": 4711, "next_cursor": null, "history": [
		{"id": 1, "module": "order", "status_code": "order:placed", "category": "lifecycle", "severity": "info", "payload": null, "detail": null,
			"recorded_at": "2026-11-21T09:30:00Z", "written_by": "shop-portal", "closes": null, "closed_at": null, "closed_by_entry": null, "hash": "99"},
		{"id": 2, "module": "warehouse", "status_code": "warehouse:damaged", "category": "quality", "severity": "blocking",
			"payload": {"pallet": "17"}, "detail": "One box is crushed.", "recorded_at": "2026-11-21T09:30:00Z", "written_by": "scanner",
			"closes": null, "closed_at": "2026-11-21T09:31:00Z", "closed_by_entry": 3, "hash": "aa"},
		{"id": 3, "module": "operator", "status_code": "operator:released", "category": "general", "severity": "info", "payload": null, "detail": null,
			"recorded_at": "2026-11-21T09:30:00Z", "written_by": "ops", "closes": 2, "closed_at": null, "closed_by_entry": null, "hash": "bb"}
	]}`, string(a.body))
}

func TestOrderHistoryRunsInPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.history = func(_ context.Context, _ order.Caller, _ int64, f order.HistoryFilter) ([]order.HistoryEntry, error) {
		var entries []order.HistoryEntry
		for id := f.AfterID + 1; id <= 5 && len(entries) < f.Limit; id++ {
			entries = append(entries, damaged(id))
		}
		return entries, nil
	}
	var ids []float64
	for target := "/v1/orders/4711/history?limit=2"; target != ""; {
		page := b.get(target, portalSecret).json(t)
		for _, e := range page["history"].([]any) {
			ids = append(ids, e.(map[string]any)["id"].(float64))
		}
		target = ""
		if next, more := page["next_cursor"].(string); more {
			target = "/v1/orders/4711/history?limit=2&cursor=" + url.QueryEscape(next)
		}
	}
	require.Equal(t, []float64{1, 2, 3, 4, 5}, ids)
	b.get("/v1/orders/4711/history?cursor=abc", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "cursor")
}

func TestWriteOrderHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.HistoryEntry
	b.service.writeHistory = func(_ context.Context, caller order.Caller, key string, e order.HistoryEntry) (order.HistoryEntry, bool, error) {
		require.Equal(t, "warehouse", caller.WritesAs())
		asked = e
		e.ID, e.WrittenBy, e.RecordedAt = 2, caller.Name, start
		return e, key == "again", nil
	}
	write := func(key, body string) answer {
		return b.request(http.MethodPost, "/v1/orders/4711/history", moduleSecret, body).with("Idempotency-Key", key).send()
	}

	a := write("scan-1", `{"status_code": "warehouse:damaged", "category": "quality", "severity": "blocking",
		"payload": {"weight": 1.50, "pallet": "17", "n": 12345678901234567890}, "detail": "One box is crushed.", "closes": 1}`)
	require.Equal(t, http.StatusCreated, a.StatusCode, "%s", a.body)
	require.Empty(t, a.Header.Get("Idempotency-Replayed"))
	require.Equal(t, order.HistoryEntry{OrderID: 4711, Code: "warehouse:damaged", Category: "quality", Severity: order.Blocking, Closes: 1,
		Payload: `{"n":12345678901234567890,"pallet":"17","weight":1.50}`, Detail: "One box is crushed."}, asked)
	require.Contains(t, string(a.body), `12345678901234567890`, "numbers come back as they went in")

	a = write("again", `{"status_code": "warehouse:packed"}`)
	require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
	require.Equal(t, order.HistoryEntry{OrderID: 4711, Code: "warehouse:packed", Category: "general", Severity: order.Info}, asked)

	for field, body := range map[string]string{
		"status_code": `{"status_code": "Warehouse:packed"}`,
		"severity":    `{"status_code": "warehouse:packed", "severity": "fatal"}`,
		"payload":     `{"status_code": "warehouse:packed", "payload": [1]}`,
		"detail":      `{"status_code": "warehouse:packed", "detail": "` + strings.Repeat("x", 1001) + `"}`,
		"closes":      `{"status_code": "warehouse:packed", "closes": 0}`,
		"category":    `{"status_code": "warehouse:packed", "category": "A"}`,
		"order":       `{"status_code": "warehouse:packed", "order": 1}`,
	} {
		write("k", body).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", field)
	}
	b.request(http.MethodPost, "/v1/orders/4711/history", moduleSecret, `{"status_code": "warehouse:packed"}`).send().
		requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
}

func TestModulesReadOrdersAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.place(moduleSecret, "k", validOrder).requireProblem(t, http.StatusForbidden, "role_forbidden")
	for _, target := range []string{"/v1/intents", "/v1/products", "/v1/customers", "/v1/sync", "/v1/audits"} {
		b.get(target, moduleSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
	}
	b.request(http.MethodPost, "/v1/orders/4711/confirm", moduleSecret, "").send().requireProblem(t, http.StatusForbidden, "role_forbidden")
	b.request(http.MethodPost, "/v1/orders/4711/history", portalSecret, `{"status_code": "portal:seen"}`).with("Idempotency-Key", "k").send().
		requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestGetOrderStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.historyStatus = func(_ context.Context, _ order.Caller, id int64) (order.HistoryStatus, error) {
		if id != 4711 {
			return order.HistoryStatus{}, nil
		}
		return order.HistoryStatus{Latest: []order.HistoryEntry{damaged(2)}, Blocks: []order.HistoryEntry{damaged(2)}}, nil
	}
	status := b.get("/v1/orders/4711/status", customerSecret).json(t)
	require.Equal(t, true, status["blocked"])
	require.Equal(t, status["latest"], status["blocks"])
	require.JSONEq(t, `{"order_id": 1, "blocked": false, "latest": [], "blocks": []}`, string(b.get("/v1/orders/1/status", portalSecret).body))
}

func TestGetHistoryCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	counts := order.HistoryCounts{}
	b.service.historyCounts = func(context.Context) (order.HistoryCounts, error) { return counts, nil }
	require.JSONEq(t, `{"codes": [], "blocked_orders": 0}`, string(b.get("/v1/history/counts", portalSecret).body))
	counts = order.HistoryCounts{Codes: map[string]int64{"payment:paid": 3, "order:draft": 7}, Blocked: 2}
	require.JSONEq(t, `{"codes": [{"status_code": "order:draft", "orders": 7}, {"status_code": "payment:paid", "orders": 3}], "blocked_orders": 2}`,
		string(b.get("/v1/history/counts", operatorSecret).body))
	b.get("/v1/history/counts", customerSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestOrdersAreListedByWhatTheirHistoriesComeTo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.Filter
	b.service.orders = func(_ context.Context, _ order.Caller, f order.Filter) (order.Listing, error) {
		asked = f
		return order.Listing{Sync: fresh()}, nil
	}
	require.Equal(t, http.StatusOK, b.get("/v1/orders?blocked=true&status_code=warehouse:damaged", moduleSecret).StatusCode)
	require.True(t, asked.Blocked)
	require.Equal(t, "warehouse:damaged", asked.Code)
	b.get("/v1/orders?blocked=false", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "blocked")
	b.get("/v1/orders?status_code=paid", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "status_code")
}

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/store"
	"ordergate/test/env"
)

// adoption is what `ordergate adopt --json` prints, as far as the test looks at it.
type adoption struct {
	Applied     bool  `json:"applied"`
	Rows        int64 `json:"rows"`
	BlankRows   int64 `json:"blank_rows"`
	SurplusRows int64 `json:"surplus_rows"`
	Orders      int64 `json:"orders"`
	Adopted     int64 `json:"adopted"`
	Pulled      int64 `json:"pulled"`
	Present     int64 `json:"present"`
	Keys        int64 `json:"keys"`
	Absent      struct {
		Count  int64 `json:"count"`
		Sample []struct {
			Row   string `json:"row"`
			ERPID string `json:"erp_id"`
		} `json:"sample"`
	} `json:"absent"`
}

// A portal that placed its orders in Odoo by itself goes behind the gateway: its table is brought in, killed again and again on
// the way, and its late retries find their orders.
func TestAPortalsTableIsAdopted(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		const n = 20
		batch := unique("adopt")
		reference := func(i int) string { return fmt.Sprintf("%s-%d", batch, i) }
		wishes := make([]any, n+1)
		for i := range wishes {
			wishes[i] = map[string]any{"partner_id": 9, "client_order_ref": reference(i)}
		}
		ids := s.people(t, "sale.order", "create", wishes).([]any)
		gone := ids[n]
		s.people(t, "sale.order", "unlink", []any{gone})

		other := map[int]func(testing.TB) string{14: env.MySQL, 19: env.MariaDB}[s.odoo.Major] // than the mirror's
		portal := env.Database(t, other(t))
		db, err := store.OpenForeign(t.Context(), portal)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		execute := func(statement string, args ...any) {
			_, err := db.ExecContext(t.Context(), statement, args...)
			require.NoError(t, err)
		}
		execute("CREATE TABLE sales_orders (id INT AUTO_INCREMENT PRIMARY KEY, odoo_order_id INT NULL, idempotency_key CHAR(36), number VARCHAR(64), created_at DATETIME)")
		insert := func(id any, key, number string) {
			execute("INSERT INTO sales_orders (odoo_order_id, idempotency_key, number, created_at) VALUES (?, ?, ?, NOW())", id, key, number)
		}
		for i, id := range ids[:n] {
			insert(id, "key-"+reference(i), reference(i))
		}
		insert(ids[0], "again-"+reference(0), reference(0)) // a retry that made a second row
		insert(gone, "key-"+reference(n), reference(n))
		insert(nil, "key-never", "never")

		args := []string{"adopt", "--json", "--from", portal, "--table", "sales_orders", "--source", "portal", "--map", "key=idempotency_key,reference=number"}
		adopt := func(more ...string) (a adoption) {
			t.Helper()
			require.NoError(t, json.Unmarshal([]byte(s.must(t, append(args, more...)...)), &a))
			return a
		}
		report := adopt()
		require.False(t, report.Applied)
		require.EqualValues(t, []int64{n + 3, 1, 1, n + 1, n, n, 0, n + 1},
			[]int64{report.Rows, report.BlankRows, report.SurplusRows, report.Orders, report.Adopted, report.Pulled, report.Present, report.Keys})
		require.EqualValues(t, 1, report.Absent.Count)
		require.Equal(t, fmt.Sprint(gone), report.Absent.Sample[0].ERPID)

		kills := s.killUntilDone(t, append(args, "--apply")...)
		require.Positive(t, kills)
		t.Logf("killed %d times", kills)
		again := adopt("--apply")
		require.EqualValues(t, []int64{0, n, 0}, []int64{again.Adopted, again.Present, again.Keys}, "the second run changes nothing")

		c := newCaller(t, s.serve(t), s.portal)
		listing := c.call(t, http.MethodGet, "/v1/orders?source=portal&limit=100", nil).requireStatus(t, http.StatusOK)
		require.Len(t, listing.body["orders"], n)
		c.call(t, http.MethodGet, path("/v1/orders/%d", gone), nil).requireProblem(t, http.StatusNotFound, "order_not_found")
		for i, key := range []string{"key-" + reference(0), "again-" + reference(0), "key-" + reference(7)} {
			at := []int{0, 0, 7}[i]
			late := c.place(t, key, orderBody(reference(at))).requireStatus(t, http.StatusCreated)
			require.EqualValues(t, ids[at], late.id(t))
			require.Equal(t, "true", late.header.Get("Idempotency-Replayed"))
			require.Equal(t, "portal", late.body["source"])
			intent := c.call(t, http.MethodGet, "/v1/intents/"+key, nil).requireStatus(t, http.StatusOK)
			require.Equal(t, "adopted", intent.body["state"])
			c.place(t, key, orderBody("other")).requireProblem(t, http.StatusUnprocessableEntity, "idempotency_key_reused")
		}
		for i := range n {
			require.Equal(t, 1, s.countOrders(t, reference(i)), "in Odoo itself")
		}

		// What the gateway placed meanwhile, and the portal wrote down, stays the gateway's.
		mine := c.place(t, "mine-"+batch, orderBody("mine-"+batch)).requireStatus(t, http.StatusCreated).id(t)
		insert(mine, "mine-"+batch, "mine-"+batch)
		again = adopt("--apply")
		require.EqualValues(t, []int64{0, n + 1, 0}, []int64{again.Adopted, again.Present, again.Keys})
	})
}

// killUntilDone runs a command, killed later each time, until it ends by itself, and returns how often it was killed.
func (s *stack) killUntilDone(t *testing.T, args ...string) (kills int) {
	t.Helper()
	for patience := 50 * time.Millisecond; ; patience += 50 * time.Millisecond {
		require.Less(t, patience, time.Minute)
		cmd := exec.Command(binary, args...)
		cmd.Env = s.environ()
		var problem strings.Builder
		cmd.Stderr = &problem
		require.NoError(t, cmd.Start())
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // an error means it is gone already
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			return kills
		}
		require.Empty(t, problem.String())
		kills++
	}
}

package e2e

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

// loadOfOrders matches the call that creates an order, or looks for one.
var loadOfOrders = callOf("sale.order", "load")

// callOf matches the calls of a model's method, over either protocol: JSON-2 names both in the path, XML-RPC in the body.
func callOf(model, method string) func(path string, body []byte) bool {
	inBody := proxy.Contains("<string>"+model+"</string>", "<string>"+method+"</string>")
	return func(path string, body []byte) bool { return path == "/json/2/"+model+"/"+method || inBody(body) }
}

func Test64IdenticalRequestsMakeOneOrder(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO64")
		answers := make(chan answer, 64)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				a, err := c.try(http.MethodPost, "/v1/orders", orderBody(reference), "Idempotency-Key", reference)
				if err != nil {
					t.Error(err)
				}
				answers <- a
			})
		}
		wg.Wait()
		close(answers)
		ids := map[float64]int{}
		for a := range answers {
			switch a.status {
			case http.StatusCreated:
				ids[a.body["id"].(float64)]++
			case http.StatusConflict:
				require.Equal(t, "key_in_flight", a.body["code"])
			default:
				t.Errorf("unexpected answer %d %s", a.status, a.raw)
			}
		}
		require.Len(t, ids, 1)
		require.Equal(t, 1, s.countOrders(t, reference), "orders in Odoo")
	})
}

func TestAnswerDroppedAfterOdooCommitted(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		for name, action := range map[string]proxy.Action{"dropped": proxy.DropAnswer, "cut": proxy.CutAnswer, "bad gateway": proxy.BadGateway} {
			reference := unique("lost")
			// Three times: the gateway repeats the call at once by itself, then looks for the order, and must still not know.
			s.http.OnCall(loadOfOrders, action, 3)
			first := c.place(t, reference, orderBody(reference))
			require.Equal(t, http.StatusAccepted, first.status, "%s: %s", name, first.raw)
			require.Equal(t, "sending", first.body["state"])

			retry := c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusCreated)
			require.Equal(t, 1, s.countOrders(t, reference), "orders in Odoo after the answer was %s", name)
			again := c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusCreated)
			require.Equal(t, retry.id(t), again.id(t))
		}
	})
}

func TestResolverPlacesWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("doubt")
		s.http.OnCall(loadOfOrders, proxy.DropAnswer, 3)
		c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusAccepted)
		require.Eventually(t, func() bool {
			return c.call(t, http.MethodGet, "/v1/intents/"+reference, nil).requireStatus(t, http.StatusOK).body["state"] == "placed"
		}, 30*time.Second, 100*time.Millisecond)
		require.Equal(t, 1, s.countOrders(t, reference))
	})
}

// SIGKILL while Odoo works: the order is made by the next process, once.
func TestGatewayKilledWhilePlacing(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		reference := unique("killed")
		s.http.OnCall(loadOfOrders, proxy.DelayAnswer(5*time.Second), 1)
		done := make(chan error, 1)
		go func() {
			_, err := newCaller(t, p, s.portal).try(http.MethodPost, "/v1/orders", orderBody(reference), "Idempotency-Key", reference)
			done <- err
		}()
		require.Eventually(t, func() bool { return s.countOrders(t, reference) == 1 }, 20*time.Second, 50*time.Millisecond, "Odoo has committed")
		p.kill()
		require.Error(t, <-done, "a crash answers nothing")

		c := newCaller(t, s.serve(t), s.portal)
		require.Eventually(t, func() bool {
			a := c.place(t, reference, orderBody(reference))
			return a.status == http.StatusCreated
		}, 90*time.Second, time.Second, "the lease of the dead process runs out")
		require.Equal(t, 1, s.countOrders(t, reference))
	})
}

func TestTwoReplicasOneKey(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		replicas := []*caller{newCaller(t, s.serve(t), s.portal), newCaller(t, s.serve(t), s.portal)}
		reference := unique("replicas")
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				a, err := replicas[i%2].try(http.MethodPost, "/v1/orders", orderBody(reference), "Idempotency-Key", reference)
				if err != nil || (a.status != http.StatusCreated && a.status != http.StatusConflict) {
					t.Errorf("%v %d %s", err, a.status, a.raw)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, s.countOrders(t, reference))
	})
}

package ordersync

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/order"
)

func queued(source, customer, key string) *ticket {
	return newTicket(order.Intent{Source: source, Customer: customer, Key: key})
}

func popAll(q *fairQueue) (keys []string) {
	for t := q.pop(); t != nil; t = q.pop() {
		keys = append(keys, t.intent.Key)
	}
	return keys
}

func TestSourcesAndTheirCustomersAreServedInTurn(t *testing.T) {
	t.Parallel()
	var q fairQueue
	for i := range 4 {
		q.push(queued("flood", "a", fmt.Sprint("a", i)))
	}
	q.push(queued("flood", "b", "b0"))
	q.push(queued("portal", "c", "c0"))
	q.push(queued("portal", "c", "c1"))
	require.Equal(t, []string{"a0", "c0", "b0", "c1", "a1", "a2", "a3"}, popAll(&q))
	require.Zero(t, q.length)
}

func TestTicketsOfACustomerKeepTheirOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q fairQueue
		var waiting []*ticket
		last := map[string]int{}
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				tk := queued(rapid.SampledFrom([]string{"s", "t"}).Draw(t, "source"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "customer"), "")
				tk.intent.ID = int64(i + 1)
				q.push(tk)
				waiting = append(waiting, tk)
			case 2:
				tk := q.pop()
				require.Equal(t, len(waiting) == 0, tk == nil)
				if tk == nil {
					continue
				}
				line := tk.intent.Source + tk.intent.Customer
				require.Greater(t, int(tk.intent.ID), last[line])
				last[line] = int(tk.intent.ID)
				waiting = without(waiting, tk)
			case 3:
				if len(waiting) == 0 {
					continue
				}
				tk := rapid.SampledFrom(waiting).Draw(t, "withdrawn")
				require.True(t, q.remove(tk))
				require.False(t, q.remove(tk))
				waiting = without(waiting, tk)
			}
			require.Equal(t, len(waiting), q.length)
		}
		require.Len(t, popAll(&q), len(waiting))
		require.Empty(t, q.sources.names)
		require.Empty(t, q.sources.queues)
	})
}

func without(tickets []*ticket, gone *ticket) (rest []*ticket) {
	for _, t := range tickets {
		if t != gone {
			rest = append(rest, t)
		}
	}
	return rest
}

package e2e

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// badPost stands between Odoo and the gateway and carries notifications as badly as a network can: it drops some, hands some
// over twice, and keeps some back until later ones have overtaken them. What finds no gateway, because that was killed, is
// lost. Odoo always hears at once that all is well.
type badPost struct {
	server  *httptest.Server
	client  *http.Client
	gateway func() string // the address of the one that runs now
	end     chan struct{} // closed at the end: nothing is kept back any longer
	carried sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	deck   []fate
	last   int // the latest notification that was handed over, by the order of their arrival
	did    map[fate]int
	came   int
}

// fate is what becomes of a notification.
type fate string

const (
	dropped   fate = "dropped"
	doubled   fate = "doubled"
	delayed   fate = "delayed"
	straight  fate = "handed over"
	reordered fate = "reordered" // of those delayed: a later one came first
	lost      fate = "lost"      // no gateway was there
)

// newBadPost starts one, until the end of the test.
func newBadPost(t *testing.T, seed uint64, gateway func() string) *badPost {
	t.Helper()
	b := &badPost{
		client: &http.Client{Timeout: 5 * time.Second}, gateway: gateway, end: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, 20)), did: map[fate]int{},
	}
	b.server = httptest.NewServer(b)
	t.Cleanup(func() {
		b.server.Close()
		close(b.end)
		b.carried.Wait()
		b.client.CloseIdleConnections()
	})
	return b
}

func (b *badPost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // Odoo gave up
	}
	b.mu.Lock()
	b.came++
	number, f := b.came, b.draw()
	b.did[f]++
	wait := 2*time.Second + time.Duration(b.random.Int64N(int64(8*time.Second)))
	b.mu.Unlock()

	handOver := func() { b.handOver(number, r.URL.Path, body) }
	switch f {
	case dropped:
	case delayed:
		b.carried.Go(func() {
			select {
			case <-time.After(wait):
			case <-b.end:
			}
			handOver()
		})
	case doubled:
		b.carried.Go(func() { handOver(); handOver() })
	default:
		b.carried.Go(handOver)
	}
	w.WriteHeader(http.StatusNoContent)
}

// draw takes the next fate. Of every four notifications one is dropped, one doubled and one delayed.
func (b *badPost) draw() fate {
	if len(b.deck) == 0 {
		b.deck = []fate{dropped, doubled, delayed, straight}
		b.random.Shuffle(len(b.deck), func(i, j int) { b.deck[i], b.deck[j] = b.deck[j], b.deck[i] })
	}
	f := b.deck[0]
	b.deck = b.deck[1:]
	return f
}

func (b *badPost) handOver(number int, path string, body []byte) {
	response, err := b.client.Post(b.gateway()+path, "application/json", bytes.NewReader(body))
	if err == nil {
		response.Body.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil || response.StatusCode != http.StatusNoContent:
		b.did[lost]++
	case number < b.last:
		b.did[reordered]++
	default:
		b.last = number
	}
}

// report says what became of the notifications, and requires that some met each fate.
func (b *badPost) report(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Logf("of %d notifications: %v", b.came, b.did)
	for _, f := range fatesToMeet {
		require.Positive(t, b.did[f], f)
	}
}

var fatesToMeet = []fate{dropped, doubled, reordered}

// metAll reports whether some notification met each fate.
func (b *badPost) metAll() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(fatesToMeet, func(f fate) bool { return b.did[f] == 0 })
}

// hookUp lets Odoo tell the gateway of changes, through a bad post. Versions before 17 cannot.
func (st *storm) hookUp(t *testing.T, seed uint64) {
	t.Helper()
	if st.stack.odoo.Major < 17 {
		return
	}
	st.post = newBadPost(t, seed, func() string {
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.gateway.base
	})
	st.stack.cleanWebhooks(t)
	st.stack.settings["ORDERGATE_PUBLIC_URL"] = st.post.server.URL
	require.Contains(t, st.stack.must(t, "webhooks", "install"), "7 automations")
}

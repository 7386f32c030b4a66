package faults

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Exchange is one request to the gateway to place an order, or to do something with one, and what came of it.
type Exchange struct {
	Key      string
	Path     string // of an action; empty: an order is placed
	Method   string // POST if empty
	Body     string // what was sent: exchanges with different bodies are about different orders
	Async    bool
	Replica  int
	Sent     time.Duration // since the run began, as all times of a history
	Answered time.Duration

	Status   int    // 0: there was no answer
	Err      string // why not
	Code     string // of a problem
	Replayed bool
	Answer   string
	OrderID  int64 // of a 201
}

// kind of answer, by what it promises.
type meaning int

const (
	promisesNothing meaning = iota // no answer, or one that says that nobody knows
	inFlight                       // ask again
	placed                         // 201; of an action 200: it is done
	accepted                       // 202
	refused                        // 4xx about this order: no retry changes it
	notAccepted                    // 503
	aboutCaller                    // 4xx about something else than this order
	unexpected                     // nothing that the gateway should ever say
)

func (x *Exchange) meaning() meaning {
	switch {
	case x.Status == 0:
		return promisesNothing
	case x.Status == 201, x.Path != "" && x.Status == 200:
		return placed
	case x.Status == 202:
		return accepted
	case x.Status == 409 && x.Path != "" && x.Code != "key_in_flight" && x.Code != "order_busy":
		return refused
	case x.Status == 409:
		return inFlight
	case x.Status == 422 && x.Code == "idempotency_key_reused", x.Status == 429, x.Status == 401:
		return aboutCaller
	case x.Status >= 400 && x.Status < 500:
		return refused
	case x.Status == 503:
		return notAccepted
	case x.Status == 500 && x.Code == "outcome_unknown":
		return promisesNothing
	default:
		return unexpected
	}
}

func (x *Exchange) String() string {
	asked := strings.TrimSpace(cmp.Or(x.Method, http.MethodPost) + " " + x.Path)
	if x.Async {
		asked = "POST respond-async"
	}
	said := x.Err
	if x.Status != 0 {
		said = fmt.Sprintf("%d %s", x.Status, x.Code)
		if x.OrderID != 0 {
			said += fmt.Sprintf("order %d", x.OrderID)
		}
		if x.Replayed {
			said += " (replayed)"
		}
	}
	return fmt.Sprintf("%6dms to replica %d: %s, body %s → %6dms %s", x.Sent.Milliseconds(), x.Replica, asked, shortHash(x.Body),
		x.Answered.Milliseconds(), said)
}

// history is what happened: the exchanges of every key, and what the world did meanwhile.
type history struct {
	mu        sync.Mutex
	began     time.Time
	exchanges map[string][]*Exchange
	happened  []happening
}

type happening struct {
	at   time.Duration
	text string
}

func newHistory() *history {
	return &history{began: time.Now(), exchanges: map[string][]*Exchange{}}
}

// begin makes now the moment from which all times count.
func (h *history) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began, h.happened = time.Now(), nil
}

func (h *history) now() time.Duration { return time.Since(h.at(0)) }

// at is the moment that is so long after the beginning.
func (h *history) at(since time.Duration) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.began.Add(since)
}

func (h *history) add(x *Exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.exchanges[x.Key] = append(h.exchanges[x.Key], x)
}

// note writes down something that the world did.
func (h *history) note(format string, args ...any) {
	at, text := h.now(), fmt.Sprintf(format, args...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.happened = append(h.happened, happening{at, text})
}

// of returns the exchanges of a key, by the time they were sent.
func (h *history) of(key string) []*Exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.exchanges[key])
	slices.SortStableFunc(all, func(a, b *Exchange) int { return int(a.Sent - b.Sent) })
	return all
}

// tell shows the history of a key amid what the world did, and how it stands in the end.
func (h *history) tell(key string, end ...string) string {
	exchanges := h.of(key)
	h.mu.Lock()
	lines := slices.Clone(h.happened)
	h.mu.Unlock()
	for _, x := range exchanges {
		lines = append(lines, happening{x.Sent, x.String()})
		if x.Status >= 400 || x.Status == 202 {
			lines = append(lines, happening{x.Answered, "         answer: " + strings.TrimSpace(x.Answer)})
		}
	}
	slices.SortStableFunc(lines, func(a, b happening) int { return int(a.at - b.at) })
	var b strings.Builder
	fmt.Fprintf(&b, "history of key %s\n", key)
	for _, l := range lines {
		text := l.text
		if !strings.Contains(text, "ms to replica") {
			text = fmt.Sprintf("%6dms · %s", l.at.Milliseconds(), text)
		}
		fmt.Fprintf(&b, "  %s\n", text)
	}
	for _, line := range end {
		fmt.Fprintf(&b, "  in the end: %s\n", line)
	}
	return b.String()
}

// totals counts requests and answers.
func (h *history) totals() (requests int, byStatus map[int]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	byStatus = map[int]int{}
	for _, exchanges := range h.exchanges {
		for _, x := range exchanges {
			requests++
			byStatus[x.Status]++
		}
	}
	return requests, byStatus
}

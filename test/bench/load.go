package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is one request that was answered.
type sample struct {
	status int
	due    time.Duration // when it was to be sent, from the beginning of the load
	sent   time.Duration // when it was
	ended  time.Duration // when its answer was complete
}

func (s sample) sinceDue() time.Duration  { return s.ended - s.due }
func (s sample) sinceSent() time.Duration { return s.ended - s.sent }

// request sends request number n and returns the HTTP status of its answer.
type request func(ctx context.Context, n int64) (status int, err error)

// recorder collects samples from many goroutines.
type recorder struct {
	began time.Time

	mu      sync.Mutex
	samples []sample
	err     error
}

func (r *recorder) send(ctx context.Context, n int64, due time.Duration, do request) error {
	sent := time.Since(r.began)
	status, err := do(ctx, n)
	ended := time.Since(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = errors.Join(r.err, err)
		return err
	}
	r.samples = append(r.samples, sample{status: status, due: due, sent: sent, ended: ended})
	return nil
}

// atOnce keeps a number of clients busy for a while: each sends its next request when the last one is answered. It ends
// with the last answer, or with the first error.
func atOnce(clients int, lasts time.Duration, do request) ([]sample, error) {
	r := &recorder{began: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var number atomic.Int64
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for ctx.Err() == nil {
				due := time.Since(r.began)
				if due >= lasts {
					return
				}
				if r.send(ctx, number.Add(1), due, do) != nil {
					cancel()
				}
			}
		})
	}
	group.Wait()
	return r.samples, r.err
}

// mostOutstanding bounds the requests of arrivals that wait for their answer.
const mostOutstanding = 8192

// arrivals sends requests at a rate per second for a while, at random times as independent callers would, whether or not
// earlier ones were answered. Runs of one seed send at the same times.
func arrivals(seed uint64, rate float64, lasts time.Duration, do request) ([]sample, error) {
	r := &recorder{began: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	random := rand.New(rand.NewPCG(seed, seed))
	places := make(chan struct{}, mostOutstanding)
	var group sync.WaitGroup
	var due time.Duration
	for n := int64(1); ctx.Err() == nil; n++ {
		due += time.Duration(random.ExpFloat64() / rate * float64(time.Second))
		if due >= lasts {
			break
		}
		at := due
		time.Sleep(at - time.Since(r.began))
		select {
		case places <- struct{}{}:
		default:
			cancel()
			group.Wait()
			return nil, fmt.Errorf("%d requests wait for an answer", mostOutstanding)
		}
		group.Go(func() {
			defer func() { <-places }()
			if r.send(ctx, n, at, do) != nil {
				cancel()
			}
		})
	}
	group.Wait()
	return r.samples, r.err
}

// perSecond is how many requests were answered with the status each second, between the ends of a warm-up and of the load.
func perSecond(samples []sample, status int, warmUp, lasts time.Duration) float64 {
	answered := 0
	for _, s := range samples {
		if s.status == status && s.ended > warmUp && s.ended <= lasts {
			answered++
		}
	}
	return float64(answered) / (lasts - warmUp).Seconds()
}

// durations applies of to the samples with a status.
func durations(samples []sample, status int, of func(sample) time.Duration) []time.Duration {
	var list []time.Duration
	for _, s := range samples {
		if s.status == status {
			list = append(list, of(s))
		}
	}
	return list
}

// quantile returns the value below which a share of the durations lies; 0 if there are none.
func quantile(list []time.Duration, share float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func median(list []time.Duration) time.Duration { return quantile(list, 0.5) }

// statuses counts the answers by status, as "201: 17, 503: 4".
func statuses(samples []sample) string {
	counts := map[int]int{}
	for _, s := range samples {
		counts[s.status]++
	}
	text := ""
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d: %d", status, counts[status])
	}
	return text
}

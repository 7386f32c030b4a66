package gateway

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"ordergate/order"
)

// maxTrackedKeys bounds the memory of the rate limits. The key that was quiet for longest is forgotten first, and then
// begins with a full burst again.
const maxTrackedKeys = 10_000

// capInFlight refuses requests beyond the number that may be answered at once, before any work is done for them.
func capInFlight(limit int, m *metrics, problems *problems) gin.HandlerFunc {
	slots := make(chan struct{}, limit)
	return func(c *gin.Context) {
		select {
		case slots <- struct{}{}:
		default:
			m.refused.WithLabelValues("in_flight").Inc()
			problems.write(c, order.Errorf(order.Unavailable, "overloaded",
				"The gateway is answering as many requests as it can. Nothing was accepted; try again.").RetryIn(time.Second))
			return
		}
		m.inFlight.Inc()
		defer func() {
			m.inFlight.Dec()
			<-slots
		}()
		c.Next()
	}
}

// limitRate holds each API key to its rate.
func limitRate(limits *rateLimits, m *metrics, problems *problems) gin.HandlerFunc {
	return func(c *gin.Context) {
		wait := limits.take(callOf(c).caller.KeyID)
		if wait > 0 {
			m.refused.WithLabelValues("rate").Inc()
			problems.write(c, order.Errorf(order.RateLimited, "rate_limited",
				"This key has sent too many requests. Nothing was done; try again later.").RetryIn(wait))
		}
	}
}

// rateLimits holds a token bucket for each key that was seen lately.
type rateLimits struct {
	perSecond rate.Limit
	burst     int
	capacity  int
	now       func() time.Time

	mu     sync.Mutex
	byKey  map[int64]*list.Element
	recent *list.List // of *bucket, the latest used in front
}

type bucket struct {
	key     int64
	limiter *rate.Limiter
}

func newRateLimits(perSecond float64, burst, capacity int, now func() time.Time) *rateLimits {
	return &rateLimits{
		perSecond: rate.Limit(perSecond), burst: burst, capacity: capacity, now: now,
		byKey: map[int64]*list.Element{}, recent: list.New(),
	}
}

// take counts a request of the key. It returns 0 if the key is within its rate, and otherwise how long to wait.
func (l *rateLimits) take(key int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()

	element, seen := l.byKey[key]
	if !seen {
		element = l.recent.PushFront(&bucket{key, rate.NewLimiter(l.perSecond, l.burst)})
		l.byKey[key] = element
	}
	l.recent.MoveToFront(element)
	if l.recent.Len() > l.capacity {
		oldest := l.recent.Remove(l.recent.Back()).(*bucket)
		delete(l.byKey, oldest.key)
	}

	now := l.now()
	reservation := element.Value.(*bucket).limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// bound gives the handler a context that ends after the limit. Reading the body is not in it, so that a slow sender
// does not use up the time in which its order could be placed.
func bound(limit time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}

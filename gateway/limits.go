package gateway

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"ordergate/order"
)

// maxTrackedKeys bounds the memory of the rate limits. The key that was quiet for longest is forgotten first, and then
// begins with a full burst again.
const maxTrackedKeys = 10_000

// The limits by which requests are refused, as the metric names them.
const (
	limitInFlight  = "in_flight"
	limitTenant    = "tenant_in_flight"
	limitBodyBytes = "body_bytes"
	limitKeyRate   = "rate"
)

// capInFlight refuses requests beyond the number that may be answered at once, before any work is done for them.
func capInFlight(limit int, m *metrics, problems *problems) gin.HandlerFunc {
	places := semaphore.NewWeighted(int64(limit))
	return func(c *gin.Context) {
		if !places.TryAcquire(1) {
			m.refused.WithLabelValues(limitInFlight).Inc()
			problems.write(c, overloaded("The gateway is answering as many requests as it can."))
			return
		}
		m.inFlight.Inc()
		defer func() {
			m.inFlight.Dec()
			places.Release(1)
		}()
		c.Next()
	}
}

// capTenants refuses requests of a tenant beyond the number of its own that may be answered at once.
func capTenants(limit int, services map[int64]Service, m *metrics, problems *problems) gin.HandlerFunc {
	places := make(map[int64]*semaphore.Weighted, len(services))
	for tenant := range services {
		places[tenant] = semaphore.NewWeighted(int64(limit))
	}
	return func(c *gin.Context) {
		own := places[callOf(c).caller.TenantID]
		if !own.TryAcquire(1) {
			m.refused.WithLabelValues(limitTenant).Inc()
			problems.write(c, overloaded("The gateway is answering as many requests of this tenant as it may at once."))
			return
		}
		defer own.Release(1)
		c.Next()
	}
}

// capBodies bounds the bytes of bodies that are held at once. A body takes the room that it announces, or that of the
// largest one until it was read. One that is too large by its announcement takes none: it is refused unread.
func capBodies(limit, largest int64, m *metrics, problems *problems) gin.HandlerFunc {
	room := semaphore.NewWeighted(limit)
	return func(c *gin.Context) {
		announced := c.Request.ContentLength
		switch {
		case announced < 0:
			announced = largest
		case announced > largest:
			announced = 0
		}
		if !room.TryAcquire(announced) {
			m.refused.WithLabelValues(limitBodyBytes).Inc()
			problems.write(c, overloaded("The gateway is reading as much as it can."))
			return
		}
		body := &reservation{room: room, bytes: announced}
		callOf(c).body = body
		defer body.shrink(0)
		c.Next()
	}
}

// reservation is room for a body.
type reservation struct {
	room  *semaphore.Weighted
	bytes int64
}

// shrink gives back what the body does not need.
func (r *reservation) shrink(needed int64) {
	if needed < r.bytes {
		r.room.Release(r.bytes - needed)
		r.bytes = needed
	}
}

func overloaded(reason string) error {
	return order.Errorf(order.Unavailable, "overloaded", "%s Nothing was accepted; try again.", reason).RetryIn(time.Second)
}

// limitRate holds each API key to its rate.
func limitRate(limits *rateLimits, m *metrics, problems *problems) gin.HandlerFunc {
	return func(c *gin.Context) {
		wait := limits.take(callOf(c).caller.KeyID)
		if wait > 0 {
			m.refused.WithLabelValues(limitKeyRate).Inc()
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

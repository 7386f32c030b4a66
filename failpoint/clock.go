//go:build failpoints

package failpoint

import (
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// ClockVariable is the environment variable that names a file with a duration, such as "1h" or "-90s": by so much the
// process's clock is wrong. The file may change, come and go while the process runs.
const ClockVariable = "ORDERGATE_CLOCK_FILE"

// rereadAfter is how long the clock believes what it last read.
const rereadAfter = 50 * time.Millisecond

// offset is what the clock file said last.
var offset struct {
	sync.Mutex
	value  time.Duration
	readAt time.Time
}

// Now is the clock of the process, stepped by what the clock file says. As with a real clock that is stepped, only the
// wall time moves: the monotonic reading stays true, and with it every time.Duration between two calls.
func Now() time.Time {
	now := time.Now()
	return step(now, wrongBy(os.Getenv(ClockVariable), now))
}

// wrongBy returns the duration in the file; 0 without a file, or without a duration in it.
func wrongBy(file string, now time.Time) time.Duration {
	if file == "" {
		return 0
	}
	offset.Lock()
	defer offset.Unlock()
	if !offset.readAt.IsZero() && now.Sub(offset.readAt) < rereadAfter {
		return offset.value
	}
	offset.readAt = now
	content, err := os.ReadFile(file)
	if err != nil {
		offset.value = 0
		return 0
	}
	// A file that is just being written may be empty: the clock is right again for a moment, as clocks are.
	offset.value, _ = time.ParseDuration(strings.TrimSpace(string(content)))
	return offset.value
}

// How time.Time holds a wall time that has a monotonic reading beside it: a flag, 33 bits of seconds since 1885 and 30
// bits of nanoseconds.
const (
	hasMonotonic = 1 << 63
	nsecBits     = 30
	secMask      = 1<<33 - 1
	nsecMask     = 1<<nsecBits - 1
)

// step moves the wall time of t, which has a monotonic reading, and leaves that reading alone. Package time offers
// no way to do so: Add moves both.
func step(t time.Time, by time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	if by == 0 || *wall&hasMonotonic == 0 {
		return t.Add(by)
	}
	sec := int64(*wall >> nsecBits & secMask)
	nsec := int64(*wall & nsecMask)
	total := time.Duration(nsec) + by%time.Second
	sec += int64(by / time.Second)
	switch {
	case total < 0:
		sec, total = sec-1, total+time.Second
	case total >= time.Second:
		sec, total = sec+1, total-time.Second
	}
	*wall = hasMonotonic | uint64(sec)&secMask<<nsecBits | uint64(total)
	return t
}

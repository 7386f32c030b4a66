package sandbox

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Kind is a way to fail.
type Kind string

// The ways to fail. "Commit" means that the call was carried out in full: its effect stays.
const (
	Delay                  Kind = "delay"                     // begin, wait for Fault.Delay, then commit and answer, also if the client has gone
	Hang                   Kind = "hang"                      // never answer, commit nothing
	HangAfterCommit        Kind = "hang after commit"         // commit, never answer
	DropBefore             Kind = "drop before"               // close the connection, commit nothing
	DropAnswer             Kind = "drop answer"               // commit, close the connection without an answer
	CutAnswer              Kind = "cut answer"                // commit, close the connection in the middle of the answer
	Reset                  Kind = "reset"                     // commit, reset the connection instead of an answer
	SlowDrip               Kind = "slow drip"                 // commit, answer a byte every Fault.Delay, or every second
	Fault1                 Kind = "fault 1"                   // fault 1 with a traceback, commit nothing
	FaultAfterCommit       Kind = "fault after commit"        // commit, answer fault 1 as if the result could not be encoded
	ServerError            Kind = "server error"              // HTTP 500, commit nothing
	ServerErrorAfterCommit Kind = "server error after commit" // commit, HTTP 502
	HTML                   Kind = "html"                      // a web page with status 200, commit nothing
	GzipBomb               Kind = "gzip bomb"                 // some 20 KB that unfold to 20 MB of nested arrays, commit nothing
	DeepNesting            Kind = "deep nesting"              // 100,000 nested arrays, commit nothing
	SerializationMessage   Kind = "serialization message"     // load lost against a concurrent transaction: its message, commit nothing
	LateCommit             Kind = "late commit"               // HTTP 502 at once, commit after Fault.Delay with the write_date of the beginning
	WrongLogin             Kind = "wrong login"               // refuse the user and password, commit nothing
)

// Fault tells calls to fail. Faults are used in the order in which they were given.
type Fault struct {
	Method   string // "sale.order.load", "authenticate"; empty for any
	Matching string // only calls whose body contains this, such as the external id of one order; empty for any
	Kind     Kind
	Times    int           // calls that it befalls; 0 is one, less than 0 is all until Behave
	Delay    time.Duration // for Delay, SlowDrip and LateCommit
}

// Misbehave makes calls to come suffer a fault.
func (s *Server) Misbehave(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Behave forgets all faults that Misbehave asked for.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// pause waits for d, and tells whether it did: false if the server closed meanwhile. A client that goes away ends nothing,
// as Odoo carries a call to its end regardless.
func (s *Server) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopped.Done():
		return false
	}
}

// misbehave answers, or does not answer, a call in the way of a fault.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, f Fault, c call, start time.Time) {
	switch f.Kind {
	case Delay:
		if s.pause(f.Delay) {
			c.answer(start).write(w)
		}
	case Hang:
		s.hang(r.Context())
	case HangAfterCommit:
		c.answer(start)
		s.hang(r.Context())
	case DropBefore:
		panic(http.ErrAbortHandler)
	case DropAnswer:
		c.answer(start)
		panic(http.ErrAbortHandler)
	case CutAnswer:
		cutAnswer(w, c.answer(start))
	case Reset:
		c.answer(start)
		reset(w)
	case SlowDrip:
		s.drip(r.Context(), w, c.answer(start), cmp.Or(f.Delay, time.Second))
	case Fault1:
		c.format.failure(programError("KeyError", "'sandbox'")).write(w)
	case FaultAfterCommit:
		c.answer(start)
		c.format.failure(unmarshalable()).write(w)
	case ServerError:
		htmlReply(http.StatusInternalServerError).write(w)
	case ServerErrorAfterCommit:
		c.answer(start)
		htmlReply(http.StatusBadGateway).write(w)
	case HTML:
		htmlReply(http.StatusOK).write(w)
	case GzipBomb:
		w.Header().Set("Content-Encoding", "gzip")
		zipped(c.format.nested(bombDepth)).write(w)
	case DeepNesting:
		c.format.nested(100_000).write(w)
	case SerializationMessage:
		c.format.success(serializationMessage()).write(w)
	case LateCommit:
		s.commitLate(c, f.Delay, start)
		htmlReply(http.StatusBadGateway).write(w)
	case WrongLogin:
		c.format.wrongLogin(c.method).write(w)
	default:
		panic(fmt.Sprintf("sandbox: no such kind of fault: %q", f.Kind))
	}
}

// hang waits until the client goes away or the server closes, and then closes the connection.
func (s *Server) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.stopped.Done():
	}
	panic(http.ErrAbortHandler)
}

// reset closes the connection so that the other end gets a TCP RST.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is gone already needs no reset
	}
	_ = connection.Close()
}

// drip writes an answer byte by byte, until the client goes away or the server closes.
func (s *Server) drip(ctx context.Context, w http.ResponseWriter, answer reply, every time.Duration) {
	answer.writeHeader(w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range answer.body {
		_, _ = w.Write(answer.body[i : i+1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		case <-s.stopped.Done():
			panic(http.ErrAbortHandler)
		}
	}
}

func cutAnswer(w http.ResponseWriter, answer reply) {
	answer.writeHeader(w)
	_, _ = w.Write(answer.body[:len(answer.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// commitLate carries the call out after a delay, unless the server closes first. The caller's handler is still counted
// in s.work, so the goroutine joins before Close can have waited.
func (s *Server) commitLate(c call, delay time.Duration, start time.Time) {
	s.work.Go(func() {
		if s.pause(delay) {
			c.answer(start)
		}
	})
}

func serializationMessage() record {
	return record{
		{"ids", false},
		{"messages", []record{{
			{"rows", record{{"from", 0}, {"to", 0}}}, {"record", 0}, {"type", "error"},
			{"message", "could not serialize access due to concurrent update\n"},
		}}},
		{"nextrow", 0},
	}
}

// bombDepth is how many lists a bomb has within each other.
const bombDepth = 500_000

// zipped packs an answer as tightly as it goes.
func zipped(answer reply) reply {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	// A buffer of bytes takes every write.
	_, _ = z.Write(answer.body)
	_ = z.Close()
	answer.body = b.Bytes()
	return answer
}

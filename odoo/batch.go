package odoo

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"ordergate/failpoint"
)

// Loaded is what became of one record of a batch. Err is nil exactly if there is an ID.
type Loaded struct {
	ID  int64
	Err *Error
}

// batch brings records into Odoo in as few calls as it can. A record that Odoo refuses, or cannot cope with, does not
// take the others down with it.
type batch struct {
	client     *Client
	model      string
	rpcContext map[string]any
	records    []*pending          // by their position in what the caller gave; some may be the same
	known      map[string]*pending // by external id
	calls      int                 // that may still be made
	over       *Error              // why no further call is made; nil while they are
}

// pending is one record on its way into Odoo.
type pending struct {
	table  table
	result Loaded
	doubt  *Error // of the first call that may have made it without our knowing; nil while there is none
}

const (
	loadAttempts = 5                     // at a call that loses against concurrent transactions
	loadBackoff  = 30 * time.Millisecond // before the second attempt; twice as long before each further one
	repeatPause  = 50 * time.Millisecond // before what was lost on the way is sent again
)

// newBatch makes a batch of n records, to be added or refused one by one.
func (c *Client) newBatch(model string, n int) *batch {
	return &batch{client: c, model: model, rpcContext: loadContext(), records: make([]*pending, n), known: map[string]*pending{},
		calls: 3*n + 10}
}

func (b *batch) method() string { return b.model + ".load" }

// add takes up the record at a position. One whose external id is there already is that same record.
func (b *batch) add(position int, t table) {
	if err := t.checkTexts(); err != nil {
		b.refuse(position, err)
		return
	}
	externalID := t.rows[0][0]
	if b.known[externalID] == nil {
		b.known[externalID] = &pending{table: t}
	}
	b.records[position] = b.known[externalID]
}

// refuse ends the record at a position before anything is sent.
func (b *batch) refuse(position int, e *Error) {
	p := &pending{}
	p.fail(e)
	p.result.Err.Method = b.method()
	b.records[position] = p
}

// load sends what was added, and returns what became of every record.
func (b *batch) load(ctx context.Context) []Loaded {
	for _, alike := range b.byColumns() {
		b.client.repeats.deposit()
		b.place(ctx, alike)
	}
	results := make([]Loaded, len(b.records))
	for i, p := range b.records {
		results[i] = p.result
	}
	return results
}

// byColumns groups the records that can share a call. An empty cell is not a missing column: it would be a price of 0, or
// take the place of a default.
func (b *batch) byColumns() [][]*pending {
	var groups [][]*pending
	number := map[string]int{}
	grouped := map[*pending]bool{}
	for _, p := range b.records {
		if p.result.Err != nil || grouped[p] {
			continue
		}
		grouped[p] = true
		columns := strings.Join(p.table.columns, "\n")
		n, ok := number[columns]
		if !ok {
			n = len(groups)
			number[columns] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], p)
	}
	return groups
}

// place loads records of the same columns. Those that Odoo names go no further; where it refuses, or breaks, and names
// none, the records are halved until the one to blame is alone; and an answer that was lost on the way is asked for once
// more, which finds what the first call made.
func (b *batch) place(ctx context.Context, records []*pending) {
	repeated := false
	for len(records) > 0 && b.over == nil {
		end := b.call(ctx, records)
		switch e := end.err; {
		case end.ids != nil:
			for i, p := range records {
				p.result = Loaded{ID: end.ids[i]}
			}
			return
		case end.refused != nil:
			records = dropRefused(records, end.refused)
		case len(records) > 1 && fewerMayPass(e):
			half := len(records) / 2
			b.place(ctx, records[:half])
			b.place(ctx, records[half:])
			return
		case e.Outcome == NotSent && e.Reason != TooLarge:
			b.over = e
		case !repeated && repetitionMayTell(e) && b.client.mayRepeat() && sleep(ctx, repeatPause/2+rand.N(repeatPause)):
			repeated = true
		default:
			failAll(records, e)
			return
		}
	}
	failAll(records, b.over)
}

// call makes a call, and repeats it while it loses against concurrent transactions, which is safe and helps.
func (b *batch) call(ctx context.Context, records []*pending) loadEnd {
	for attempt := 1; ; attempt++ {
		end := b.callOnce(ctx, records)
		if end.err == nil || end.err.Reason != Serialization || attempt == loadAttempts {
			return end
		}
		backoff := loadBackoff << (attempt - 1)
		if !sleep(ctx, backoff/2+rand.N(backoff)) {
			return end
		}
	}
}

func (b *batch) callOnce(ctx context.Context, records []*pending) loadEnd {
	if b.calls == 0 {
		return loadEnd{err: &Error{Outcome: NotSent, Reason: ServerError, Method: b.method(), Row: -1,
			Message: "Odoo needs more calls for these records than are made at a time"}}
	}
	b.calls--
	tables := make([]table, len(records))
	for i, p := range records {
		tables[i] = p.table
	}
	end := b.client.loadOnce(ctx, b.model, tables, b.rpcContext)
	if end.err != nil && end.err.Outcome == Unknown && !saidByLoad(end.err) {
		for _, p := range records {
			if p.doubt == nil {
				p.doubt = end.err
			}
		}
	}
	return end
}

// fail ends a record without an id. That a later call is refused, or not sent, does not settle what an earlier one did,
// or may yet do.
func (p *pending) fail(e *Error) {
	if p.doubt != nil && !failpoint.Out(failpoint.StickyDoubt) {
		e = p.doubt
	}
	own := *e
	p.result = Loaded{Err: &own}
}

func failAll(records []*pending, e *Error) {
	for _, p := range records {
		p.fail(e)
	}
}

// dropRefused ends those of the records that were refused, by position, and returns the others.
func dropRefused(records []*pending, refused map[int]*Error) []*pending {
	var others []*pending
	for i, p := range records {
		if e := refused[i]; e != nil {
			p.fail(e)
		} else {
			others = append(others, p)
		}
	}
	return others
}

// fewerMayPass reports whether a call may have failed for one of its records, with nothing against the others, or because
// they are too many.
func fewerMayPass(e *Error) bool {
	switch e.Outcome {
	case Rejected:
		return e.Reason == BusinessRule
	case NotSent:
		return e.Reason == TooLarge
	default:
		return e.Reason == ServerError && !answerLost(e)
	}
}

// repetitionMayTell reports whether the same call again may tell what the first one did: not where time ran out, or
// where load itself has told.
func repetitionMayTell(e *Error) bool {
	return e.Outcome == Unknown && (answerLost(e) || e.Reason == ServerError && !saidByLoad(e))
}

// answerLost reports whether a failure says nothing about the call itself: what Odoo answered did not arrive, or it could
// not begin.
func answerLost(e *Error) bool {
	var f *fault
	switch e.Reason {
	case ConnectionLost, BadAnswer:
		return true
	case ServerError:
		return errors.Is(e, errHTTPStatus) || errors.As(e, &f) && f.withoutDatabase()
	}
	return false
}

// mayRepeat takes a repetition from the budget, if there is one.
func (c *Client) mayRepeat() bool {
	made := c.repeats.withdraw()
	c.metrics.repeat(made)
	return made
}

// sleep waits for d, or less if ctx ends; it reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

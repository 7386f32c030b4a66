package ordersync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ordergate/order"
)

// ReplayOptions say which intents a replay goes through, and what it does.
type ReplayOptions struct {
	Since       time.Time     // only intents created since; zero for all
	Source, Key string        // only the intent of this key; all if Key is empty
	DryRun      bool          // change nothing
	Pause       time.Duration // how long a difference must last to count; two of the sync's intervals if 0
}

// ReplayKind says what differs: as an audit does where it is the mirror that differs from the ERP, or one of the kinds below,
// where it is the intent.
type ReplayKind string

// What an intent and the ERP may not agree in. A replay only reports it: what was answered under a key stands.
const (
	ReplayLost      ReplayKind = "order_lost"        // placed, and neither the ERP nor the mirror has the order
	ReplayRejected  ReplayKind = "rejected_exists"   // rejected, or not accepted, and the ERP has the order
	ReplayCancelled ReplayKind = "cancelled_stands"  // called off, and the ERP has the order, which is not cancelled
	ReplayOpen      ReplayKind = "outcome_not_known" // no outcome yet, and the ERP has the order
	ReplayNumber    ReplayKind = "number_differs"    // the ERP's order has another number than was answered
)

// ReplayFinding is one difference.
type ReplayFinding struct {
	Source     string             `json:"source"`
	Key        string             `json:"key"`
	Action     order.ActionKind   `json:"action,omitempty"`
	ERPOrderID int64              `json:"erp_order_id"`
	Number     string             `json:"number"`
	Kind       ReplayKind         `json:"kind"`
	State      order.FindingState `json:"state"`
	Detail     string             `json:"detail"`
	Failure    string             `json:"failure,omitempty"`
}

// Replay is what a replay came to.
type Replay struct {
	Intents   int64              // that it looked at
	UnderWay  int64              // of those, how many were being carried out at that moment, and were left alone
	Found     map[ReplayKind]int // differences
	Repaired  int                // of those
	Unsettled int                // orders that were written over and over while they were looked at
	Calls     int64              // to the ERP
	Rows      int64              // that those brought
	Preview   *order.Preview     // what the placement of the one key would send; nil where it was sent, or there is more than one
}

// Left is how many differences are left.
func (r Replay) Left() int {
	left := -r.Repaired
	for _, n := range r.Found {
		left += n
	}
	return left
}

// doubtfulAtOnce bounds how many intents that seem to differ are kept until they are looked at again, after one pause.
const doubtfulAtOnce = 10_000

// replay is one run under way.
type replay struct {
	sides
	options ReplayOptions
	report  func(ReplayFinding) error
	result  Replay
}

// examined is an intent, its order on both sides, and what differs.
type examined struct {
	in       order.Intent
	view     view // of no order where neither the intent nor the ERP knows one
	findings []ReplayFinding
}

// Replay goes through the intents, reads their orders from the ERP, found by their keys where the intents do not name them,
// and compares them with the mirror and with how the intents ended. What differs before and after a pause is reported, one by
// one; the mirror is brought to the ERP's state where it differs, but in a dry run. The ERP is only read.
//
// Error: NotFound for a key that there is not, the ERP's or the database's, or the report's own. The result says how far it came.
func (s *Service) Replay(ctx context.Context, o ReplayOptions, report func(ReplayFinding) error) (Replay, error) {
	setDefault(&o.Pause, 2*s.cfg.SyncInterval)
	r := &replay{sides: sides{Service: s}, options: o, report: report, result: Replay{Found: map[ReplayKind]int{}}}
	err := r.run(ctx)
	r.result.Calls, r.result.Rows = r.calls, r.rows
	return r.result, err
}

func (r *replay) run(ctx context.Context) error {
	if r.options.Key != "" {
		return r.runOne(ctx)
	}
	var doubtful []intentName
	filter := order.IntentFilter{From: r.options.Since, Limit: orderPage}
	for {
		page, err := r.mirror.ListIntents(ctx, r.tenant.ID, filter)
		if err != nil {
			return err
		}
		seen, err := r.examine(ctx, page)
		if err != nil {
			return err
		}
		for _, e := range seen {
			if len(e.findings) > 0 {
				doubtful = append(doubtful, nameOf(e.in))
			}
		}
		r.result.Intents += int64(len(page))
		r.result.UnderWay += int64(len(page) - len(seen))
		r.cfg.Progress("intents", int(r.result.Intents), 0)
		last := len(page) < filter.Limit
		if last || len(doubtful) >= doubtfulAtOnce {
			if err := r.settle(ctx, doubtful); err != nil {
				return err
			}
			doubtful = nil
		}
		if last {
			return nil
		}
		filter.BeforeID = page[len(page)-1].ID
	}
}

// runOne is run for one key. Of a placement that has no order yet, it shows what would be sent.
func (r *replay) runOne(ctx context.Context) error {
	in, err := r.mirror.Intent(ctx, r.tenant.ID, r.options.Source, r.options.Key)
	if err != nil {
		return err
	}
	r.result.Intents = 1
	seen, err := r.examine(ctx, []order.Intent{in})
	if err != nil {
		return err
	}
	if len(seen) == 0 {
		r.result.UnderWay = 1
		return nil
	}
	if len(seen[0].findings) > 0 {
		return r.settle(ctx, []intentName{nameOf(in)})
	}
	mayBeSent := !in.State.Final() || in.State == order.Refused
	if !r.options.DryRun || in.Action != nil || seen[0].view.id != 0 || !mayBeSent {
		return nil
	}
	preview, err := r.preview(ctx, in)
	if err == nil {
		r.result.Preview = &preview
	}
	return err
}

// intentName is what is kept of an intent until it is looked at again.
type intentName struct{ source, key string }

func nameOf(in order.Intent) intentName { return intentName{in.Source, in.Key} }

// examine looks at a page of intents and their orders. Those that somebody carries at this moment are left out.
func (r *replay) examine(ctx context.Context, page []order.Intent) ([]examined, error) {
	var seen []examined
	var ids []int64
	for _, in := range page {
		if r.carried(in) {
			continue
		}
		id := in.ERPOrderID
		if id == 0 && in.Action == nil {
			var err error
			if id, err = r.erp.OrderNamed(ctx, r.externalID(&in)); err != nil {
				return nil, err
			}
			r.asked(0)
		}
		if id != 0 {
			ids = append(ids, id)
		}
		seen = append(seen, examined{in: in, view: view{id: id}})
	}
	slices.Sort(ids)
	views, err := r.viewsOf(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	told := map[int64]bool{}
	for i := range seen {
		e := &seen[i]
		if e.view.id == 0 {
			continue
		}
		e.view = views[e.view.id]
		if e.view.differs() && !e.view.beingWritten && !told[e.view.id] {
			told[e.view.id] = true // several intents may be about one order
			e.add(ReplayKind(e.view.kind), e.view.difference)
		}
		if err := r.judgeIntent(ctx, e); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// viewsOf compares orders on both sides, and returns them by id. What the ERP lacks is told apart as an audit does.
func (r *replay) viewsOf(ctx context.Context, ids []int64) (map[int64]view, error) {
	views := make(map[int64]view, len(ids))
	list, err := r.look(ctx, ids, func(view) bool { return true }, func(int, int) error { return ctx.Err() })
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if v.differs() && v.erp == nil && v.unreadable == nil {
			if v.kind, err = r.goneOrNever(ctx, v); err != nil {
				return nil, err
			}
		}
		views[v.id] = v
	}
	return views, nil
}

// judgeIntent adds what an intent says otherwise than the ERP. An order that the mirror holds for deleted was there.
func (r *replay) judgeIntent(ctx context.Context, e *examined) error {
	in, v := e.in, e.view
	inERP := v.erp != nil || v.unreadable != nil
	placing := in.Action == nil
	took := in.State == order.Placed || in.State == order.Performed || in.State == order.Adopted
	switch {
	case !inERP && v.mirror == nil && took:
		hidden, err := r.erp.OrderHidden(ctx, v.id)
		r.asked(0)
		if err != nil {
			return err
		}
		why := "neither the ERP nor the mirror has the order"
		if hidden {
			why = "the ERP hides the order from the gateway's user, and the mirror does not have it"
		}
		e.add(ReplayLost, fmt.Sprintf("the intent is %s, and %s", in.State, why))
	case !inERP:
	case placing && (in.State == order.Rejected || in.State == order.Refused):
		e.add(ReplayRejected, fmt.Sprintf("the intent is %s, and the ERP has its order", in.State))
	case placing && in.State == order.CalledOff && v.erp != nil && v.erp.State != order.StateCancel:
		e.add(ReplayCancelled, fmt.Sprintf("the intent is cancelled, and the ERP has its order, which is %s", v.erp.Status))
	case placing && !in.State.Final():
		e.add(ReplayOpen, fmt.Sprintf("the intent is %s, and the ERP has its order", in.State))
	case in.Result != nil && v.erp != nil && in.Result.Number != v.erp.Number:
		e.add(ReplayNumber, fmt.Sprintf("number: intent %.60q, ERP %.60q", in.Result.Number, v.erp.Number))
	}
	return nil
}

func (e *examined) add(kind ReplayKind, detail string) {
	number := e.view.number()
	if number == "" && e.in.Result != nil {
		number = e.in.Result.Number
	}
	f := ReplayFinding{Source: e.in.Source, Key: e.in.Key, ERPOrderID: e.view.id, Number: number, Kind: kind,
		State: order.FindingFound, Detail: detail}
	if e.in.Action != nil {
		f.Action = e.in.Action.Kind
	}
	e.findings = append(e.findings, f)
}

// ofMirror reports whether a difference is the mirror's, which can be repaired.
func (f ReplayFinding) ofMirror() bool {
	return slices.Contains(order.FindingKinds, order.FindingKind(f.Kind))
}

// settle looks again at intents that seemed to differ, after a pause in which the sync and the resolver may do their work,
// repairs and reports what still does.
func (r *replay) settle(ctx context.Context, doubtful []intentName) error {
	if len(doubtful) == 0 {
		return nil
	}
	if err := sleep(ctx, r.options.Pause); err != nil {
		return err
	}
	done := 0
	for page := range slices.Chunk(doubtful, orderPage) {
		intents, err := r.readAgain(ctx, page)
		if err != nil {
			return err
		}
		seen, err := r.examine(ctx, intents)
		if err != nil {
			return err
		}
		var findings []ReplayFinding
		for _, e := range seen {
			if e.view.beingWritten {
				r.result.Unsettled++
			}
			findings = append(findings, e.findings...)
		}
		var failure error
		if !r.options.DryRun {
			failure = r.repair(ctx, findings)
		}
		for _, f := range findings {
			r.result.Found[f.Kind]++
			if f.State == order.FindingRepaired {
				r.result.Repaired++
			}
			if err := r.report(f); err != nil {
				return err
			}
		}
		if failure != nil {
			return failure
		}
		done += len(page)
		r.cfg.Progress("differences", done, len(doubtful))
	}
	return nil
}

// readAgain returns the intents as they stand now; some may have been deleted.
func (r *replay) readAgain(ctx context.Context, names []intentName) ([]order.Intent, error) {
	intents := make([]order.Intent, 0, len(names))
	for _, n := range names {
		in, err := r.mirror.Intent(ctx, r.tenant.ID, n.source, n.key)
		if order.IsKind(err, order.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		intents = append(intents, in)
	}
	return intents, nil
}

// repair brings the mirror to the ERP's state for the findings that are about it, looks again, and notes what became of each.
func (r *replay) repair(ctx context.Context, findings []ReplayFinding) error {
	var broken []order.Finding
	var ids []int64
	for _, f := range findings {
		if f.ofMirror() {
			broken = append(broken, order.Finding{ERPOrderID: f.ERPOrderID, Kind: order.FindingKind(f.Kind)})
			ids = append(ids, f.ERPOrderID)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	failure := r.repairPage(ctx, broken)
	slices.Sort(ids)
	views, err := r.viewsOf(ctx, ids)
	if failure == nil {
		failure = err
	}
	for i := range findings {
		f := &findings[i]
		v := views[f.ERPOrderID]
		switch {
		case !f.ofMirror():
		case err == nil && !v.differs():
			f.State = order.FindingRepaired
		case failure != nil:
			f.State, f.Failure = order.FindingFailed, failure.Error()
		default:
			f.State, f.Failure = order.FindingFailed, v.whyStill()
		}
	}
	return failure
}

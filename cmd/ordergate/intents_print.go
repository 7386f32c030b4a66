package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"ordergate/order"
)

// intentView is an intent as JSON shows it.
type intentView struct {
	Key               string       `json:"key"`
	Source            string       `json:"source"`
	Caller            string       `json:"caller"`
	State             string       `json:"state"`
	InDoubt           bool         `json:"in_doubt"`
	Acknowledged      bool         `json:"acknowledged"`
	Customer          string       `json:"customer,omitempty"`
	OrderID           int64        `json:"order_id,omitzero"`
	Failure           *failureView `json:"failure,omitempty"`
	Attempts          int          `json:"attempts"`
	Strikes           int          `json:"strikes"`
	CreatedAt         time.Time    `json:"created_at"`
	UpdatedAt         time.Time    `json:"updated_at"`
	NextAttemptAt     time.Time    `json:"next_attempt_at,omitzero"`
	LeaseUntil        time.Time    `json:"lease_until,omitzero"`
	UnknownAt         time.Time    `json:"unknown_at,omitzero"`
	CancelRequestedAt time.Time    `json:"cancel_requested_at,omitzero"`

	Request *order.Request `json:"request,omitempty"` // to place an order
	Action  *order.Action  `json:"action,omitempty"`  // or to do something with one
}

type failureView struct {
	Code   string   `json:"code"`
	Detail string   `json:"detail"`
	Errors []string `json:"errors,omitempty"`
}

func viewIntent(in order.Intent) intentView {
	view := intentView{
		Key: in.Key, Source: in.Source, Caller: in.Caller, State: string(in.State), InDoubt: in.InDoubt(),
		Acknowledged: in.Acknowledged, Customer: customerName(in), OrderID: in.ERPOrderID,
		Attempts: in.Attempts, Strikes: in.Strikes, CreatedAt: in.CreatedAt.UTC(), UpdatedAt: in.UpdatedAt.UTC(),
		NextAttemptAt: in.NextAttemptAt, LeaseUntil: in.LeaseUntil, UnknownAt: in.UnknownAt,
		CancelRequestedAt: in.CancelRequestedAt, Action: in.Action,
	}
	if in.Action == nil {
		view.Request = &in.Request
	}
	if in.Failure != nil {
		view.Failure = &failureView{Code: in.Failure.Code, Detail: in.Failure.Message}
		for _, v := range in.Failure.Violations {
			view.Failure.Errors = append(view.Failure.Errors, v.Field+": "+v.Message)
		}
	}
	return view
}

func printIntentsJSON(w io.Writer, found []order.Intent) error {
	views := make([]intentView, len(found))
	for i, in := range found {
		views[i] = viewIntent(in)
	}
	return printJSON(w, views)
}

func printIntentJSON(w io.Writer, in order.Intent) error { return printJSON(w, viewIntent(in)) }

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printIntents prints a table.
func printIntents(w io.Writer, found []order.Intent, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "AGE\tSTATE\tATTEMPTS\tSOURCE\tKEY\tWISH\tCUSTOMER\tFAILURE")
	for _, in := range found {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", age(now.Sub(in.CreatedAt)), standing(in), in.Attempts,
			plain(in.Source), plain(in.Key), wish(in), plain(customerName(in)), failureLine(in))
	}
	return table.Flush()
}

// printIntent prints everything, a line for each thing and then what was asked for.
func printIntent(w io.Writer, in order.Intent) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s:\t%s\n", name, value)
		}
	}
	moment := func(name string, t time.Time) {
		if !t.IsZero() {
			line(name, t.UTC().Format(time.RFC3339))
		}
	}
	line("key", plain(in.Key))
	line("source", plain(in.Source))
	line("sent by", plain(in.Caller))
	line("wish", wish(in))
	line("state", standing(in))
	line("customer", plain(customerName(in)))
	if in.ERPOrderID != 0 {
		line("order", fmt.Sprint(in.ERPOrderID))
	}
	line("failure", failureLine(in))
	if in.Failure != nil {
		for _, v := range in.Failure.Violations {
			line("  "+plain(v.Field), plain(v.Message))
		}
	}
	line("told 202", fmt.Sprint(in.Acknowledged))
	line("attempts", fmt.Sprint(in.Attempts))
	line("strikes", fmt.Sprint(in.Strikes))
	moment("created", in.CreatedAt)
	moment("updated", in.UpdatedAt)
	moment("next attempt", in.NextAttemptAt)
	moment("carried until", in.LeaseUntil)
	moment("in doubt since", in.UnknownAt)
	moment("called off", in.CancelRequestedAt)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if in.Action != nil {
		return printJSON(w, in.Action)
	}
	return printJSON(w, in.Request)
}

// wish says in a few words what is asked for.
func wish(in order.Intent) string {
	a := in.Action
	if a == nil {
		return "place an order"
	}
	switch a.Kind {
	case order.Hold:
		return fmt.Sprintf("put order %d on hold", a.OrderID)
	case order.Fulfil:
		return fmt.Sprintf("send what order %d asks for", a.OrderID)
	case order.Pay:
		return fmt.Sprintf("register a payment%s of invoice %d, order %d", amountOf(a), a.InvoiceID, a.OrderID)
	case order.Return:
		return fmt.Sprintf("take goods of order %d back", a.OrderID)
	case order.Receive:
		return fmt.Sprintf("receive return %d, order %d", a.ReturnID, a.OrderID)
	case order.Assign:
		return fmt.Sprintf("assign order %d to warehouse %s", a.OrderID, plain(a.Warehouse))
	case order.Reserve:
		return fmt.Sprintf("reserve goods for order %d", a.OrderID)
	case order.Release:
		return fmt.Sprintf("release what is reserved for order %d", a.OrderID)
	default:
		return fmt.Sprintf("%s order %d", a.Kind, a.OrderID)
	}
}

// amountOf is the amount of a payment behind a space; empty for all that is due.
func amountOf(a *order.Action) string {
	if a.Amount == nil {
		return ""
	}
	return " " + a.Amount.String()
}

// standing is the state, and what else there is to know of where the intent stands.
func standing(in order.Intent) string {
	switch {
	case !in.CancelRequestedAt.IsZero() && !in.State.Final():
		return string(in.State) + " (called off)"
	case in.State == order.Sending && in.InDoubt():
		return string(in.State) + " (in doubt)"
	default:
		return string(in.State)
	}
}

func customerName(in order.Intent) string {
	if in.Customer != "" || in.Action != nil {
		return in.Customer
	}
	return in.Request.Customer.QueueName()
}

func failureLine(in order.Intent) string {
	if in.Failure == nil {
		return ""
	}
	return plain(in.Failure.Code + ": " + in.Failure.Message)
}

// plain keeps what callers and the ERP wrote from moving the cursor or breaking the table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	default:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	}
}

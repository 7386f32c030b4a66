package proxy

import (
	"net/http"
	"strconv"
	"time"
)

// Action is what an HTTPProxy does with a request.
type Action struct {
	name  string
	serve func(x *exchange)
}

// pass is for the requests that no fault meets.
var pass = Action{"pass", func(x *exchange) { x.send(x.forward()) }}

// The actions that let the server carry the request out, and then spoil its answer.
var (
	// DropAnswer ends the client's connection instead of answering.
	DropAnswer = Action{"DropAnswer", func(x *exchange) {
		x.forward()
		panic(http.ErrAbortHandler)
	}}

	// CutAnswer answers with the first half of the body and ends the connection.
	CutAnswer = Action{"CutAnswer", func(x *exchange) {
		a := x.forward()
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = a.body[:len(a.body)/2]
		x.send(a)
		_ = http.NewResponseController(x.w).Flush()
		panic(http.ErrAbortHandler)
	}}

	// BadGateway answers 502 with a page of HTML, as a reverse proxy does that lost its server.
	BadGateway = Action{"BadGateway", func(x *exchange) {
		x.forward()
		x.send(answer{
			status: http.StatusBadGateway,
			header: http.Header{"Content-Type": {"text/html"}},
			body:   []byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n"),
		})
	}}
)

// DelayAnswer keeps the server's answer back for a while. A client that leaves meanwhile gets none.
func DelayAnswer(d time.Duration) Action {
	return Action{"DelayAnswer", func(x *exchange) {
		a := x.forward()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			x.send(a)
		case <-x.r.Context().Done():
		case <-x.proxy.closing.Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// HoldRequest keeps a request on its way until the channel is closed, and then lets it reach the server, also if its
// client has left long ago: the late arrival that a retry has overtaken.
func HoldRequest(until <-chan struct{}) Action {
	return Action{"HoldRequest", func(x *exchange) {
		select {
		case <-until:
			x.send(x.forward())
		case <-x.proxy.closing.Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// The actions that keep the request from the server.
var (
	// Refuse ends the client's connection at once.
	Refuse = Action{"Refuse", func(*exchange) { panic(http.ErrAbortHandler) }}

	// Hang never answers: it waits until the client leaves.
	Hang = Action{"Hang", func(x *exchange) {
		select {
		case <-x.r.Context().Done():
		case <-x.proxy.closing.Done():
		}
		panic(http.ErrAbortHandler)
	}}
)

package proxy

import (
	"net"
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

	// ResetAnswer resets the client's connection instead of answering.
	ResetAnswer = Action{"ResetAnswer", func(x *exchange) {
		x.forward()
		x.reset()
	}}

	// BadGateway answers 502 with a page of HTML, as a reverse proxy does that lost its server.
	BadGateway = SayAfter(http.StatusBadGateway, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>\n")
)

// SayAfter lets the server carry the request out, and gives an answer of its own in place of the server's.
func SayAfter(status int, contentType, body string) Action {
	return Action{"SayAfter", func(x *exchange) {
		x.forward()
		x.send(canned(status, contentType, body))
	}}
}

// DripAnswer gives the server's answer byte by byte, with a pause before each, until the client has enough of it.
func DripAnswer(pause time.Duration) Action {
	return Action{"DripAnswer", func(x *exchange) {
		a := x.forward()
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		body := a.body
		a.body = nil
		x.send(a)
		for i := range body {
			x.wait(pause)
			if _, err := x.w.Write(body[i : i+1]); err != nil {
				return
			}
			_ = http.NewResponseController(x.w).Flush()
		}
	}}
}

// Then is an action that does something else as soon as the server has carried the request out, before the client
// hears of it. What it does must not call the proxy.
func Then(a Action, do func()) Action {
	return Action{a.name, func(x *exchange) {
		x.carriedOut = do
		a.serve(x)
	}}
}

// First does something else before an action. What it does must not call the proxy.
func First(do func(), a Action) Action {
	return Action{a.name, func(x *exchange) {
		do()
		a.serve(x)
	}}
}

// DelayAnswer keeps the server's answer back for a while. A client that leaves meanwhile gets none.
func DelayAnswer(d time.Duration) Action {
	return Action{"DelayAnswer", func(x *exchange) {
		a := x.forward()
		x.wait(d)
		x.send(a)
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

// DelayRequest is HoldRequest for a while.
func DelayRequest(d time.Duration) Action {
	return Action{"DelayRequest", func(x *exchange) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			x.send(x.forward())
		case <-x.proxy.closing.Done():
			panic(http.ErrAbortHandler)
		}
	}}
}

// Say gives an answer in the place of the server, which the request never reaches.
func Say(status int, contentType, body string) Action {
	return Action{"Say", func(x *exchange) { x.send(canned(status, contentType, body)) }}
}

// The actions that keep the request from the server.
var (
	// Refuse ends the client's connection at once.
	Refuse = Action{"Refuse", func(*exchange) { panic(http.ErrAbortHandler) }}

	// Reset resets the client's connection.
	Reset = Action{"Reset", func(x *exchange) { x.reset() }}

	// Hang never answers: it waits until the client leaves.
	Hang = Action{"Hang", func(x *exchange) {
		select {
		case <-x.r.Context().Done():
		case <-x.proxy.closing.Done():
		}
		panic(http.ErrAbortHandler)
	}}
)

func canned(status int, contentType, body string) answer {
	return answer{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)}
}

// wait waits for d. A client that leaves meanwhile, or the end of the test, ends the exchange.
func (x *exchange) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-x.proxy.closing.Done():
		panic(http.ErrAbortHandler)
	}
}

// reset ends the client's connection with a reset instead of an orderly end.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is about to be closed in any case
	}
	_ = conn.Close()
}

package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// reply is an answer as it goes over the wire.
type reply struct {
	status      int
	contentType string
	body        []byte
}

// format is how a protocol writes what a call came to.
type format interface {
	success(v any) reply
	failure(f *fault) reply
	nested(depth int) reply // an answer of lists within lists
	wrongLogin(method string) reply
}

// The formats of the two protocols.
var (
	inXML  format = xmlFormat{}
	inJSON format = jsonFormat{}
)

type xmlFormat struct{}

func xmlReply(body []byte) reply { return reply{http.StatusOK, "text/xml; charset=utf-8", body} }

// success writes a value. XML-RPC has no None: the transaction is committed, and the answer a fault.
func (x xmlFormat) success(v any) reply {
	if _, isNone := v.(none); isNone {
		return x.failure(unmarshalable())
	}
	return xmlReply(encodeAnswer(v))
}

func (xmlFormat) failure(f *fault) reply { return xmlReply(encodeFault(f)) }

func (xmlFormat) nested(depth int) reply {
	return xmlReply([]byte("<?xml version='1.0'?>\n<methodResponse><params><param>" +
		strings.Repeat("<value><array><data>", depth) + strings.Repeat("</data></array></value>", depth) +
		"</param></params></methodResponse>\n"))
}

func (x xmlFormat) wrongLogin(method string) reply {
	if method == "authenticate" {
		return x.success(false)
	}
	return x.failure(accessDenied())
}

type jsonFormat struct{}

func jsonReply(status int, body []byte) reply {
	return reply{status, "application/json; charset=utf-8", body}
}

func (jsonFormat) success(v any) reply {
	var b bytes.Buffer
	encodeJSON(&b, v)
	return jsonReply(http.StatusOK, b.Bytes())
}

func (jsonFormat) failure(f *fault) reply { return jsonReply(f.httpStatus(), jsonFault(f)) }

func (jsonFormat) nested(depth int) reply {
	return jsonReply(http.StatusOK, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
}

func (j jsonFormat) wrongLogin(string) reply {
	return j.failure(httpError(http.StatusUnauthorized, "Unauthorized", "Invalid apikey"))
}

func htmlReply(status int) reply {
	title := http.StatusText(status)
	return reply{status, "text/html; charset=utf-8",
		fmt.Appendf(nil, "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n", status, title, title)}
}

func (a reply) write(w http.ResponseWriter) {
	a.writeHeader(w)
	_, _ = w.Write(a.body) // a client that went away has no use for the error
}

func (a reply) writeHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	w.WriteHeader(a.status)
}

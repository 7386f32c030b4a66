package odoo

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// readXMLRPC reads an answer of XML-RPC.
func readXMLRPC(resp *http.Response, l limits) (any, error) {
	if err := checkStatus(resp.StatusCode); err != nil {
		return nil, err
	}
	if !isOfType(resp, "text/xml", "application/xml") {
		return nil, wrongType(resp, "XML")
	}
	return decodeAnswer(resp.Body, l.bytes, l.depth)
}

// decodeAnswer reads one answer from its body, to the end: at most maxBytes, and elements nested at most maxDepth deep. It
// returns the value, or a *fault, or an *Error with reason BadAnswer, or a *brokenBody if the body could not be read.
func decodeAnswer(body io.Reader, maxBytes int64, maxDepth int) (any, error) {
	r := newXMLReader(body, maxBytes, maxDepth)
	defer r.release()
	value, isFault, err := r.methodResponse()
	if err != nil {
		if broken, ok := err.(*brokenBody); ok {
			return nil, broken
		}
		return nil, badAnswer(err)
	}
	if !isFault {
		return value, nil
	}
	members, _ := value.(map[string]any)
	code, ok := members["faultCode"].(int64)
	if !ok {
		return nil, badAnswer(errors.New("a fault without a code"))
	}
	text, _ := members["faultString"].(string)
	return nil, &fault{code: code, text: text}
}

// methodResponse reads the document of an answer: one value, in params or in a fault, and nothing after it.
func (r *xmlReader) methodResponse() (value any, isFault bool, err error) {
	if err := r.declaration(); err != nil {
		return nil, false, err
	}
	if err := r.enter("methodResponse"); err != nil {
		return nil, false, err
	}
	t, err := r.tag()
	if err != nil {
		return nil, false, err
	}
	isFault = string(t.name) == "fault"
	if t.closes || t.empty || !isFault && string(t.name) != "params" {
		return nil, false, fmt.Errorf("%s instead of params or a fault", t)
	}
	path := []string{"params", "param", "value"}
	if isFault {
		path = []string{"fault", "value"}
	}
	for _, name := range path[1:] {
		if err := r.enter(name); err != nil {
			return nil, false, err
		}
	}
	if value, err = r.value(); err != nil {
		return nil, false, err
	}
	for _, name := range slices.Backward(path[:len(path)-1]) {
		if err := r.leave(name); err != nil {
			return nil, false, err
		}
	}
	if err := r.leave("methodResponse"); err != nil {
		return nil, false, err
	}
	return value, isFault, r.nothingElse()
}

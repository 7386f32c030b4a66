package odoo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/kolo/xmlrpc"
)

// decodeAnswer guards and decodes one answer. It returns the value, or a *fault, or an *Error with reason BadAnswer.
func decodeAnswer(data []byte, maxDepth int) (any, error) {
	kind, err := checkAnswer(data, maxDepth)
	if err != nil {
		return nil, badAnswer(err)
	}
	var value any
	if err := xmlrpc.Response(data).Unmarshal(&value); err != nil {
		return nil, badAnswer(err)
	}
	if kind == kindValue {
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

type answerKind int

const (
	kindValue answerKind = iota
	kindFault
)

// checkAnswer scans an answer before it is decoded, and accepts only the plain XML in which XML-RPC is written: elements
// without attributes, nested at most maxDepth deep. Everything beyond that is refused: a document type may hold entities
// that grow, comments and CDATA sections split texts, which the decoder would cut there, a value without a type is
// decoded wrongly, and deep nesting overflows the decoder's stack and so kills the process.
func checkAnswer(data []byte, maxDepth int) (answerKind, error) {
	data = bytes.TrimLeft(data, " \t\r\n")
	if bytes.HasPrefix(data, []byte("<?xml ")) {
		end := bytes.Index(data, []byte("?>"))
		if end < 0 {
			return 0, errors.New("an XML declaration without end")
		}
		data = data[end+2:]
	}
	kind := kindValue
	var open [][]byte // the names of the open elements
	leaf := false     // the last tag opened an element
	elements := 0
	for {
		start := bytes.IndexByte(data, '<')
		if start < 0 {
			break
		}
		if len(open) == 0 && len(bytes.TrimSpace(data[:start])) > 0 {
			return 0, errors.New("text outside of all elements")
		}
		tag, err := scanTag(data[start:])
		if err != nil {
			return 0, err
		}
		data = data[start+tag.length:]
		if tag.closes {
			if len(open) == 0 || !bytes.Equal(open[len(open)-1], tag.name) {
				return 0, fmt.Errorf("</%.40s> closes nothing", tag.name)
			}
			if leaf && string(tag.name) == "value" {
				return 0, errors.New("a value without a type")
			}
			open, leaf = open[:len(open)-1], false
			continue
		}
		if err := checkPlace(open, tag.name, elements); err != nil {
			return 0, err
		}
		elements++
		if elements == 2 && string(tag.name) == "fault" {
			kind = kindFault
		}
		if len(open) == maxDepth {
			return 0, fmt.Errorf("elements nested more than %d deep", maxDepth)
		}
		if tag.empty {
			if string(tag.name) == "value" {
				return 0, errors.New("a value without a type")
			}
			leaf = false
			continue
		}
		open, leaf = append(open, tag.name), true
	}
	switch {
	case len(open) > 0:
		return 0, fmt.Errorf("<%.40s> is not closed", open[len(open)-1])
	case elements == 0:
		return 0, errors.New("no XML elements")
	case len(bytes.TrimSpace(data)) > 0:
		return 0, errors.New("text outside of all elements")
	}
	return kind, nil
}

// checkPlace holds the frame of an answer: one methodResponse, and in it params or fault.
func checkPlace(open [][]byte, name []byte, elements int) error {
	switch {
	case elements == 0 && string(name) != "methodResponse":
		return fmt.Errorf("<%.40s> instead of an XML-RPC answer", name)
	case elements == 1 && string(name) != "params" && string(name) != "fault":
		return fmt.Errorf("<%.40s> instead of params or a fault", name)
	case elements > 0 && len(open) == 0:
		return errors.New("more than one document")
	}
	return nil
}

type tag struct {
	name          []byte
	length        int // in bytes, angle brackets included
	closes, empty bool
}

// scanTag reads the tag that data begins with.
func scanTag(data []byte) (tag, error) {
	var t tag
	i := 1
	if i < len(data) && data[i] == '/' {
		t.closes = true
		i++
	}
	nameAt := i
	for i < len(data) && isNameByte(data[i]) {
		i++
	}
	t.name = data[nameAt:i]
	for i < len(data) && isSpace(data[i]) {
		i++
	}
	if !t.closes && i < len(data) && data[i] == '/' {
		t.empty = true
		i++
	}
	if len(t.name) == 0 || i >= len(data) || data[i] != '>' {
		return tag{}, fmt.Errorf("markup that XML-RPC does not use: %.40q", data[:min(40, len(data))])
	}
	t.length = i + 1
	return t, nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

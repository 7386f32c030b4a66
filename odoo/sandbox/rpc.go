package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// The values of XML-RPC are, in Go: string, bool, int64, float64, nil, []any and map[string]any. Answers also hold
// record (a struct whose members keep their order), []record, []int64, time.Time and int.
type (
	member struct {
		name  string
		value any
	}
	record []member
)

// none is the answer of a method of Odoo that returns Python's None, which XML-RPC there cannot express.
type none struct{}

// maxRequestDepth bounds the nesting of a request, as expat's recursion would in Odoo.
const maxRequestDepth = 200

// request is a decoded methodCall.
type request struct {
	method string
	params []any
}

// decodeRequest reads a methodCall. An error means that the document is not well-formed or not XML-RPC.
func decodeRequest(r io.Reader) (request, error) {
	d := requestDecoder{xml: xml.NewDecoder(r)}
	var req request
	if err := d.descend("methodCall"); err != nil {
		return req, err
	}
	if err := d.descend("methodName"); err != nil {
		return req, err
	}
	method, err := d.text()
	if err != nil {
		return req, err
	}
	req.method = method
	for {
		start, err := d.child()
		if err != nil {
			return req, err
		}
		switch start {
		case "params", "param":
			// The values are inside; their end tags are skipped by child.
		case "value":
			v, err := d.value(0)
			if err != nil {
				return req, err
			}
			req.params = append(req.params, v)
		case "":
			return req, nil
		default:
			return req, fmt.Errorf("unexpected element %q", start)
		}
	}
}

type requestDecoder struct {
	xml *xml.Decoder
}

// child returns the name of the next element that starts, skipping ends; "" at the end of the document.
func (d *requestDecoder) child() (string, error) {
	for {
		t, err := d.xml.Token()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if s, ok := t.(xml.StartElement); ok {
			return s.Name.Local, nil
		}
	}
}

func (d *requestDecoder) descend(name string) error {
	got, err := d.child()
	if err != nil {
		return err
	}
	if got != name {
		return fmt.Errorf("no element found: %s", name)
	}
	return nil
}

// text reads character data up to the end of the current element.
func (d *requestDecoder) text() (string, error) {
	var b strings.Builder
	for {
		t, err := d.xml.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", fmt.Errorf("unexpected element %q", t.Name.Local)
		case xml.EndElement:
			return b.String(), nil
		}
	}
}

// value reads the content of a <value> whose start tag was read, and its end tag.
func (d *requestDecoder) value(depth int) (any, error) {
	if depth > maxRequestDepth {
		return nil, errors.New("too deeply nested")
	}
	var bare strings.Builder
	for {
		t, err := d.xml.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			bare.Write(t)
		case xml.EndElement:
			return bare.String(), nil
		case xml.StartElement:
			v, err := d.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			return v, d.xml.Skip() // to the end of <value>
		}
	}
}

// typed reads a type element whose start tag was read, and its end tag.
func (d *requestDecoder) typed(name string, depth int) (any, error) {
	switch name {
	case "array":
		return d.array(depth)
	case "struct":
		return d.structure(depth)
	}
	s, err := d.text()
	if err != nil {
		return nil, err
	}
	switch name {
	case "string", "dateTime.iso8601":
		return s, nil
	case "int", "i4", "i8", "i2", "i1":
		return strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	case "double", "float":
		return strconv.ParseFloat(strings.TrimSpace(s), 64)
	case "boolean":
		return strconv.ParseBool(strings.TrimSpace(s))
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		return string(raw), err
	case "nil":
		return nil, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

func (d *requestDecoder) array(depth int) (any, error) {
	items := []any{}
	for {
		t, err := d.xml.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local != "value" {
				continue // <data>
			}
			v, err := d.value(depth + 1)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		case xml.EndElement:
			if t.Name.Local == "array" {
				return items, nil
			}
		}
	}
}

func (d *requestDecoder) structure(depth int) (any, error) {
	members := map[string]any{}
	var name string
	for {
		t, err := d.xml.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "name":
				if name, err = d.text(); err != nil {
					return nil, err
				}
			case "value":
				v, err := d.value(depth + 1)
				if err != nil {
					return nil, err
				}
				members[name] = v
			}
		case xml.EndElement:
			if t.Name.Local == "struct" {
				return members, nil
			}
		}
	}
}

// encodeAnswer writes a methodResponse as Python's xmlrpc.client does, which is what Odoo answers with.
func encodeAnswer(v any) []byte {
	e := encoder{buf: make([]byte, 0, 1024)}
	e.raw("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n")
	e.value(v)
	e.raw("</param>\n</params>\n</methodResponse>\n")
	return e.buf
}

// encodeFault writes a methodResponse that is a fault.
func encodeFault(f *fault) []byte {
	e := encoder{}
	e.raw("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n")
	e.value(record{{"faultCode", f.code}, {"faultString", f.text}})
	e.raw("</fault>\n</methodResponse>\n")
	return e.buf
}

type encoder struct {
	buf []byte
}

func (e *encoder) raw(s string) { e.buf = append(e.buf, s...) }

func (e *encoder) value(v any) {
	e.raw("<value>")
	switch v := v.(type) {
	case nil:
		e.raw("<boolean>0</boolean>") // what is empty is False in Odoo
	case bool:
		if v {
			e.raw("<boolean>1</boolean>")
		} else {
			e.raw("<boolean>0</boolean>")
		}
	case int:
		e.integer(int64(v))
	case int64:
		e.integer(v)
	case float64:
		e.raw("<double>")
		e.raw(formatDouble(v))
		e.raw("</double>")
	case string:
		e.raw("<string>")
		e.text(v)
		e.raw("</string>")
	case time.Time:
		e.raw("<string>")
		e.raw(formatTime(v))
		e.raw("</string>")
	case record:
		e.raw("<struct>\n")
		for _, m := range v {
			e.raw("<member>\n<name>")
			e.text(m.name)
			e.raw("</name>\n")
			e.value(m.value)
			e.raw("</member>\n")
		}
		e.raw("</struct>")
	case []record:
		e.array(len(v), func(i int) any { return v[i] })
	case []int64:
		e.array(len(v), func(i int) any { return v[i] })
	case []any:
		e.array(len(v), func(i int) any { return v[i] })
	default:
		panic(fmt.Sprintf("sandbox: %T in an answer", v))
	}
	e.raw("</value>\n")
}

func (e *encoder) integer(n int64) {
	e.raw("<int>")
	e.buf = strconv.AppendInt(e.buf, n, 10)
	e.raw("</int>")
}

func (e *encoder) array(n int, at func(int) any) {
	e.raw("<array><data>\n")
	for i := range n {
		e.value(at(i))
	}
	e.raw("</data></array>")
}

// text escapes what Python escapes, and drops the control characters that Odoo drops.
func (e *encoder) text(s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			e.raw("&amp;")
		case c == '<':
			e.raw("&lt;")
		case c == '>':
			e.raw("&gt;")
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r':
		default:
			e.buf = append(e.buf, c)
		}
	}
}

// formatDouble is Python's repr of a float.
func formatDouble(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

const timeLayout = "2006-01-02 15:04:05"

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

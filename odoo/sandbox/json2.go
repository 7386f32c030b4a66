package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What JSON-2 is asked for lies below this; the versions before 19 do not have it.
const (
	json2Path   = "/json/2/"
	oldestJSON2 = 19
)

// resolveJSON finds out what is called over JSON-2, and what the call is held to before it begins: a wrong address, body or
// key is answered at once, as page or as error.
func (s *Server) resolveJSON(r *http.Request, body []byte) (call, *reply) {
	page := func(status int) *reply {
		answer := htmlReply(status)
		return &answer
	}
	refuse := func(f *fault) *reply {
		answer := inJSON.failure(f)
		return &answer
	}
	path := r.URL.Path
	database := r.Header.Get("X-Odoo-Database")
	switch {
	case s.options.Major < oldestJSON2:
		return call{}, page(http.StatusNotFound)
	case path == "/json/version" || path == "/web/version":
		return call{method: "json.version", format: inJSON, run: func(time.Time) (any, error) { return s.versionForJSON(), nil }}, nil
	case database != "" && database != Database:
		return call{}, page(http.StatusNotFound)
	}
	called, ok := strings.CutPrefix(path, json2Path)
	if !ok {
		return call{}, page(http.StatusNotFound)
	}
	model, method, ok := strings.Cut(called, "/")
	if !ok || r.Method != http.MethodPost {
		return call{}, refuse(httpError(http.StatusNotFound, "NotFound", "Did you mean POST /json/2/<model>/<method>?"))
	}
	u, denied := s.userOfKey(r.Header.Get("Authorization"))
	if denied != nil {
		return call{}, refuse(denied)
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); len(body) > 0 && mediaType != "application/json" {
		return call{}, page(http.StatusUnsupportedMediaType)
	}
	x, err := parseNamed(body)
	if err != nil {
		return call{}, refuse(httpError(http.StatusBadRequest, "BadRequest", "could not parse the body as json: %v", err))
	}
	x.model, x.method = model, method
	return call{method: model + "." + method, format: inJSON, run: func(now time.Time) (any, error) { return s.transact(u, x, now) }}, nil
}

func (s *Server) versionForJSON() record {
	return record{
		{"version_info", []any{s.options.Major, 0, 0, "final", 0, ""}},
		{"version", fmt.Sprintf("%d.0", s.options.Major)},
	}
}

// userOfKey finds the user whose API key stands in a header.
func (s *Server) userOfKey(authorization string) (user, *fault) {
	scheme, key, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "bearer") || key == "" {
		return user{}, httpError(http.StatusUnauthorized, "Unauthorized", "User not authenticated, use an API Key with a Bearer Authorization header.")
	}
	for _, u := range s.users {
		if samePassword(u.key, key) {
			return u, nil
		}
	}
	return user{}, httpError(http.StatusUnauthorized, "Unauthorized", "Invalid apikey")
}

// parseNamed reads the arguments of a call.
func parseNamed(body []byte) (execution, error) {
	x := execution{named: true, keyword: map[string]any{}}
	if len(body) == 0 {
		return x, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return x, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return x, errors.New("extra data")
	}
	if named, ok := fromJSON(v).(map[string]any); ok {
		x.keyword = named
	}
	x.ids = x.keyword["ids"]
	delete(x.keyword, "ids")
	return x, nil
}

// fromJSON brings decoded JSON into the values of XML-RPC.
func fromJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // an infinite one is refused by whoever uses it
		return f
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = fromJSON(v[name])
		}
	}
	return v
}

// encodeJSON writes a value as Python's json does.
func encodeJSON(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case nil: // what is empty is False in Odoo
		b.WriteString("false")
	case none:
		b.WriteString("null")
	case float64:
		b.WriteString(formatDouble(v))
	case string:
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v)         // no text fails
		b.Truncate(b.Len() - 1) // the newline
	case time.Time:
		fmt.Fprintf(b, "%q", formatTime(v))
	case record:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			encodeJSON(b, m.name)
			b.WriteString(": ")
			encodeJSON(b, m.value)
		}
		b.WriteByte('}')
	case []record:
		jsonArray(b, len(v), func(i int) any { return v[i] })
	case []int64:
		jsonArray(b, len(v), func(i int) any { return v[i] })
	case []any:
		jsonArray(b, len(v), func(i int) any { return v[i] })
	case bool, int, int64:
		fmt.Fprint(b, v)
	default:
		panic(fmt.Sprintf("sandbox: %T in an answer", v))
	}
}

func jsonArray(b *bytes.Buffer, n int, at func(int) any) {
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		encodeJSON(b, at(i))
	}
	b.WriteByte(']')
}

// jsonFault writes an error as Odoo serializes an exception.
func jsonFault(f *fault) []byte {
	var b bytes.Buffer
	arguments := []any{f.message()}
	if f.status != 0 {
		arguments = append(arguments, f.status)
	}
	encodeJSON(&b, record{
		{"name", f.exception()}, {"message", f.message()}, {"arguments", arguments}, {"context", record{}},
		{"debug", "Traceback (most recent call last):\n  File \"odoo/http.py\", in dispatch\n" + f.exception() + ": " + f.message() + "\n"},
	})
	return b.Bytes()
}

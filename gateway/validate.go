package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"ordergate/order"
)

const headerKey = "Idempotency-Key"

// validator holds requests of one operation to the contract, more strictly than the contract can say.
type validator struct {
	route        *routers.Route
	query        []string // the names of the query parameters
	queryLists   []string // those that hold lists
	headerLists  []string // the names of the headers that may come in several lines
	needsKey     bool
	maxBodyBytes int64
}

func newValidator(spec *openapi3.T, op operation, maxBodyBytes int64) (*validator, error) {
	item := spec.Paths.Value(op.path)
	if item == nil || item.GetOperation(op.method) == nil {
		return nil, fmt.Errorf("gateway: the contract does not have %s %s", op.method, op.path)
	}
	v := &validator{
		route: &routers.Route{
			Spec: spec, Path: op.path, PathItem: item, Method: op.method, Operation: item.GetOperation(op.method),
		},
		maxBodyBytes: maxBodyBytes,
	}
	for _, parameter := range v.route.Operation.Parameters {
		switch parameter.Value.In {
		case openapi3.ParameterInQuery:
			v.query = append(v.query, parameter.Value.Name)
			if parameter.Value.Schema.Value.Type.Is("array") {
				v.queryLists = append(v.queryLists, parameter.Value.Name)
			}
		case openapi3.ParameterInHeader:
			if parameter.Value.Name == headerKey {
				v.needsKey = true
			} else {
				v.headerLists = append(v.headerLists, parameter.Value.Name)
			}
		}
	}
	return v, nil
}

// readsBody reports whether the operation has a body. That of another one is ignored.
func (v *validator) readsBody() bool { return v.route.Operation.RequestBody != nil }

func (v *validator) middleware(problems *problems) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := v.check(c); err != nil {
			problems.write(c, err)
		}
	}
}

func (v *validator) check(c *gin.Context) error {
	parameters, err := unescapePath(c.Params)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return order.Errorf(order.Malformed, "malformed_query", "The query string is not percent-encoded as it should be.").Because(err)
	}
	v.normalizeLists(c.Request, query)
	found := v.checkQuery(query)
	if v.needsKey && (len(c.Request.Header.Values(headerKey)) > 0 || !isDryRun(query)) {
		if err := checkKey(c.Request.Header.Values(headerKey)); err != nil {
			return err
		}
	}
	if v.readsBody() {
		if err := v.takeBody(c); err != nil {
			return err
		}
	}

	err = openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
		Request: c.Request, PathParams: parameters, QueryParams: query, Route: v.route,
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, KeepValidatedValue: true,
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, // authenticate has done it
		},
	})
	if err != nil {
		faults := explain(err)
		if wrong := faults.inPath; len(wrong) > 0 {
			e := order.Errorf(order.NotFound, "not_found", "Nothing can have this address: %s %s.", wrong[0].Field, wrong[0].Message)
			e.Violations = wrong
			return e
		}
		found = append(found, faults.others...)
	}
	return invalid(found)
}

// invalid makes the violations one error, naming each field once; nil if there are none.
func invalid(found []order.Violation) error {
	if len(found) == 0 {
		return nil
	}
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(v order.Violation) bool {
		repeated := seen[v.Field]
		seen[v.Field] = true
		return repeated
	})
	return &order.Error{
		Kind: order.Unprocessable, Code: codeInvalid,
		Message:    fmt.Sprintf("%s: %s.", found[0].Field, found[0].Message),
		Violations: found,
	}
}

// unescapePath replaces the path's parameters, which Gin leaves as they were sent: its own unescaping takes a plus for
// a space, which is right in a query and wrong in a path.
func unescapePath(params gin.Params) (map[string]string, error) {
	values := make(map[string]string, len(params))
	for i := range params {
		value, err := url.PathUnescape(params[i].Value)
		if err != nil {
			return nil, order.Errorf(order.NotFound, "not_found", "Nothing can have this address.").Because(err)
		}
		params[i].Value = value
		values[params[i].Key] = value
	}
	return values, nil
}

// normalizeLists gives every list the one spelling that the generated code reads: a parameter for each element in the
// query, one line in the header.
func (v *validator) normalizeLists(r *http.Request, query url.Values) {
	for _, name := range v.queryLists {
		if values, given := query[name]; given {
			query[name] = strings.Split(strings.Join(values, ","), ",")
			r.URL.RawQuery = query.Encode()
		}
	}
	for _, name := range v.headerLists {
		if lines := r.Header.Values(name); len(lines) > 1 {
			r.Header.Set(name, strings.Join(lines, ","))
		}
	}
}

func (v *validator) checkQuery(query url.Values) []order.Violation {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)

	var found []order.Violation
	for _, name := range names {
		var path fieldPath
		path.member(strings.ToValidUTF8(name, "\ufffd"))
		switch values := query[name]; {
		case !slices.Contains(v.query, name):
			found = append(found, order.Violation{Field: path.String(), Message: "is not a parameter of this request"})
		case len(values) > 1 && !slices.Contains(v.queryLists, name):
			found = append(found, order.Violation{Field: name, Message: "is given more than once"})
		case !utf8.ValidString(strings.Join(values, "")):
			found = append(found, order.Violation{Field: name, Message: "is not valid UTF-8"})
		case strings.ContainsFunc(strings.Join(values, ""), isControl):
			found = append(found, order.Violation{Field: name, Message: "holds a control character"})
		}
	}
	return found
}

func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r < 0xa0) }

// isDryRun reports whether a request asks to do nothing. It needs no key then.
func isDryRun(query url.Values) bool {
	dry, err := strconv.ParseBool(query.Get("dry_run"))
	return err == nil && dry
}

// checkKey wants one Idempotency-Key: with two, one of them would be ignored.
func checkKey(values []string) error {
	if len(values) > 1 {
		e := order.Errorf(order.Malformed, "idempotency_key_invalid", "Send one Idempotency-Key header, not %d.", len(values))
		e.Violations = []order.Violation{{Field: headerKey, Message: "is given more than once"}}
		return e
	}
	if err := order.ValidateKey(strings.Join(values, "")); err != nil {
		return err
	}
	return nil
}

// takeBody reads the body and leaves it on the request for those who come after. Where none is needed, an empty one is none, whatever the
// headers say of it.
func (v *validator) takeBody(c *gin.Context) error {
	unreadable := checkMediaType(c.Request.Header)
	needed := v.route.Operation.RequestBody.Value.Required
	if needed && unreadable != nil {
		return unreadable
	}
	body, err := v.readBody(c)
	if err != nil {
		return err
	}
	callOf(c).body.shrink(int64(len(body)))
	if len(body) == 0 && !needed {
		c.Request.Body = http.NoBody
		return nil
	}
	if unreadable != nil {
		return unreadable
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func checkMediaType(header http.Header) error {
	mediaType, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, given := parameters["charset"]
	encoding := header.Get("Content-Encoding")
	if err != nil || mediaType != "application/json" || (given && !strings.EqualFold(charset, "utf-8")) ||
		(encoding != "" && !strings.EqualFold(encoding, "identity")) {
		return &transportError{http.StatusUnsupportedMediaType, order.Errorf(order.Malformed, "unsupported_media_type",
			"Send the body as Content-Type: application/json, in UTF-8 and not compressed.")}
	}
	return nil
}

func (v *validator) readBody(c *gin.Context) ([]byte, error) {
	tooLarge := order.Errorf(order.TooLarge, "body_too_large", "The body may have at most %d bytes.", v.maxBodyBytes)
	if c.Request.ContentLength > v.maxBodyBytes {
		c.Header("Connection", "close") // what is left of the body is not worth reading
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, v.maxBodyBytes+1))
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return nil, &transportError{http.StatusRequestTimeout, order.Errorf(order.Malformed, "body_timeout",
			"The body did not arrive in time. Nothing was accepted.").Because(err)}
	case err != nil:
		return nil, order.Errorf(order.Malformed, "incomplete_body", "The body ended before its announced length.").Because(err)
	case int64(len(body)) > v.maxBodyBytes:
		c.Header("Connection", "close")
		return nil, tooLarge
	}
	return body, nil
}

// bindingFailed answers what the generated code could not read although the contract allows it, such as 1.0 for an id.
func bindingFailed(problems *problems) func(*gin.Context, error) {
	return func(c *gin.Context, err error) {
		e := order.Errorf(order.Unprocessable, codeInvalid, "The request holds a value of the wrong type.").Because(err)
		if field := mistypedField(err); field != "" {
			e.Violations = []order.Violation{{Field: field, Message: "must be a whole number"}}
		}
		problems.write(c, e)
	}
}

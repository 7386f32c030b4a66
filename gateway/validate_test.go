package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestIdempotencyKeyMustBeOneGoodHeader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	send := func(keys ...string) answer {
		r := b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder)
		r.Header["Idempotency-Key"] = keys
		return r.send()
	}

	send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing", "Idempotency-Key")
	send("").requireProblem(t, http.StatusBadRequest, "idempotency_key_missing", "Idempotency-Key")
	send("a", "a").requireProblem(t, http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key")
	for _, key := range []string{strings.Repeat("k", 256), "clé", "a\tb", "a\x00", " a", "a "} {
		send(key).requireProblem(t, http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key")
	}
	require.Empty(t, *asked)
	for _, key := range []string{"a", `"quoted"`, "a b", strings.Repeat("k", 255), "~!@#$%^&*()"} {
		require.Equal(t, http.StatusCreated, send(key).StatusCode)
	}
}

func TestBodiesThatAreNotJSON(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body, code, detail string
	}{
		"white space":       {" \n ", "malformed_json", "empty"},
		"not JSON":          {"<order/>", "malformed_json", "line 1, column 1"},
		"cut short":         {`{"lines": [`, "malformed_json", "unexpected end of JSON input, at line 1, column 11"},
		"position":          {"{\n  \"lé\": }", "malformed_json", "line 2, column 9"},
		"two values":        {`{} {}`, "malformed_json", "column 4"},
		"trailing comma":    {`{"lines": [],}`, "malformed_json", "column 14"},
		"NaN":               {`{"a": NaN}`, "malformed_json", "column 7"},
		"invalid UTF-8":     {"{\"note\": \"a\xffb\"}", "malformed_json", "not valid UTF-8, at line 1, column 12"},
		"surrogates in raw": {"{\"note\": \"\xed\xa0\x80\"}", "malformed_json", "not valid UTF-8"},
		"high surrogate":    {`{"note": "a\ud800b"}`, "malformed_json", "half a surrogate pair, at line 1, column 12"},
		"low surrogate":     {`{"note": "\udc00"}`, "malformed_json", "half a surrogate pair"},
		"two high":          {`{"note": "\ud83d\ud83d"}`, "malformed_json", "half a surrogate pair"},
		"surrogate in name": {`{"\ud83d": 1}`, "malformed_json", "half a surrogate pair"},
		"33 levels":         {`{"note":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", "nesting_too_deep", "32 levels"},
		"very deep":         {strings.Repeat("[", 500_000), "nesting_too_deep", "32 levels"},
		"twice":             {`{"note": "a", "note": "b"}`, "duplicate_member", "note is given twice"},
		"twice by escape":   {`{"note": "a", "n\u006fte": "b"}`, "duplicate_member", "note is given twice"},
		"twice, deeper":     {`{"lines": [{"sku": "A"}, {"sku": "A", "quantity": "1", "sku": "B"}]}`, "duplicate_member", "lines[1].sku"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newBench(t).place(portalSecret, "k", c.body).requireProblem(t, http.StatusBadRequest, c.code)
			require.Contains(t, p.Detail, c.detail)
		})
	}
}

func TestStrictnessKeepsWhatIsFine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	const note = `{}[],:"\ 😀 \ud83d`
	body := `{"note": "{}[],:\"\\ \ud83d\ude00 \\ud83d", "customer": {"ref": "a", "name": "a"}, "lines": [{"sku": "a", "quantity": "1"}, {"sku": "a", "quantity": "1"}]}`

	a := b.place(portalSecret, "k", body)

	require.Equal(t, http.StatusCreated, a.StatusCode, "%s", a.body)
	require.Equal(t, note, (*asked)[0].Note)
}

func TestBodiesThatBreakTheContract(t *testing.T) {
	t.Parallel()
	line := func(members string) string { return `{"lines": [{"sku": "A", "quantity": "1"}, {` + members + `}]}` }
	cases := map[string]struct {
		body, field, message string
	}{
		"null":                {`null`, "body", "must not be null"},
		"list":                {`[]`, "body", "must be an object"},
		"string":              {`"x"`, "body", "must be an object"},
		"no lines":            {`{}`, "lines", "is required"},
		"empty lines":         {`{"lines": []}`, "lines", "at least 1"},
		"too many lines":      {`{"lines": [` + strings.Repeat(`{"sku":"A","quantity":"1"},`, 500) + `{"sku":"A","quantity":"1"}]}`, "lines", "at most 500"},
		"lines of a kind":     {`{"lines": {}}`, "lines", "must be a list"},
		"unknown":             {`{"lines": [{"sku":"A","quantity":"1"}], "coupon": 1}`, "coupon", "is not known here"},
		"unknown, deeper":     {line(`"sku": "A", "quantity": "1", "colour": "red"`), "lines[1].colour", "is not known here"},
		"unknown by case":     {line(`"sku": "A", "quantity": "1", "SKU": "B"`), "lines[1].SKU", "is not known here"},
		"unknown, long":       {`{"lines": [{"sku":"A","quantity":"1"}], "` + strings.Repeat("x", 9999) + `": 1}`, strings.Repeat("x", 64) + "…", "is not known here"},
		"quantity as number":  {line(`"sku": "A", "quantity": 2`), "lines[1].quantity", `must be a string: write "2", with the quotation marks`},
		"quantity as list":    {line(`"sku": "A", "quantity": ["2"]`), "lines[1].quantity", "must be a string"},
		"quantity missing":    {line(`"sku": "A"`), "lines[1].quantity", "is required"},
		"quantity null":       {line(`"sku": "A", "quantity": null`), "lines[1].quantity", "must not be null"},
		"quantity empty":      {line(`"sku": "A", "quantity": ""`), "lines[1].quantity", "plain decimal number"},
		"quantity in words":   {line(`"sku": "A", "quantity": "two"`), "lines[1].quantity", "plain decimal number"},
		"quantity exponent":   {line(`"sku": "A", "quantity": "1e9"`), "lines[1].quantity", "plain decimal number"},
		"quantity digits":     {line(`"sku": "A", "quantity": "1234567890123456789"`), "lines[1].quantity", "more than 18 digits"},
		"quantity padded":     {line(`"sku": "A", "quantity": "` + strings.Repeat("0", 41) + `"`), "lines[1].quantity", "at most 40"},
		"price NaN":           {line(`"sku": "A", "quantity": "1", "unit_price": "NaN"`), "lines[1].unit_price", "plain decimal number"},
		"discount percent":    {line(`"sku": "A", "quantity": "1", "discount": "5%"`), "lines[1].discount", "plain decimal number"},
		"sku empty":           {line(`"sku": "", "quantity": "1"`), "lines[1].sku", "must not be empty"},
		"sku long":            {line(`"sku": "` + strings.Repeat("é", 191) + `", "quantity": "1"`), "lines[1].sku", "has 191 characters, may have at most 190"},
		"sku number":          {line(`"sku": 7, "quantity": "1"`), "lines[1].sku", "must be a string"},
		"confirm":             {`{"lines": [{"sku":"A","quantity":"1"}], "confirm": "yes"}`, "confirm", "must be true or false"},
		"partner as string":   {`{"lines": [{"sku":"A","quantity":"1"}], "customer": {"erp_partner_id": "9"}}`, "customer.erp_partner_id", "must be a whole number"},
		"partner fraction":    {`{"lines": [{"sku":"A","quantity":"1"}], "customer": {"erp_partner_id": 9.5}}`, "customer.erp_partner_id", "must be a whole number"},
		"partner 9.0":         {`{"lines": [{"sku":"A","quantity":"1"}], "customer": {"erp_partner_id": 9.0}}`, "customer.erp_partner_id", "must be a whole number"},
		"partner huge":        {`{"lines": [{"sku":"A","quantity":"1"}], "customer": {"erp_partner_id": 1e400}}`, "customer.erp_partner_id", "must be a whole number"},
		"partner beyond":      {`{"lines": [{"sku":"A","quantity":"1"}], "customer": {"erp_partner_id": 2147483648}}`, "customer.erp_partner_id", "between 1 and 2147483647"},
		"country":             {`{"lines": [{"sku":"A","quantity":"1"}], "shipping_address": {"name":"a","street":"b","city":"c","country":"be"}}`, "shipping_address.country", "alpha-2"},
		"address without":     {`{"lines": [{"sku":"A","quantity":"1"}], "shipping_address": {"name":"a","street":"b","country":"BE"}}`, "shipping_address.city", "is required"},
		"customer not object": {`{"lines": [{"sku":"A","quantity":"1"}], "customer": "u-17"}`, "customer", "must be an object"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newBench(t).place(portalSecret, "k", c.body).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", c.field)
			require.Contains(t, (*p.Errors)[0].Message, c.message)
		})
	}
}

// What is said of a value goes by what it must be.
func TestParametersThatBreakTheContract(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for target, want := range map[string]string{
		"/v1/orders?blocked=yes":            "must be true or false",
		"/v1/orders?limit=ten":              "must be a whole number",
		"/v1/orders?status_code=a:":         "has 2 characters, must have at least 3",
		"/v1/orders?customer=":              "must not be empty",
		"/v1/orders/4711/history?limit=1.5": "must be a whole number",
	} {
		p := b.get(target, portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
		require.Equal(t, want, (*p.Errors)[0].Message, target)
	}
	p := b.request(http.MethodPost, "/v1/orders?dry_run=yes", portalSecret, validOrder).with("Idempotency-Key", "k").send().
		requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "dry_run")
	require.Equal(t, "must be true or false", (*p.Errors)[0].Message)
	p = b.request(http.MethodPost, "/v1/orders/4711/invoices/7/payments", portalSecret, `{"date": "today"}`).with("Idempotency-Key", "k").send().
		requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "date")
	require.Equal(t, "has 5 characters, must have 10", (*p.Errors)[0].Message)
}

func TestEveryFieldAtFaultIsNamedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)

	p := b.place(portalSecret, "k", `{"a": 1, "b": 2, "lines": [{"quantity": 2}], "note": null}`).
		requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")

	fields := map[string]int{}
	for _, e := range *p.Errors {
		fields[e.Field]++
	}
	require.Equal(t, map[string]int{"a": 1, "b": 1, "lines[0].quantity": 1, "lines[0].sku": 1, "note": 1}, fields)
}

func TestTheListOfFaultsIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var body strings.Builder
	for i := range 19_000 { // would take minutes if the work were quadratic
		fmt.Fprintf(&body, `"m%d":1,`, i)
	}

	p := b.place(portalSecret, "k", "{"+body.String()+`"lines":[]}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")

	require.Len(t, *p.Errors, 100)
}

func TestABodyOfVeryManyValuesIsTooLarge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, value := range []string{"{}", "[]", "1", `""`} {
		body := `{"lines":[` + strings.Repeat(value+",", 20_000) + value + `]}`
		b.place(portalSecret, "k", body).requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	}
}

func TestControlCharactersReachTheService(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	// Whether they may be sent on is the domain's to say: order.Request.Validate refuses them and names the field.
	b.place(portalSecret, "k", `{"note": "a\u0000b", "lines": [{"sku":"A","quantity":"1"}]}`)
	require.Equal(t, "a\x00b", (*asked)[0].Note)
	require.Equal(t, "note", (&(*asked)[0]).Validate().Violations[1].Field)
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.places()
	send := func(header, value string) answer {
		r := b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder).with("Idempotency-Key", "k")
		r.Header.Del(header)
		if value != "" {
			r.Header.Set(header, value)
		}
		return r.send()
	}
	for _, kind := range []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/json;;", "*/*"} {
		send("Content-Type", kind).requireProblem(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	for _, kind := range []string{"application/json", "APPLICATION/JSON", "application/json; charset=UTF-8"} {
		require.Equal(t, http.StatusCreated, send("Content-Type", kind).StatusCode, kind)
	}
	send("Content-Encoding", "gzip").requireProblem(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
	require.Equal(t, http.StatusCreated, send("Content-Encoding", "identity").StatusCode)
}

func TestBodiesOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.places()
	padded := func(size int) string { return validOrder + strings.Repeat(" ", size-len(validOrder)) }

	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", padded(1<<20)).StatusCode)
	b.place(portalSecret, "k", padded(1<<20+1)).requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	b.place(portalSecret, "k", padded(10<<20)).requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")

	unannounced := b.request(http.MethodPost, "/v1/orders", portalSecret, padded(10<<20)).with("Idempotency-Key", "k")
	unannounced.ContentLength = -1
	counted := &countingReader{Reader: unannounced.Body}
	unannounced.Body = io.NopCloser(counted)
	unannounced.send().requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	require.LessOrEqual(t, counted.n, 1<<20+1)
}

type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

// FuzzPlace holds every body to one of the documented answers, never a 500, and what reaches the service to being what
// was sent.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{
		validOrder, `{}`, `[]`, `null`, `{"lines":[{"sku":"A","quantity":"1e9"}]}`, `{"lines":[{"sku":"A","quantity":1}]}`,
		`{"customer":{"erp_partner_id":9.0},"lines":[{"sku":"A","quantity":"1","unit_price":"-0.0"}]}`,
		`{"note":"\ud83d\ude00","lines":[]}`, "{\"note\":\"\xff\"}", `{"a":{"b":[{"c":"\\\""}]}}`, strings.Repeat("[", 40),
	} {
		f.Add([]byte(seed))
	}
	b := newBench(f, unlimited)
	asked := b.service.places()
	f.Fuzz(func(t *testing.T, body []byte) {
		b.t = t
		*asked = nil
		a := b.request(http.MethodPost, "/v1/orders", portalSecret, string(body)).with("Idempotency-Key", "k").with("Content-Type", "application/json").send()
		switch a.StatusCode {
		case http.StatusCreated:
			require.Len(t, *asked, 1)
			require.NotEmpty(t, (*asked)[0].Lines)
			for _, l := range (*asked)[0].Lines {
				require.NotEmpty(t, l.SKU)
				parsed, err := order.ParseDecimal(order.FormatQuantity(l.Quantity))
				require.NoError(t, err)
				require.True(t, parsed.Equal(l.Quantity))
			}
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			require.Empty(t, *asked)
		default:
			t.Fatalf("%d: %s", a.StatusCode, a.body)
		}
	})
}

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ordergate/gateway/gatewaytest"
)

// caller uses the API as a portal does. Every answer it gets is validated against the OpenAPI document.
type caller struct {
	base     string
	key      string
	validate func(*http.Request, *http.Response, []byte)
}

func newCaller(t *testing.T, p *process, key string) *caller {
	return &caller{base: p.base, key: key, validate: gatewaytest.Validator(t)}
}

// answer is one answer of the API.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// call makes a request; body may be nil, a string that is sent as it is, or a value that is sent as JSON.
func (c *caller) call(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	a, err := c.try(method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// try is call for requests that may get no answer at all.
func (c *caller) try(method, path string, body any, headers ...string) (answer, error) {
	var content []byte
	switch b := body.(type) {
	case nil:
	case string:
		content = []byte(b)
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			return answer{}, err
		}
	}
	request, err := http.NewRequest(method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: 60 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	c.validate(request, response, raw)
	a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // not every answer is JSON
	return a, nil
}

// place posts an order under a key.
func (c *caller) place(t *testing.T, key string, body any) answer {
	t.Helper()
	return c.call(t, http.MethodPost, "/v1/orders", body, "Idempotency-Key", key)
}

// orderBody is the body of an order by partner 9 or the customer given, told apart by its reference.
func orderBody(reference string, lines ...map[string]any) map[string]any {
	if len(lines) == 0 {
		lines = []map[string]any{{"sku": "E-COM07", "quantity": "2"}}
	}
	return map[string]any{
		"customer":  map[string]any{"ref": "e2e-customer", "name": "E2E & Sons <GmbH>", "email": "e2e@example.com"},
		"reference": reference, "lines": lines,
	}
}

// unique makes a name that no other test or earlier run has used.
func unique(prefix string) string { return prefix + "-" + uuid.NewString()[:8] }

func (a answer) id(t *testing.T) int64 {
	t.Helper()
	id, ok := a.body["id"].(float64)
	require.True(t, ok, "no id in %d %s", a.status, a.raw)
	return int64(id)
}

func (a answer) requireStatus(t *testing.T, status int) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	return a
}

func (a answer) requireProblem(t *testing.T, status int, code string) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, code, a.body["code"], a.raw)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.NotEmpty(t, a.body["request_id"])
	return a
}

func path(format string, args ...any) string { return fmt.Sprintf(format, args...) }

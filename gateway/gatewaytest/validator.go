// Package gatewaytest holds answers of the gateway to its contract, in the gateway's own tests and in end-to-end ones.
package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"ordergate/gateway"
)

// Validator returns a function that fails the test if an answer breaks the contract; see Contract.Check. The body is
// given apart, as it can be read from an answer only once.
func Validator(t testing.TB) func(req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	contract, err := Load()
	require.NoError(t, err)
	return func(req *http.Request, resp *http.Response, body []byte) {
		t.Helper()
		require.NoError(t, contract.Check(req, resp, body), "%s %s answered %d:\n%s", req.Method, req.URL.EscapedPath(), resp.StatusCode, body)
	}
}

// Contract is what openapi.yaml says that answers are like.
type Contract struct {
	spec  *openapi3.T
	codes []gateway.ProblemCode
}

// Load reads the contract.
func Load() (*Contract, error) {
	spec, codes, err := gateway.LoadOpenAPI()
	if err != nil {
		return nil, err
	}
	return &Contract{spec, codes}, nil
}

// Check returns an error if an answer breaks the contract: its status, its headers, its body, and for problem documents
// also that the code is listed with this status. Answers to HEAD have no body to look at.
func (c *Contract) Check(req *http.Request, resp *http.Response, body []byte) error {
	if resp.Header.Get("X-Request-Id") == "" {
		return fmt.Errorf("the answer has no X-Request-Id")
	}
	if req.Method == http.MethodHead {
		if len(body) > 0 {
			return fmt.Errorf("an answer to HEAD has a body")
		}
		return nil
	}
	if mediaType(resp) == "application/problem+json" {
		if err := c.checkProblem(resp, body); err != nil {
			return err
		}
	}

	path, parameters := c.match(req.URL)
	if path == "" {
		return expect(resp, http.StatusNotFound)
	}
	item := c.spec.Paths.Value(path)
	operation := item.GetOperation(req.Method)
	if operation == nil {
		return expect(resp, http.StatusMethodNotAllowed)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req, PathParams: parameters,
			Route: &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: req.Method, Operation: operation},
		},
		Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	// The text that these answer with is of no schema; its type is all there is to check.
	if kind := mediaType(resp); kind == "application/yaml" || kind == "text/html" || kind == "text/plain" {
		if operation.Responses.Status(resp.StatusCode).Value.Content.Get(kind) == nil {
			return fmt.Errorf("%s is not what %s answers with", kind, path)
		}
		return nil
	}
	return openapi3filter.ValidateResponse(context.Background(), input)
}

// expect holds answers from outside of the contract's operations to being the right problem.
func expect(resp *http.Response, status int) error {
	if resp.StatusCode != status || mediaType(resp) != "application/problem+json" {
		return fmt.Errorf("the contract does not have this operation: a problem with status %d is due, not %s", status, mediaType(resp))
	}
	if status == http.StatusMethodNotAllowed && resp.Header.Get("Allow") == "" {
		return fmt.Errorf("a 405 has no Allow header")
	}
	return nil
}

func (c *Contract) checkProblem(resp *http.Response, body []byte) error {
	var problem gateway.Problem
	if err := json.Unmarshal(body, &problem); err != nil {
		return fmt.Errorf("the problem cannot be read: %w", err)
	}
	listed := slices.IndexFunc(c.codes, func(code gateway.ProblemCode) bool { return code.Code == problem.Code })
	retryAfter := resp.Header.Get("Retry-After")
	switch {
	case problem.Status != resp.StatusCode:
		return fmt.Errorf("the problem says status %d", problem.Status)
	case listed < 0:
		return fmt.Errorf("the code %q is not listed under x-problem-codes of openapi.yaml", problem.Code)
	case c.codes[listed].Status != problem.Status:
		return fmt.Errorf("the code %q is listed with status %d", problem.Code, c.codes[listed].Status)
	case problem.Type != "/docs#error-"+problem.Code:
		return fmt.Errorf("the type %q does not name the code", problem.Type)
	case problem.RequestID != resp.Header.Get("X-Request-Id"):
		return fmt.Errorf("the problem's request id is not the header's")
	case problem.RetryAfter != nil && strconv.Itoa(*problem.RetryAfter) != retryAfter:
		return fmt.Errorf("retry_after is not the Retry-After header %q", retryAfter)
	case problem.RetryAfter == nil && retryAfter != "":
		return fmt.Errorf("there is a Retry-After header and no retry_after")
	}
	return nil
}

// match finds the path of the contract that an address is of; empty if there is none.
func (c *Contract) match(address *url.URL) (path string, parameters map[string]string) {
	sent := strings.Split(address.EscapedPath(), "/")
	for _, template := range c.spec.Paths.InMatchingOrder() {
		segments := strings.Split(template, "/")
		if len(segments) != len(sent) {
			continue
		}
		if parameters, ok := matchSegments(segments, sent); ok {
			return template, parameters
		}
	}
	return "", nil
}

func matchSegments(template, sent []string) (map[string]string, bool) {
	parameters := map[string]string{}
	for i, segment := range template {
		if !strings.HasPrefix(segment, "{") {
			if segment != sent[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(sent[i])
		if err != nil || value == "" {
			return nil, false
		}
		parameters[strings.Trim(segment, "{}")] = value
	}
	return parameters, true
}

func mediaType(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

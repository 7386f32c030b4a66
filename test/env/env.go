package env

import (
	"fmt"
	"net/url"
	"os"
	"testing"
)

const requireVariable = "ORDERGATE_TEST_REQUIRE"

// setting returns the value of a variable. Where it is not set the test is skipped, or, if every server is required,
// failed; example shows what a value looks like.
func setting(t testing.TB, variable, example string) string {
	t.Helper()
	required := false
	switch require := os.Getenv(requireVariable); require {
	case "":
	case "all":
		required = true
	default:
		t.Fatalf("%s is %q: it must be empty or \"all\"", requireVariable, require)
	}
	value := os.Getenv(variable)
	if value != "" {
		return value
	}
	if required {
		t.Fatalf("%s is not set (example: %s), and %s=all forbids skipping", variable, example, requireVariable)
	}
	t.Skipf("%s is not set (example: %s)", variable, example)
	return ""
}

// parseServer splits the URL of a server and checks what every kind of server needs. Its errors never hold the URL,
// which may contain a password.
func parseServer(value string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("is not a URL")
	}
	known := false
	for _, scheme := range schemes {
		known = known || u.Scheme == scheme
	}
	switch {
	case !known:
		return nil, fmt.Errorf("has the scheme %q: it must be one of %q", u.Scheme, schemes)
	case u.Hostname() == "":
		return nil, fmt.Errorf("names no host")
	case u.User.Username() == "":
		return nil, fmt.Errorf("names no user")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("has a query or a fragment: neither is supported")
	}
	return u, nil
}

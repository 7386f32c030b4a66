// Package alerts holds the rules of docs/alerts.yaml to the metrics that the program has and to the runbook.
package alerts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/odoo"
	"ordergate/order"
	ordersync "ordergate/sync"
)

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "alerts.yaml"))
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.UnmarshalWithOptions(content, &file, yaml.Strict()))
	var all []rule
	for _, group := range file.Groups {
		require.NotEmpty(t, group.Name)
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// metrics are the names of the program's metrics, with their labels.
type metrics map[string][]string

// registered are the metrics that a gateway of one tenant registers.
func registered(t *testing.T) metrics {
	t.Helper()
	registry := prometheus.NewRegistry()
	client, err := odoo.New(odoo.Config{
		Tenant: "default", URL: "http://127.0.0.1:1", Database: "d", User: "u", Password: "p",
		CallTimeout: time.Second, MaxConnections: 1, Registerer: registry,
	})
	require.NoError(t, err)
	service, err := ordersync.New(ordersync.Config{
		Tenant: order.Tenant{ID: 1, Name: "default"}, ERP: client, Mirror: struct{ ordersync.Mirror }{}, Registerer: registry,
	})
	require.NoError(t, err)
	t.Cleanup(service.Close)
	_, err = gateway.New(gateway.Config{
		Services: map[int64]gateway.Service{1: service}, Keys: struct{ gateway.Keys }{}, Registry: registry,
	})
	require.NoError(t, err)

	described := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(described)
		close(described)
	}()
	found := metrics{}
	form := regexp.MustCompile(`^Desc\{fqName: "(\w+)", .*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	for desc := range described {
		parts := form.FindStringSubmatch(desc.String())
		require.NotNil(t, parts, "%s", desc)
		found[parts[1]] = regexp.MustCompile(`[a-z_]+`).FindAllString(regexp.MustCompile(`="[^"]*"`).ReplaceAllString(parts[2], "")+","+parts[3], -1)
	}
	return found
}

var (
	selector = regexp.MustCompile(`(ordergate_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=|!=|=~|!~)\s*"`)
	grouping = regexp.MustCompile(`(?:by|on) \((\w+)\)`)
	part     = regexp.MustCompile(`_(?:bucket|sum|count)$`) // of a histogram
)

// unknown lists what an expression names that the program does not have.
func (m metrics) unknown(expr string) (names []string) {
	labels := map[string]bool{}
	for _, found := range selector.FindAllStringSubmatch(expr, -1) {
		name := found[1]
		has, known := m[name]
		if !known {
			has, known = m[part.ReplaceAllString(name, "")]
		}
		if !known {
			names = append(names, name)
		}
		own := map[string]bool{}
		for _, label := range has {
			own[label], labels[label] = true, true
		}
		for _, label := range matcher.FindAllStringSubmatch(found[2], -1) {
			if !own[label[1]] {
				names = append(names, name+"{"+label[1]+"}")
			}
		}
	}
	for _, label := range grouping.FindAllStringSubmatch(expr, -1) {
		if !labels[label[1]] {
			names = append(names, label[1])
		}
	}
	return names
}

func TestRulesNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	has := registered(t)
	for _, r := range rules(t) {
		require.Empty(t, has.unknown(r.Expr), r.Alert)
		require.Contains(t, r.Expr, "ordergate_", r.Alert)
	}
}

func TestWhatDoesNotExistIsSeen(t *testing.T) {
	t.Parallel()
	has := metrics{"ordergate_ready": nil, "ordergate_batch_seconds": {"tenant"}, "ordergate_http_refused_total": {"limit"}}
	for expr, expected := range map[string][]string{
		"ordergate_ready == 0 or ordergate_raedy":                                   {"ordergate_raedy"},
		`ordergate_ready{tenant="eu"}`:                                              {"ordergate_ready{tenant}"},
		"sum by (reason) (ordergate_ready)":                                         {"reason"},
		"rate(ordergate_batch_seconds_total[5m])":                                   {"ordergate_batch_seconds_total"},
		`sum by (limit) (rate(ordergate_http_refused_total{limit!="rate"}[5m]))`:    nil,
		"histogram_quantile(0.9, sum by (tenant) (ordergate_batch_seconds_bucket))": nil,
	} {
		require.Equal(t, expected, has.unknown(expr), expr)
	}
}

func TestRulesSayHowUrgentTheyAreAndWhatToDo(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range rules(t) {
		require.False(t, seen[r.Alert], "%s twice", r.Alert)
		seen[r.Alert] = true
		require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		if r.For != "" {
			_, err := time.ParseDuration(r.For)
			require.NoError(t, err, r.Alert)
		}
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.True(t, strings.HasSuffix(r.Annotations["runbook"], ": docs/operations.md#"+strings.ToLower(r.Alert)), r.Alert)
		require.Contains(t, string(guide), "\n### "+r.Alert+"\n", "docs/operations.md does not say what to do")
	}
	for _, heading := range regexp.MustCompile(`\n### (Ordergate\w+)\n`).FindAllStringSubmatch(string(guide), -1) {
		require.True(t, seen[heading[1]], "docs/operations.md has advice for %s, which no rule raises", heading[1])
	}
}

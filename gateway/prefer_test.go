package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPreferencesAreReadAsTheRFCHasThem(t *testing.T) {
	t.Parallel()
	async := preferences{respondAsync: true}
	waits := func(seconds int) preferences { return preferences{wait: time.Duration(seconds) * time.Second} }
	cases := map[string]preferences{
		"":                                 {},
		",":                                {},
		"respond-async":                    async,
		"Respond-ASYNC":                    async,
		" \trespond-async\t ":              async,
		"respond-async=":                   async,
		`respond-async=""`:                 async,
		"respond-async=yes":                {},
		"respond-async; priority=5":        async,
		`respond-async;x="a,b;c"`:          async,
		"respond-async;":                   async,
		"foo, respond-async":               async,
		"foo; respond-async":               {},
		"foo=respond-async":                {},
		`foo="respond-async, wait=5"`:      {},
		`foo="\", respond-async"`:          {},
		`foo="a\\", respond-async`:         async,
		`foo="never closed, respond-async`: {},
		"wait=10":                          waits(10),
		"WAIT = 10":                        waits(10),
		`wait="10"`:                        waits(10),
		`wait="1\0"`:                       waits(10),
		"wait=010":                         waits(10),
		"wait=1":                           waits(1),
		"wait=60":                          waits(60),
		"wait=0":                           {},
		"wait=61":                          {},
		"wait=-1":                          {},
		"wait=+5":                          {},
		"wait=5.5":                         {},
		"wait=5s":                          {},
		"wait=1 0":                         {},
		`wait="5`:                          {},
		`wait="5"5`:                        {},
		"wait=99999999999999999999":        {},
		"wait":                             {},
		"wait=5, wait=9":                   waits(5),
		"wait=soon, wait=9":                {},
		"w(ait=5, wait=9":                  waits(9),
		"respond-async, wait=5":            {respondAsync: true, wait: 5 * time.Second},
		"wait=5;x=y;z, respond-async ; b":  {respondAsync: true, wait: 5 * time.Second},
		"return=minimal,,handling=lenient,respond-async": async,
	}
	for header, expected := range cases {
		require.Equal(t, expected, parsePreferences(header), "%s", header)
	}
}

// Whatever else stands in the header, however they are spelt, the two that are known are found.
func TestPreferencesAreFoundAmongOthers(t *testing.T) {
	t.Parallel()
	space := rapid.SampledFrom([]string{"", " ", "\t", " \t "})
	parameters := rapid.SampledFrom([]string{"", ";", ";a", "; a=b", `;a="x, wait=7;\" respond-async"`})
	others := rapid.SampledFrom([]string{"", " ", "foo", "foo=bar", "return=minimal; x", `foo="wait=9, respond-async"`, "@;;=", "wait(=3"})
	rapid.Check(t, func(t *rapid.T) {
		spell := func(name, value string) string {
			name = rapid.SampledFrom([]string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]}).Draw(t, "name")
			return space.Draw(t, "before") + name + value + space.Draw(t, "after") + parameters.Draw(t, "parameters")
		}
		seconds := rapid.IntRange(0, 60).Draw(t, "seconds")
		expected := preferences{respondAsync: rapid.Bool().Draw(t, "async"), wait: time.Duration(seconds) * time.Second}
		members := rapid.SliceOfN(others, 0, 4).Draw(t, "others")
		if expected.respondAsync {
			members = append(members, spell("respond-async", ""))
		}
		if seconds > 0 {
			value := rapid.SampledFrom([]string{"=%d", " = %d", `="%d"`, "=0%d"}).Draw(t, "value")
			members = append(members, spell("wait", fmt.Sprintf(value, seconds)))
		}
		header := strings.Join(rapid.Permutation(members).Draw(t, "members"), ",")
		require.Equal(t, expected, parsePreferences(header), "%s", header)
	})
}

func FuzzPreferences(f *testing.F) {
	for _, seed := range []string{"", "respond-async, wait=5", `a="\`, `wait="1\0";b="`, ";;,,==\"\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		p := parsePreferences(header)
		require.True(t, p.wait >= 0 && p.wait <= maxWait)
		require.Equal(t, p, parsePreferences(header+",wait=61,respond-async=no"), "the first of a name counts, and otherwise nothing comes of these")
	})
}

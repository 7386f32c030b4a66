package order_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/order"
)

func TestSearchTerms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":            {},
		"#-/":         {},
		"S00042":      {"00042", "42", "s00042"},
		"000":         {"000"},
		"PO-4711/a":   {"4711/a", "a", "po-4711/a"},
		"#1001":       {"1001"},
		"0-05":        {"0-05", "05", "5"},
		"a1 a1":       {"1", "1 a1", "a1", "a1 a1"},
		"Größe Ärmel": {"größe ärmel", "ärmel"},
		"über\tall":   {"all", "über all"},
		"u\u0308ber1": {"1", "u\u0308ber1"},
		"订单7":         {"7", "订单7"},
		strings.Repeat("x", 40) + "-" + strings.Repeat("y", 40): {strings.Repeat("x", 32), strings.Repeat("y", 32)},
		strings.Repeat(" ", 189) + "ab cd":                      {"a"},
	} {
		require.Equal(t, want, append([]string{}, order.SearchTerms(text)...), "%q", text)
	}
	require.Equal(t, []string{"1", "s1"}, order.SearchTerms("S1", "S1"), "each once")
}

func TestSearchQuarters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"1970-01-01": 0, "2000-01-01": 0, "2000-04-01": 1, "2026-03-31": 104, "2026-12-31": 107, "9999-01-01": 399} {
		at, err := time.Parse(time.DateOnly, text)
		require.NoError(t, err)
		require.Equal(t, want, order.SearchQuarter(at.Add(23*time.Hour)), text)
	}
	require.Zero(t, order.SearchQuarter(time.Time{}))
}

func TestASearchBeginsWithItsWords(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", " ", "%", "-_/#'\"\\", "\u0000\n"} {
		_, ok := order.ParseSearch(query)
		require.False(t, ok, "%q", query)
	}
	search, ok := order.ParseSearch("  #S00042/ ")
	require.True(t, ok)
	require.Equal(t, "s00042/", search.Term)

	// The words of a shop's references begin alike: what tells them apart is at the end.
	search, ok = order.ParseSearch("Order of the customer by telephone, number 4711")
	require.True(t, ok)
	require.Equal(t, "customer by telephone, number 47", search.Term)
	search, ok = order.ParseSearch(strings.Repeat("long", 10) + "-1")
	require.True(t, ok)
	require.Equal(t, strings.Repeat("long", 8), search.Term)
}

var runs = regexp.MustCompile(`[\p{L}\p{M}]+|\p{N}+`)

// finds is what a search finds, as a person would look for it: by another way than the program does.
func finds(query string, texts ...string) bool {
	fold := func(text string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text))
	}
	query = strings.TrimRight(fold(query), " \u00a0")
	begins := runs.FindStringIndex(query)
	if begins == nil {
		return false
	}
	for _, text := range texts {
		text = fold(text)
		for _, run := range runs.FindAllStringIndex(text, -1) {
			word := text[run[0]:run[1]]
			behindZeros := run[0] + len(word) - len(strings.TrimLeft(word, "0"))
			if strings.HasPrefix(text[run[0]:], query[begins[0]:]) ||
				behindZeros < run[1] && strings.HasPrefix(text[behindZeros:], query[begins[0]:]) {
				return true
			}
		}
	}
	return false
}

func TestTermsAndTextFindTheSame(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"s", "S", "0", "0", "1", "42", "ä", "Ä", "ß", "İ", "Σ", "a\u0308", "订", "Ⅷ", "²", "-", "/", " ", "%", "_",
		"\\", "'", "\n", "\t", "\u00a0", "po", "PO", "🙂", "longer than others"})
	text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "") })
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		number, reference := text.Draw(t, "number"), text.Draw(t, "reference")
		query := text.Draw(t, "query")
		if from := []rune(number + reference); len(from) > 0 && rapid.Bool().Draw(t, "part") {
			begin := rapid.IntRange(0, len(from)-1).Draw(t, "begin")
			query = string(from[begin:rapid.IntRange(begin, len(from)).Draw(t, "end")])
		}
		search, ok := order.ParseSearch(query)
		want := finds(query, number, reference)
		if want {
			found++
		}
		byText := ok && strings.Contains(order.SearchText(number, reference), search.Text)
		byTerm := ok && slices.ContainsFunc(order.SearchTerms(number, reference), func(term string) bool {
			return term >= search.Term && term < search.Term+order.AfterTerms
		})
		if byText != want {
			t.Fatalf("%q in %q and %q: %v, want %v", query, number, reference, byText, want)
		}
		if want && !byTerm {
			t.Fatalf("%q by a term of %q and %q: %v, want %v", query, number, reference, byTerm, want)
		}
	})
	require.NotZero(t, found)
}

package order

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// A search finds the orders in whose number or reference a word begins with what is looked for, whatever its case, and
// whatever follows: "po-4711" and "4711" find "PO-4711/a". A word is a run of letters or of digits; another one begins
// behind a run's leading zeros, so that "42" finds "S00042".

const (
	// searchedLength is how many characters of a text are searched. A query is no longer.
	searchedLength = 190
	// termLength is how many characters of a word and what follows it are kept for a search to begin with.
	termLength = 32
	// wordMark stands before each word of a marked text. No text that is searched holds it.
	wordMark = '\n'
)

// AfterTerms is behind all that begins with a term, if it is appended to it.
const AfterTerms = string(unicode.MaxRune)

// SearchTerms returns what a search may begin with to find texts, sorted, each once.
func SearchTerms(texts ...string) []string {
	var terms []string
	for _, text := range texts {
		characters := fold(text)
		for _, word := range words(characters) {
			terms = append(terms, term(characters[word:]))
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// SearchQuarter is which quarter of a year the terms of an order of this moment stand in, counted from the first one of 2000.
// So what is written stands together, and what was written long ago does not slow it down.
func SearchQuarter(orderedAt time.Time) int {
	at := orderedAt.UTC()
	return min(max(0, 4*(at.Year()-2000)+(int(at.Month())-1)/3), 399)
}

// SearchText is texts as a search looks into them: Search.Text is part of it if one of them is to be found.
func SearchText(texts ...string) string {
	marked := make([]string, len(texts))
	for i, text := range texts {
		marked[i] = mark(fold(text))
	}
	return strings.Join(marked, string(wordMark)) // two in a row: no query spans two texts
}

// Search is what a query looks for.
type Search struct {
	Text string // part of the SearchText of every order that it finds, and of no other's
	Term string // one of the SearchTerms of every order that it finds begins with it
}

// ParseSearch reads a query. What surrounds its words is not looked at. False if it has neither letter nor digit.
func ParseSearch(query string) (Search, bool) {
	characters := []rune(strings.TrimRightFunc(string(foldAll(query)), unicode.IsSpace))
	all := words(characters)
	if len(all) == 0 {
		return Search{}, false
	}
	characters = characters[all[0]:]
	begin := 0
	for _, word := range words(characters) { // of the longest terms the last: texts mostly begin alike and end differently
		if len(characters)-word >= min(len(characters)-begin, termLength) {
			begin = word
		}
	}
	return Search{Text: mark(characters), Term: term(characters[begin:])}, true
}

// fold is as much of a text as is searched, without regard to case. The databases do not agree on what that is: this
// does it for all.
func fold(text string) []rune {
	characters := foldAll(text)
	return characters[:min(len(characters), searchedLength)]
}

func foldAll(text string) []rune {
	characters := []rune(text)
	for i, r := range characters {
		if unicode.IsControl(r) || r == unicode.MaxRune {
			r = ' '
		}
		characters[i] = unicode.ToLower(r)
	}
	return characters
}

func term(characters []rune) string { return string(characters[:min(len(characters), termLength)]) }

func mark(characters []rune) string {
	var marked strings.Builder
	starts := words(characters)
	for i, r := range characters {
		if len(starts) > 0 && starts[0] == i {
			marked.WriteRune(wordMark)
			starts = starts[1:]
		}
		marked.WriteRune(r)
	}
	return marked.String()
}

// words returns where words begin, rising. Where one begins within another text depends on nothing that stands before it
// there or behind it, but for the zeros that lead it.
func words(characters []rune) []int {
	var starts []int
	before, onlyZeros := other, false
	for i, r := range characters {
		kind := kindOf(r)
		begins := kind != other && kind != before
		switch {
		case begins:
			onlyZeros = r == '0'
		case onlyZeros && kind == digit && r != '0':
			begins, onlyZeros = true, false
		}
		if begins {
			starts = append(starts, i)
		}
		before = kind
	}
	return starts
}

type kind int

const (
	other kind = iota
	letter
	digit
)

func kindOf(r rune) kind {
	switch {
	case unicode.IsLetter(r), unicode.IsMark(r):
		return letter
	case unicode.IsNumber(r):
		return digit
	}
	return other
}

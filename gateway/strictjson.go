package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"ordergate/order"
)

// maxDepth bounds how deeply a body may be nested; the deepest request of the contract has five levels.
const maxDepth = 32

// maxValues bounds how many values a body may hold; the largest request of the contract has about 3,000. Each value
// that breaks the contract costs the validator far more memory than it cost its sender to write.
const maxValues = 20_000

// checkJSON refuses bodies that two readers could read differently: what is not JSON or not UTF-8, objects that name a
// member twice, and escapes of half a surrogate pair, which Go would replace in silence. It returns nil for the others.
func checkJSON(body []byte) *order.Error {
	if len(bytes.TrimSpace(body)) == 0 {
		return order.Errorf(order.Malformed, "malformed_json", "The body is empty; a JSON object is needed.")
	}
	if !utf8.Valid(body) {
		return malformedAt(body, invalidUTF8(body), "the text is not valid UTF-8")
	}
	if err := checkDepth(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &json.RawMessage{}); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return malformedAt(body, int(syntax.Offset)-1, syntax.Error())
		}
		return order.Errorf(order.Malformed, "malformed_json", "The body is not valid JSON.").Because(err)
	}
	walk := walker{body: body}
	return walk.run()
}

func malformedAt(body []byte, offset int, what string) *order.Error {
	line, column := position(body, offset)
	return order.Errorf(order.Malformed, "malformed_json", "The body is not valid JSON: %s, at line %d, column %d.", what, line, column)
}

// position returns the line and the column, in characters, of a byte of the body; both count from 1.
func position(body []byte, offset int) (line, column int) {
	before := body[:min(max(offset, 0), len(body))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}

func invalidUTF8(body []byte) int {
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(body)
}

// checkDepth runs before the parser, which recurses on a deep body.
func checkDepth(body []byte) *order.Error {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxDepth {
			line, column := position(body, i)
			return order.Errorf(order.Malformed, "nesting_too_deep",
				"The body is nested more than %d levels deep, at line %d, column %d.", maxDepth, line, column)
		}
	}
	return nil
}

// stringEnd returns the index after the string literal that begins at start, or the length of a body that ends in it.
func stringEnd(body []byte, start int) int {
	for i := start + 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

// level is an object or array that the walker is in.
type level struct {
	members map[string]bool // of an object; nil for an array
	name    string          // the member that the walker is at
	index   int             // the element that the walker is at
}

// walker goes through a body that is known to be valid JSON.
type walker struct {
	body   []byte
	levels []level
	values int
}

func (w *walker) run() *order.Error {
	nameNext := false
	for i := 0; i < len(w.body); i++ {
		if w.values > maxValues {
			return order.Errorf(order.TooLarge, "body_too_large", "The body may hold at most %d values.", maxValues)
		}
		switch w.body[i] {
		case '{':
			w.values++
			w.levels = append(w.levels, level{members: map[string]bool{}})
			nameNext = true
		case '[':
			w.values++
			w.levels = append(w.levels, level{})
			nameNext = false
		case '}', ']':
			w.levels = w.levels[:len(w.levels)-1]
			nameNext = false
		case ',':
			w.values++
			top := &w.levels[len(w.levels)-1]
			top.index++
			nameNext = top.members != nil
		case '"':
			end := stringEnd(w.body, i)
			if at := halfSurrogate(w.body[i:end]); at >= 0 {
				return malformedAt(w.body, i+at, "an escape names half a surrogate pair")
			}
			if nameNext {
				if err := w.enter(w.body[i:end]); err != nil {
					return err
				}
				nameNext = false
			}
			i = end - 1
		}
	}
	return nil
}

// enter notes the member of the innermost object that follows.
func (w *walker) enter(literal []byte) *order.Error {
	var name string
	if err := json.Unmarshal(literal, &name); err != nil {
		panic("gateway: a string of valid JSON always unmarshals: " + err.Error())
	}
	top := &w.levels[len(w.levels)-1]
	top.name = name
	if top.members[name] {
		field := w.path()
		e := order.Errorf(order.Malformed, "duplicate_member", "%s is given twice.", field)
		e.Violations = []order.Violation{{Field: field, Message: "is given twice"}}
		return e
	}
	top.members[name] = true
	return nil
}

func (w *walker) path() string {
	var path fieldPath
	for _, l := range w.levels {
		if l.members != nil {
			path.member(l.name)
		} else {
			path.element(strconv.Itoa(l.index))
		}
	}
	return path.String()
}

// halfSurrogate returns where in a string literal an escape stands for half a surrogate pair, or -1.
func halfSurrogate(literal []byte) int {
	for i := 0; i < len(literal)-1; i++ {
		if literal[i] != '\\' {
			continue
		}
		unit, is := escapedUnit(literal, i)
		if !is {
			i++ // the escaped character, which may be a backslash
			continue
		}
		switch {
		case unit >= 0xd800 && unit < 0xdc00:
			low, is := escapedUnit(literal, i+6)
			if !is || low < 0xdc00 || low > 0xdfff {
				return i
			}
			i += 11
		case unit >= 0xdc00 && unit < 0xe000:
			return i
		default:
			i += 5
		}
	}
	return -1
}

// escapedUnit reads a \uXXXX escape at i.
func escapedUnit(literal []byte, i int) (unit uint64, is bool) {
	if i+6 > len(literal) || literal[i] != '\\' || literal[i+1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(literal[i+2:i+6]), 16, 16)
	return unit, err == nil
}

// fieldPath spells the place of a field, such as lines[2].quantity.
type fieldPath struct{ strings.Builder }

// maxNameShown bounds what of a member name, which is the sender's to choose, comes back in an answer.
const maxNameShown = 64

func (p *fieldPath) member(name string) {
	if p.Len() > 0 {
		p.WriteByte('.')
	}
	if runes := []rune(name); len(runes) > maxNameShown {
		name = string(runes[:maxNameShown]) + "…"
	}
	p.WriteString(name)
}

func (p *fieldPath) element(index string) {
	fmt.Fprintf(p, "[%s]", index)
}

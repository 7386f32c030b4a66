package odoo

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// jsonReader reads JSON (RFC 8259) straight from a body and in one pass. It makes the same values of it as xmlReader makes
// of XML-RPC: int64 of whole numbers and float64 of the others, nil of an empty text and of an empty record, and texts
// with newlines for line ends and without the characters that XML does not know. What is read of an order must not depend
// on how it was read.
type jsonReader struct {
	bodyReader
	maxDepth int // of nested lists and records
	depth    int // open ones
	values   valueReader
}

// jsonReaders keeps readers for the next answer: what they allocated, unless it is large, and nothing of what they read.
var jsonReaders = sync.Pool{New: func() any { return &jsonReader{bodyReader: newBodyReader()} }}

// decodeJSON reads a document to its end: at most maxBytes, and lists and records nested at most maxDepth deep. A body that
// could not be read is a *brokenBody; any other error means that it is not JSON, or too much of it.
func decodeJSON(body io.Reader, maxBytes int64, maxDepth int) (any, error) {
	r := jsonReaders.Get().(*jsonReader)
	r.open(body, maxBytes)
	r.maxDepth = maxDepth
	defer func() {
		r.forget()
		r.depth = 0
		r.values.reset()
		jsonReaders.Put(r)
	}()
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	return v, r.nothingElse()
}

// early explains an end of the document where there should be more of it.
func (r *jsonReader) early() error {
	if r.stopped != io.EOF {
		return r.stopped
	}
	return fmt.Errorf("the answer ends after %d bytes, inside of %d lists and records", r.read, r.depth)
}

// next returns the next byte that is not white space, and leaves it where it is.
func (r *jsonReader) next() (byte, error) {
	if !r.space() {
		return 0, r.early()
	}
	return r.window[r.at], nil
}

// value reads one value: an int64, bool, float64, string, []any, map[string]any, or nil.
func (r *jsonReader) value() (any, error) {
	c, err := r.next()
	if err != nil {
		return nil, err
	}
	switch c {
	case '"':
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		return r.values.text(text)
	case '{':
		return r.record()
	case '[':
		return r.list()
	case 't':
		return true, r.literal("true")
	case 'f':
		return false, r.literal("false")
	case 'n':
		return nil, r.literal("null")
	}
	return r.number()
}

func (r *jsonReader) literal(name string) error {
	for i := range len(name) {
		if r.peek(i) != name[i] {
			return r.unexpected(name)
		}
	}
	r.at += len(name)
	return nil
}

// unexpected explains what stands where something else should.
func (r *jsonReader) unexpected(instead string) error {
	if !r.space() || r.stopped != nil && r.stopped != io.EOF {
		return r.early() // there may have been more of it
	}
	return fmt.Errorf("%.40q instead of %s", r.window[r.at:min(r.at+40, r.end)], instead)
}

func (r *jsonReader) number() (any, error) {
	length := 0
	for isNumberByte(r.peek(length)) {
		length++
	}
	spelled := r.window[r.at : r.at+length]
	whole, ok := isNumber(spelled)
	if !ok {
		return nil, r.unexpected("a value")
	}
	r.at += length
	if whole {
		return r.values.integer(spelled)
	}
	return r.values.double(spelled)
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// isNumber reports whether JSON spells a number so, and whether it has neither fraction nor exponent. A Python float always
// has one.
func isNumber(s []byte) (whole, ok bool) {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' {
		return false, false
	}
	if !digits() {
		return false, false
	}
	whole = len(s) == 0
	if len(s) > 0 && s[0] == '.' {
		s = s[1:]
		if !digits() {
			return false, false
		}
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
			s = s[1:]
		}
		if !digits() {
			return false, false
		}
	}
	return whole, len(s) == 0
}

// enter reads the bracket that opens a list or a record, and refuses one too many.
func (r *jsonReader) enter() error {
	if r.depth >= r.maxDepth {
		return fmt.Errorf("lists and records nested more than %d deep", r.maxDepth)
	}
	r.depth++
	r.at++
	return nil
}

// another reads what stands between two members, or the bracket that closes: it reports whether another member follows.
func (r *jsonReader) another(first bool, closes byte) (bool, error) {
	c, err := r.next()
	switch {
	case err != nil:
		return false, err
	case c == closes:
		r.at++
		r.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		r.at++
		return true, nil
	}
	return false, r.unexpected("a comma")
}

func (r *jsonReader) list() (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	// All lists that are open share one stack, so that each is allocated once, at its length.
	from := len(r.values.elements)
	for first := true; ; first = false {
		more, err := r.another(first, ']')
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		r.values.elements = append(r.values.elements, v)
	}
	list := append([]any{}, r.values.elements[from:]...)
	r.values.elements = r.values.elements[:from]
	return list, nil
}

// record reads an object. Of two members of one name the last counts.
func (r *jsonReader) record() (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	// The record before it, at the same depth, is the best guess of this one's size.
	for len(r.values.members) <= r.depth {
		r.values.members = append(r.values.members, 0)
	}
	depth := r.depth
	var members map[string]any
	for first := true; ; first = false {
		more, err := r.another(first, '}')
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		name, v, err := r.member()
		if err != nil {
			return nil, err
		}
		if members == nil {
			members = make(map[string]any, r.values.members[depth])
		}
		members[name] = v
	}
	r.values.members[depth] = len(members)
	return members, nil
}

func (r *jsonReader) member() (name string, v any, err error) {
	c, err := r.next()
	if err != nil {
		return "", nil, err
	}
	if c != '"' {
		return "", nil, r.unexpected("a name")
	}
	text, err := r.text()
	if err != nil {
		return "", nil, err
	}
	name = r.values.name(text)
	if c, err = r.next(); err != nil {
		return "", nil, err
	}
	if c != ':' {
		return "", nil, r.unexpected("a colon")
	}
	r.at++
	v, err = r.value()
	return name, v, err
}

// text reads a text whose opening quote comes next, as it is meant. It holds until the next byte is read.
func (r *jsonReader) text() ([]byte, error) {
	r.at++
	plain := true
	for i := 0; ; {
		for ; r.at+i < r.end; i++ {
			c := r.window[r.at+i]
			if c == '"' {
				raw := r.window[r.at : r.at+i]
				r.at += i + 1
				if plain {
					return raw, nil
				}
				return unescaped(raw)
			}
			if c == '\\' {
				i++ // over what it escapes, a quote perhaps, which may be still to come
			}
			plain = plain && c != '\\' && c >= 0x20 && c < utf8.RuneSelf
		}
		if !r.more() {
			return nil, r.early()
		}
	}
}

// unescaped replaces the escapes in a text and makes newlines of all line ends, in place: neither makes it longer. The
// characters that XML does not know are left out, as plainText leaves them out.
func unescaped(raw []byte) ([]byte, error) {
	out := raw[:0]
	before := rune(0)
	for len(raw) > 0 {
		char, length, err := charIn(raw)
		if err != nil {
			return nil, err
		}
		raw = raw[length:]
		switch {
		case char == '\n' && before == '\r': // one line end, which is written
		case char == '\r':
			out = append(out, '\n')
		case isXMLChar(char):
			out = utf8.AppendRune(out, char)
		}
		before = char
	}
	return out, nil
}

// escapes are the characters that are escaped by a letter, or by themselves.
var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// charIn reads the first character of a text, and how many bytes it takes.
func charIn(raw []byte) (char rune, length int, err error) {
	switch {
	case raw[0] < 0x20:
		return 0, 0, fmt.Errorf("the character U+%04X in a text", raw[0])
	case raw[0] != '\\':
		char, length = utf8.DecodeRune(raw)
		if char == utf8.RuneError && length == 1 {
			return 0, 0, fmt.Errorf("not valid UTF-8: %.20q", raw)
		}
		return char, length, nil
	case raw[1] != 'u': // text saw to it that there is one
		char, known := escapes[raw[1]]
		if !known {
			return 0, 0, fmt.Errorf("an escape that JSON does not know: %.20q", raw)
		}
		return char, 2, nil
	}
	const oneEscape, twoEscapes = 6, 12 // \u00e9, and \ud83d\ude00 for what is beyond 16 bits
	char, ok := hexEscape(raw)
	if !ok {
		return 0, 0, fmt.Errorf("an escape that JSON does not know: %.20q", raw)
	}
	if char < 0xd800 || char > 0xdfff {
		return char, oneEscape, nil
	}
	second, ok := hexEscape(raw[oneEscape:])
	if !ok || char > 0xdbff || second < 0xdc00 || second > 0xdfff {
		return 0, 0, errors.New("half of a character in a text")
	}
	return 0x10000 + (char-0xd800)<<10 + (second - 0xdc00), twoEscapes, nil
}

// hexEscape reads an escape of four hexadecimal digits, which a text may begin with.
func hexEscape(raw []byte) (char rune, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		digit := digitOf(c)
		if digit == 16 {
			return 0, false
		}
		char = char<<4 + digit
	}
	return char, true
}

package odoo

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// isPlain tells the bytes of a text that stand for themselves, wherever they are.
var isPlain = func() (plain [256]bool) {
	for c := range plain {
		switch {
		case c == '\t', c == '\n':
			plain[c] = true
		case c == '&', c == '>': // > ends ]]>, which no text may hold
		default:
			plain[c] = c >= 0x20 && c < utf8.RuneSelf
		}
	}
	return plain
}()

// plainText replaces the references in a text and makes newlines of all line ends, in place: neither makes it longer. It
// refuses what is not UTF-8, and references to what is not a character of XML 1.0 (https://www.w3.org/TR/xml/#charsets).
// Such characters themselves are left out, as later Odoos leave them out of what they write. Odoo 14 writes them: one
// pasted into a note would otherwise make every page that holds its order unreadable.
func plainText(raw []byte) ([]byte, error) {
	out := raw[:0]
	brackets := 0 // right before
	for len(raw) > 0 {
		c := raw[0]
		before := brackets
		brackets = 0
		switch {
		case c == ']':
			brackets = before + 1
			out, raw = append(out, c), raw[1:]
		case c == '>' && before >= 2:
			return nil, errors.New("]]> in a text")
		case isPlain[c] || c == '>':
			out, raw = append(out, c), raw[1:]
		case c == '\r':
			raw = bytes.TrimPrefix(raw[1:], []byte("\n"))
			out = append(out, '\n')
		case c == '&':
			meant, length := referenceIn(raw)
			if length == 0 {
				return nil, fmt.Errorf("a reference that XML-RPC does not use: %.20q", raw)
			}
			out, raw = utf8.AppendRune(out, meant), raw[length:]
		default:
			char, length := utf8.DecodeRune(raw)
			if char == utf8.RuneError && length == 1 {
				return nil, fmt.Errorf("not valid UTF-8: %.20q", raw)
			}
			if isXMLChar(char) {
				out = append(out, raw[:length]...)
			}
			raw = raw[length:]
		}
	}
	return out, nil
}

var namedReferences = []struct {
	spelling string
	meant    rune
}{{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}}

// referenceIn reads the reference that a text begins with: what it means, and its length, 0 if it is none that is known
// without a document type.
func referenceIn(text []byte) (meant rune, length int) {
	for _, known := range namedReferences {
		if len(text) >= len(known.spelling) && string(text[:len(known.spelling)]) == known.spelling {
			return known.meant, len(known.spelling)
		}
	}
	i, base := len("&#"), rune(10)
	if len(text) < i || text[1] != '#' {
		return 0, 0
	}
	if i < len(text) && text[i] == 'x' {
		i, base = i+1, 16
	}
	digitsAt := i
	for ; i < len(text) && meant <= utf8.MaxRune; i++ {
		digit := digitOf(text[i])
		if digit >= base {
			break
		}
		meant = meant*base + digit
	}
	if i == digitsAt || i >= len(text) || text[i] != ';' || !isXMLChar(meant) {
		return 0, 0
	}
	return meant, i + 1
}

// digitOf is the value of a hexadecimal digit; 16 for what is none.
func digitOf(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return 16
}

// isXMLChar reports whether XML 1.0 knows the character.
func isXMLChar(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 && c <= utf8.MaxRune
}

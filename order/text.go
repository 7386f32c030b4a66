package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// violations gathers every field at fault, so that a caller can mend all of them at once.
type violations []Violation

func (v *violations) add(field, format string, args ...any) {
	*v = append(*v, Violation{field, fmt.Sprintf(format, args...)})
}

func (v violations) err() *Error {
	if len(v) == 0 {
		return nil
	}
	return &Error{
		Kind: Unprocessable, Code: "invalid_request",
		Message:    fmt.Sprintf("%s: %s.", v[0].Field, v[0].Message),
		Violations: v,
	}
}

// fingerprintOf identifies a value by its JSON: 64 hexadecimal digits.
func fingerprintOf(value any) string {
	canonical, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("order: a %T always marshals: %v", value, err))
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// Shorten cuts a text to so many characters, the last one an ellipsis if any were left out.
func Shorten(text string, characters int) string {
	if runes := []rune(text); len(runes) > characters {
		return string(runes[:characters-1]) + "…"
	}
	return text
}

type lines bool

const (
	oneLine   lines = false
	manyLines lines = true
)

// text refuses what could not reach the ERP unchanged: invalid UTF-8, and the characters that XML 1.0 cannot carry
// (https://www.w3.org/TR/xml/#charsets) or that PostgreSQL or a single-line field of Odoo would alter. A carriage return
// is refused everywhere, because every XML reader turns it into a newline.
func (v *violations) text(field, s string, maxLength int, allowed lines) {
	if !utf8.ValidString(s) {
		v.add(field, "is not valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(s); n > maxLength {
		v.add(field, "has %d characters, may have at most %d", n, maxLength)
		return
	}
	for _, r := range s {
		if (r == '\n' || r == '\t') && allowed == manyLines {
			continue
		}
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0xfffe || r == 0xffff {
			v.add(field, "holds the control character U+%04X, which may not be sent", r)
			return
		}
	}
}

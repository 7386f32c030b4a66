package order

import (
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

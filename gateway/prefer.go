package gateway

import (
	"strconv"
	"strings"
	"time"
)

// The preferences that are heeded.
const (
	preferRespondAsync = "respond-async"
	preferWait         = "wait"
)

// maxWait is the longest wait that a caller may ask for. One that says more is not believed.
const maxWait = 60 * time.Second

// preferences are what a caller would like of a placement.
type preferences struct {
	respondAsync bool
	wait         time.Duration // from 1 s to maxWait; 0 if the caller does not say
}

// parsePreferences reads a Prefer header, its lines joined by commas, as RFC 7240 has it: names in any case, values as
// tokens or in quotation marks, parameters, and the first of a name counts. What is not understood is passed over,
// because nobody has to heed a preference.
func parsePreferences(header string) preferences {
	var p preferences
	seen := map[string]bool{}
	for _, member := range splitUnquoted(header, ',') {
		preference := splitUnquoted(member, ';')[0] // what follows are parameters, and none is known
		name, value, ok := readPreference(preference)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case preferRespondAsync:
			p.respondAsync = value == ""
		case preferWait:
			p.wait = readWait(value)
		}
	}
	return p
}

// readPreference reads name or name=value. An empty value is the same as none.
func readPreference(text string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(text, "=")
	name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
	if !isToken(name) {
		return "", "", false
	}
	if strings.HasPrefix(value, `"`) {
		value, ok = unquote(value)
		return name, value, ok
	}
	return name, value, value == "" || isToken(value)
}

// readWait returns 0 for what is not a number of seconds within bounds.
func readWait(value string) time.Duration {
	n, err := strconv.ParseUint(value, 10, 16)
	wait := time.Duration(n) * time.Second
	if err != nil || wait > maxWait {
		return 0
	}
	return wait
}

// splitUnquoted splits at a separator that does not stand in quotation marks. It returns at least one part.
func splitUnquoted(text string, separator byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

// unquote reads a quoted-string of RFC 9110.
func unquote(text string) (string, bool) {
	var value strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return value.String(), i == len(text)-1
		case '\\':
			i++
			if i == len(text) {
				return "", false
			}
			value.WriteByte(text[i])
		default:
			value.WriteByte(c)
		}
	}
	return "", false
}

// isToken reports whether the text is a token of RFC 9110.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		letterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}

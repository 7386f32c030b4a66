package sandbox

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// truth is Python's bool of a value.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

func toText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatDouble(v)
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	return ""
}

func toInteger(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case int64:
		return v, nil
	case float64:
		return int64(v), nil
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
		return 0, programError("psycopg2.errors.InvalidTextRepresentation", "invalid input syntax for type integer: %q", v)
	}
	return 0, programError("TypeError", "int() argument must be a string, a bytes-like object or a number")
}

func toFloat(v any) (float64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if f, err := parseFloat(v); err == nil {
			return f, nil
		}
		return 0, programError("ValueError", "could not convert string to float: '%s'", v)
	}
	return 0, programError("TypeError", "float() argument must be a string or a number")
}

// parseFloat accepts what Python's float accepts, which excludes hexadecimal numbers.
func parseFloat(s string) (float64, error) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "xXpP") {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return f, nil
	}
	return f, err
}

func toTime(v any) (any, error) {
	if !truth(v) {
		return nil, nil
	}
	if t, ok := v.(time.Time); ok {
		return t, nil
	}
	s, _ := v.(string)
	t, err := parseTime(s)
	if err != nil {
		return nil, programError("ValueError", "time data '%s' does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", s)
	}
	return t, nil
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{timeLayout, "2006-01-02T15:04:05", "20060102T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("not a time")
}

// roundTo rounds half away from zero as Odoo's float_round does: a value that a binary fraction put just under the half
// counts as the half.
func roundTo(f float64, digits int) float64 {
	factor := math.Pow10(digits)
	n := math.Abs(f) * factor
	if n >= 1<<52 || math.IsNaN(n) {
		return f
	}
	n = math.Floor(n + 0.5 + n*0x1p-50)
	return math.Copysign(n/factor, f)
}

package order

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// MaxERPID is the largest id that the ERP can hold: ids of Odoo are PostgreSQL integers.
const MaxERPID = 1<<31 - 1

// ParseDecimal reads a plain decimal number such as "19.90". Exponents, signs other than a leading minus, white space
// and more than 18 digits are refused, so that no input can grow in memory or mean two things.
func ParseDecimal(s string) (decimal.Decimal, error) {
	digits, points := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && points == 0 && digits > 0 && i < len(s)-1:
			points++
		case c == '-' && i == 0:
		default:
			return decimal.Zero, fmt.Errorf("is not a plain decimal number such as \"19.90\"")
		}
	}
	if digits == 0 {
		return decimal.Zero, fmt.Errorf("is not a plain decimal number such as \"19.90\"")
	}
	if digits > maxDigits {
		return decimal.Zero, fmt.Errorf("has more than %d digits", maxDigits)
	}
	return decimal.NewFromString(s)
}

const maxDigits = 18

// FormatAmount writes money with at least the currency's decimals, and more only where the value has more.
func FormatAmount(d decimal.Decimal, currencyDecimals int) string {
	s := shortest(d)
	if -int(s.Exponent()) <= currencyDecimals {
		return s.StringFixed(int32(currencyDecimals))
	}
	return s.String()
}

// FormatQuantity writes a quantity without trailing zeros: "2", "0.5".
func FormatQuantity(d decimal.Decimal) string { return shortest(d).String() }

// shortest drops trailing zeros after the point: 2.50 becomes 2.5, and 100 stays 100.
func shortest(d decimal.Decimal) decimal.Decimal {
	s := d.String()
	if !strings.Contains(s, ".") {
		return decimal.RequireFromString(s)
	}
	return decimal.RequireFromString(strings.TrimRight(strings.TrimRight(s, "0"), "."))
}

package order

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CustomerSource begins the source of every key of role customer; the partner's id follows.
const CustomerSource = "customer:"

// maxSourceLength is in bytes.
const maxSourceLength = 64

// CheckSource says why a name cannot be that of a system that orders come from; nil if it can.
func CheckSource(source string) error {
	switch {
	case source == "":
		return errors.New("a source needs a name")
	case strings.HasPrefix(source, CustomerSource):
		return fmt.Errorf("sources that begin with %q belong to keys of role customer", CustomerSource)
	case source == SourceERP:
		return fmt.Errorf("the source %q means that an order was made in the ERP", SourceERP)
	case len(source) > maxSourceLength:
		return fmt.Errorf("a source may have %d bytes", maxSourceLength)
	case !utf8.ValidString(source) || strings.ContainsFunc(source, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("a source must be printable")
	}
	return nil
}

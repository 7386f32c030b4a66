package order

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Modules that no API key can be bound to: what the gateway writes, and what its operators do.
var reservedModules = []string{ModuleOrder, ModuleInventory, ModuleBilling, ModulePayment, ModuleProcurement, ModuleOperator}

var (
	moduleName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	statusName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	categoryName = moduleName
)

// CheckModule reports why a key cannot be bound to a module; nil if it can.
func CheckModule(module string) error {
	switch {
	case !moduleName.MatchString(module):
		return errors.New("must be 1 to 32 of a-z, 0-9 and _, beginning with a letter")
	case slices.Contains(reservedModules, module):
		return fmt.Errorf("%s is the gateway's own", module)
	}
	return nil
}

// WritesAs is the module of the history entries that a caller may write; empty: it may write none. Operators have one together.
func (c Caller) WritesAs() string {
	switch c.Role {
	case RoleModule:
		return c.Module
	case RoleOperator:
		return ModuleOperator
	default:
		return ""
	}
}

// MayClose reports whether the caller may close a blocking entry: one of its own module, or for operators any.
func (c Caller) MayClose(block HistoryEntry) bool {
	return c.Role == RoleOperator || (c.WritesAs() != "" && c.WritesAs() == block.Module())
}

// CheckEntry says what is wrong with an entry that a module wants to write. Its payload is taken as it came; MaxPayload counts
// what CanonicalPayload makes of it. Forbidden, code module_forbidden, if the code is another module's.
func CheckEntry(module string, e HistoryEntry) error {
	var v violations
	namespace, status, _ := strings.Cut(e.Code, ":")
	switch {
	case !moduleName.MatchString(namespace) || !statusName.MatchString(status):
		v.add("status_code", "must be module:status, each of a-z, 0-9 and _, beginning with a letter")
	case namespace != module:
		return Errorf(Forbidden, "module_forbidden", "This key writes history entries of %s only, not of %s.", module, namespace)
	}
	if !categoryName.MatchString(e.Category) {
		v.add("category", "must be 1 to 32 of a-z, 0-9 and _, beginning with a letter")
	}
	if !slices.Contains([]Severity{Info, Warning, Blocking}, e.Severity) {
		v.add("severity", "must be info, warning or blocking")
	}
	if len(e.Payload) > MaxPayload {
		v.add("payload", "has %d bytes, may have at most %d", len(e.Payload), MaxPayload)
	}
	v.text("detail", e.Detail, MaxDetail, manyLines)
	if e.Closes < 0 || e.Closes > MaxERPID {
		v.add("closes", "must be the id of an entry of this order")
	}
	if err := v.err(); err != nil {
		return err
	}
	return nil
}

// SameWish reports whether two entries of one idempotency key are the same wish.
func (e HistoryEntry) SameWish(other HistoryEntry) bool {
	return e.OrderID == other.OrderID && e.Code == other.Code && e.Category == other.Category && e.Severity == other.Severity &&
		e.Payload == other.Payload && e.Detail == other.Detail && e.Closes == other.Closes
}

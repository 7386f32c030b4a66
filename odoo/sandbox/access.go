package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// allowed tells whether the user has a right on a model.
func (e *env) allowed(m *model, operation string) bool {
	return e.user.admin || !slices.Contains(strings.Fields(m.denied), operation)
}

func (e *env) checkOperation(operation string) error {
	if !slices.Contains([]string{"read", "write", "create", "unlink"}, operation) {
		return programError("AssertionError", "Invalid access mode")
	}
	return nil
}

func callCheckAccessRights(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("operation", "raise_exception?")
	if err != nil {
		return nil, err
	}
	operation := toText(v["operation"])
	if err := e.checkOperation(operation); err != nil {
		return nil, err
	}
	raise, given := v["raise_exception"].(bool)
	if !e.allowed(m, operation) && (raise || !given) {
		return nil, e.accessError(m, operation)
	}
	return e.allowed(m, operation), nil
}

func callHasAccess(e *env, m *model, a arguments) (any, error) {
	_, a, err := a.self()
	if err != nil {
		return nil, err
	}
	v, err := a.values("operation")
	if err != nil {
		return nil, err
	}
	operation := toText(v["operation"])
	return e.allowed(m, operation), e.checkOperation(operation)
}

// accessError refuses an operation on a model.
func (e *env) accessError(m *model, operation string) *fault {
	verb := map[string]string{"read": "access", "write": "modify", "create": "create", "unlink": "delete"}[operation]
	groups := "Role / Administrator"
	switch {
	case m.name == saleOrder:
		groups = "Sales/Administrator"
	case e.major < 17:
		groups = "Administration/Settings"
	case m.name == modelData:
		groups = "Access Rights"
	}
	return &fault{code: codeAccess, text: fmt.Sprintf("You are not allowed to %s '%s' (%s) records.\n\n"+
		"This operation is allowed for the following groups:\n\t- %s\n\n"+
		"Contact your administrator to request access if necessary.", verb, m.label, m.name, groups)}
}

package sandbox

import (
	"fmt"
	"strings"
)

// fault is an XML-RPC fault. The codes are those of /xmlrpc/2/.
type fault struct {
	code int
	text string
}

const (
	codeProgram      = 1 // an error in Odoo's code, with a traceback
	codeUser         = 2
	codeAccessDenied = 3 // the login
	codeAccess       = 4 // rights of the user who is logged in
)

func (f *fault) Error() string { return fmt.Sprintf("fault %d: %s", f.code, f.text) }

// programError is what an exception that Odoo does not expect becomes: a traceback that ends in class and message.
func programError(class, format string, args ...any) *fault {
	return &fault{codeProgram, "Traceback (most recent call last):\n" +
		"  File \"odoo/service/model.py\", in execute_cr\n" +
		"    result = odoo.api.call_kw(recs, method, args, kw)\n" +
		class + ": " + fmt.Sprintf(format, args...) + "\n"}
}

// userError is a refusal of the content, in words for people.
func userError(format string, args ...any) *fault {
	return &fault{codeUser, fmt.Sprintf(format, args...)}
}

func accessDenied() *fault { return &fault{codeAccessDenied, "Access Denied"} }

// unmarshalable is what a method that returns None answers, after its transaction was committed.
func unmarshalable() *fault {
	return programError("TypeError", "cannot marshal None unless allow_none is enabled")
}

func unknownDatabase(name string) *fault {
	return programError("psycopg2.OperationalError",
		"connection to server on socket \".s.PGSQL.5432\" failed: FATAL:  database %q does not exist\n", name)
}

func (e *env) missing(m *model, ids ...int64) *fault {
	shown := make([]string, len(ids))
	for i, id := range ids {
		shown[i] = fmt.Sprintf("%d,", id)
	}
	return userError("Record does not exist or has been deleted.\n(Record: %s(%s), User: %d)",
		m.name, strings.Join(shown, " "), e.user.id)
}

// invalidField refuses a field name in a read; writing has its own words.
func (e *env) invalidField(m *model, name string) *fault {
	if e.major < 17 {
		return programError("ValueError", "Invalid field '%s' on model '%s'", name, m.name)
	}
	return programError("ValueError", "Invalid field '%s' on '%s'", name, m.name)
}

func (e *env) invalidFieldInValues(m *model, name string) *fault {
	if e.major < 17 {
		return e.invalidField(m, name)
	}
	return programError("ValueError", "Invalid field '%s' in '%s'", name, m.name)
}

// missingRequired says that a mandatory field is empty, without the introduction that a fault puts before it.
func (e *env) missingRequired(m *model, f *field) string {
	if e.major < 17 {
		return fmt.Sprintf("Missing required value for the field '%s' (%s)", f.label, f.name)
	}
	return fmt.Sprintf("Missing required value for the field '%s' (%s).\nModel: '%s' (%s)\n"+
		"- create/update: a mandatory field is not set\n"+
		"- delete: another model requires the record being deleted, you can archive it instead\n",
		f.label, f.name, m.label, m.name)
}

// requiredError is a mandatory field that is empty. load and the other methods word it differently.
type requiredError struct {
	message string // as load reports it
	field   string
	fault   *fault
}

func (r *requiredError) Error() string { return r.message }

func (e *env) requiredError(m *model, f *field) error {
	r := &requiredError{message: e.missingRequired(m, f), field: f.name}
	if e.major < 17 {
		r.fault = userError("The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"+
			"- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"+
			"Model: %s (%s), Field: %s (%s)", m.label, m.name, f.label, f.name)
	} else {
		r.fault = userError("The operation cannot be completed: %s", r.message)
	}
	return r
}

// inUse refuses to delete what a many2one field of another model points at.
func (e *env) inUse(m *model, f *field) *fault {
	if e.major < 17 {
		return userError("The operation cannot be completed: another model requires the record being deleted. "+
			"If possible, archive it instead.\n\nModel: %s (%s), Constraint: %s_%s_fkey",
			m.label, m.name, strings.ReplaceAll(m.name, ".", "_"), f.name)
	}
	return userError("The operation cannot be completed: Another model is using the record you are trying to delete.\n\n"+
		"The troublemaker is: '%s' (%s)\nThanks to the following constraint: '%s' (%s)\n"+
		"How about archiving the record instead?", m.label, m.name, f.label, f.name)
}

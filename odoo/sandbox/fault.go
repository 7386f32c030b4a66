package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// fault is an exception: what XML-RPC makes a fault of, with the codes of /xmlrpc/2/, and JSON-2 an error.
type fault struct {
	code   int
	text   string
	class  string // of the exception, where the code does not say it
	plain  string // what the exception says, where text is more than that
	status int    // of HTTP, where the exception is one of the HTTP layer
}

const (
	codeProgram      = 1 // an error in Odoo's code, with a traceback
	codeUser         = 2
	codeAccessDenied = 3 // the login
	codeAccess       = 4 // rights of the user who is logged in
)

func (f *fault) Error() string { return fmt.Sprintf("fault %d: %s", f.code, f.text) }

// exception is the name of the exception's class, with its module.
func (f *fault) exception() string {
	switch {
	case f.class == "":
		return map[int]string{codeUser: "odoo.exceptions.UserError", codeAccessDenied: "odoo.exceptions.AccessDenied",
			codeAccess: "odoo.exceptions.AccessError"}[f.code]
	case strings.Contains(f.class, "."):
		return f.class
	}
	return "builtins." + f.class
}

// message is what the exception says.
func (f *fault) message() string { return cmp.Or(f.plain, f.text) }

// httpStatus is what JSON-2 answers with.
func (f *fault) httpStatus() int {
	switch {
	case f.status != 0:
		return f.status
	case f.class == missingError:
		return http.StatusNotFound
	case f.code == codeUser:
		return http.StatusUnprocessableEntity
	case f.code == codeProgram:
		return http.StatusInternalServerError
	}
	return http.StatusForbidden
}

// programError is what an exception that Odoo does not expect becomes: a traceback that ends in class and message.
func programError(class, format string, args ...any) *fault {
	message := fmt.Sprintf(format, args...)
	return &fault{code: codeProgram, class: class, plain: message, text: "Traceback (most recent call last):\n" +
		"  File \"odoo/service/model.py\", in execute_cr\n" +
		"    result = odoo.api.call_kw(recs, method, args, kw)\n" +
		class + ": " + message + "\n"}
}

// httpError is an exception of Odoo's HTTP layer, which only JSON-2 shows.
func httpError(status int, class, format string, args ...any) *fault {
	message := fmt.Sprintf(format, args...)
	return &fault{code: codeProgram, class: "werkzeug.exceptions." + class, text: message, status: status}
}

// userError is a refusal of the content, in words for people.
func userError(format string, args ...any) *fault {
	return &fault{code: codeUser, text: fmt.Sprintf(format, args...)}
}

// validationError is a userError of a class of its own.
func validationError(format string, args ...any) *fault {
	return &fault{code: codeUser, class: "odoo.exceptions.ValidationError", text: fmt.Sprintf(format, args...)}
}

// missingError is the class of refusals for records that are gone.
const missingError = "odoo.exceptions.MissingError"

func accessDenied() *fault { return &fault{code: codeAccessDenied, text: "Access Denied"} }

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
	return &fault{code: codeUser, class: missingError, text: fmt.Sprintf("Record does not exist or has been deleted.\n(Record: %s(%s), User: %d)",
		m.name, strings.Join(shown, " "), e.user.id)}
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

// fieldError is a field that may not be as it is: mandatory and empty, or unique and taken. load and the other methods word it
// differently.
type fieldError struct {
	message string // as load reports it
	field   string
	fault   *fault
}

func (r *fieldError) Error() string { return r.message }

func (e *env) requiredError(m *model, f *field) error {
	r := &fieldError{message: e.missingRequired(m, f), field: f.name}
	if e.major < 17 {
		r.fault = validationError("The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"+
			"- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"+
			"Model: %s (%s), Field: %s (%s)", m.label, m.name, f.label, f.name)
	} else {
		r.fault = validationError("The operation cannot be completed: %s", r.message)
	}
	return r
}

// inUse refuses to delete what a many2one field of another model points at.
func (e *env) inUse(m *model, f *field) *fault {
	if e.major < 17 {
		return validationError("The operation cannot be completed: another model requires the record being deleted. "+
			"If possible, archive it instead.\n\nModel: %s (%s), Constraint: %s_%s_fkey",
			m.label, m.name, strings.ReplaceAll(m.name, ".", "_"), f.name)
	}
	return validationError("The operation cannot be completed: Another model is using the record you are trying to delete.\n\n"+
		"The troublemaker is: '%s' (%s)\nThanks to the following constraint: '%s' (%s)\n"+
		"How about archiving the record instead?", m.label, m.name, f.label, f.name)
}

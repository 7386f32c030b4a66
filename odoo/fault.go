package odoo

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The codes of faults at /xmlrpc/2/. The errors of JSON-2 are told in the same terms.
const (
	faultApplication  = 1 // an exception, with its traceback; what it had done may be committed
	faultWarning      = 2 // Odoo refuses in words for people, and rolled back
	faultAccessDenied = 3 // wrong user id or password
	faultAccessError  = 4 // the user may not do this, and it was rolled back
)

const (
	maxMessage = 300 // runes of a message for people
	maxGroups  = 5
	maxCause   = 2000 // bytes of a traceback kept for the log, from its end, where the exception stands
)

// fault is Odoo's answer that a call failed.
type fault struct {
	code      int64
	text      string
	exception string // its Python class, by JSON-2 alone
}

func (f *fault) Error() string {
	text := f.text
	if len(text) > maxCause {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxCause:], "")
	}
	if f.exception != "" {
		return f.exception + ": " + text
	}
	return fmt.Sprintf("fault %d: %s", f.code, text)
}

var (
	noDatabase = regexp.MustCompile(`OperationalError: [^\n]*(FATAL:|connection to server|could not connect)`)
	// lostRace is how PostgreSQL says that a transaction lost against a concurrent one and was rolled back.
	lostRace = regexp.MustCompile(`(?i)could not serialize access|deadlock detected|could not obtain lock|lock timeout|` +
		`SerializationFailure|TransactionRollback`)
	notAllowed = regexp.MustCompile(`(?i)you are not allowed to|access denied|AccessError`)
	// internals are what no text for people holds.
	internals     = regexp.MustCompile(`Traceback \(most recent call last\)|psycopg2|(?i:current transaction is aborted)|File "`)
	importFailure = regexp.MustCompile(`^Unknown error during import: <class '([^']*)'>: `)
	listed        = regexp.MustCompile(`(?m)^\t+- (.{1,80})$`)
	recordRemark  = regexp.MustCompile(`\((Record|Records|Document type|User): [^\n]*$`)
)

// withoutDatabase reports whether the fault says that Odoo cannot connect to its database. It never began, then.
func (f *fault) withoutDatabase() bool {
	return f.code == faultApplication && noDatabase.MatchString(f.text)
}

// returnedNone reports whether a call failed because XML-RPC cannot write the None that the method returned, after it was committed.
func returnedNone(err error) bool {
	var f *fault
	return errors.As(err, &f) && f.code == faultApplication && strings.Contains(f.text, "cannot marshal None unless allow_none is enabled")
}

// faultToError turns a fault into an *Error; other errors are *Errors already.
func faultToError(err error) error {
	f, ok := err.(*fault)
	if !ok {
		return err
	}
	e := &Error{Outcome: Rejected, Row: -1, Cause: f}
	switch f.code {
	case faultWarning:
		e.Reason, e.Message = BusinessRule, clean(f.text)
	case faultAccessError:
		e.Reason, e.Message = AccessRights, cleanDenial(f.text)
	case faultAccessDenied:
		e.Outcome, e.Reason, e.Message = NotSent, LoginRefused, "Odoo refuses the login: wrong user or password"
	default:
		e.Outcome, e.Reason, e.Message = Unknown, ServerError, "an error inside Odoo; its own log has the details"
		if lostRace.MatchString(f.text) {
			e.Reason, e.Message = Serialization, "Odoo could not finish beside concurrent changes"
		}
	}
	return e
}

// loginError turns whatever failed on the way to a session into an *Error: the call that needed it was not sent.
func loginError(err error, database string) error {
	var f *fault
	if errors.As(err, &f) && f.withoutDatabase() {
		if strings.Contains(f.text, "does not exist") {
			return notSent(LoginRefused, fmt.Sprintf("Odoo has no database %q", database), f)
		}
		return notSent(ServerError, "Odoo cannot connect to its database", f)
	}
	var e *Error
	if errors.As(faultToError(err), &e) {
		e.Outcome = NotSent
		return e
	}
	return err
}

// cleanDenial is clean for a text that says what the user may not do: with the groups that may, which Odoo lists below.
func cleanDenial(text string) string {
	message := clean(text)
	if groups := listed.FindAllStringSubmatch(text, maxGroups); len(groups) > 0 {
		names := make([]string, len(groups))
		for i, g := range groups {
			names[i] = strings.TrimSpace(g[1])
		}
		message += " Groups that may: " + strings.Join(names, ", ") + "."
	}
	return message
}

// clean makes a text of Odoo fit for people: its first paragraph, on one line, without remarks meant for developers.
// A text that holds internals is replaced.
func clean(text string) string {
	if internals.MatchString(text) {
		return "Odoo refused without a reason that can be shown; its own log has the details"
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
	text, _, _ = strings.Cut(text, "\nModel: ")
	text = recordRemark.ReplaceAllString(text, "")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		text = text[1 : len(text)-1]
	}
	if utf8.RuneCountInString(text) > maxMessage {
		text = string([]rune(text)[:maxMessage-1]) + "…"
	}
	if text == "" {
		return "Odoo refused without a reason"
	}
	return text
}

func notSent(r Reason, message string, cause error) error {
	return &Error{Outcome: NotSent, Reason: r, Message: message, Row: -1, Cause: cause}
}

func badAnswer(cause error) *Error {
	return &Error{Outcome: Unknown, Reason: BadAnswer, Row: -1, Cause: cause,
		Message: "the answer is not one that Odoo gives"}
}

// typed returns a failure of this package as the *Error that it is.
func typed(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return badAnswer(err)
}

// copyError gives each of several callers its own *Error to enter its method into.
func copyError(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	return &c
}

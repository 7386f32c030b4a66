package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"ordergate/order"
)

// faults is what the contract's validator found, in the caller's words, each field once. The validator reports every unknown member of an object apart, each time with the whole object; naming them
// all at the first report keeps the work linear in the size of the body.
type faults struct {
	inPath []order.Violation // path parameters: the address itself is at fault
	others []order.Violation
	named  map[string]bool // the fields in others, and with a trailing dot the objects whose members were named
}

func explain(err error) *faults {
	f := &faults{named: map[string]bool{}}
	f.explain(err)
	return f
}

func (f *faults) explain(err error) {
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, one := range e {
			f.explain(one)
		}
	case *openapi3filter.RequestError:
		if e.Parameter == nil {
			f.explainValue(e.Err, nil)
			return
		}
		outer := f.others
		f.explainValue(e.Err, e.Parameter)
		if e.Parameter.In == openapi3.ParameterInPath {
			f.inPath, f.others = append(f.inPath, f.others[len(outer):]...), outer
		}
	default:
		f.add("request", "does not match the contract")
	}
}

func (f *faults) add(field, message string) {
	if f.named[field] {
		return
	}
	f.named[field] = true
	f.others = append(f.others, order.Violation{Field: field, Message: message})
}

// explainValue explains what a value, the parameter or, without one, the body, has against its schema.
func (f *faults) explainValue(err error, parameter *openapi3.Parameter) {
	field := ""
	if parameter != nil {
		field = parameter.Name
	}
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, one := range e {
			f.explainValue(one, parameter)
		}
		return
	case *openapi3.SchemaError:
		if e.SchemaField == "properties" {
			f.addUnknownMembers(e)
			return
		}
		f.add(fieldOf(e, field), message(e))
		return
	case *openapi3filter.ParseError:
		f.add(orBody(field), unreadable(parameter))
		return
	}
	if errors.Is(err, openapi3filter.ErrInvalidEmptyValue) {
		f.add(field, "must not be empty")
		return
	}
	f.add(orBody(field), "does not match the contract")
}

// unreadable says what a parameter must be that cannot be read as that.
func unreadable(parameter *openapi3.Parameter) string {
	if parameter == nil || parameter.Schema == nil {
		return "does not match the contract"
	}
	schema := parameter.Schema.Value
	if schema.Type.Is("array") {
		schema = schema.Items.Value
	}
	return mustBe(schema)
}

func orBody(field string) string {
	if field == "" {
		return "body"
	}
	return field
}

// addUnknownMembers names every member of an object that the contract does not have.
func (f *faults) addUnknownMembers(e *openapi3.SchemaError) {
	object := pathOf(e).String() + "."
	if f.named[object] {
		return
	}
	f.named[object] = true
	members, _ := e.Value.(map[string]any)
	var names []string
	for name := range members {
		if e.Schema.Properties[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		path := pathOf(e)
		path.member(name)
		f.add(path.String(), "is not known here")
	}
}

func fieldOf(e *openapi3.SchemaError, parameter string) string {
	if parameter != "" {
		return parameter
	}
	return orBody(pathOf(e).String())
}

// pathOf spells where in the body a value stands. Unknown members never get this far, so a number is an index.
func pathOf(e *openapi3.SchemaError) *fieldPath {
	path := &fieldPath{}
	for _, segment := range e.JSONPointer() {
		if strings.Trim(segment, "0123456789") == "" {
			path.element(segment)
		} else {
			path.member(segment)
		}
	}
	return path
}

// message says what is wrong with a value and what would be right.
func message(e *openapi3.SchemaError) string {
	text, _ := e.Value.(string)
	switch e.SchemaField {
	case "required":
		return "is required"
	case "nullable":
		return "must not be null; leave it out"
	case "type":
		return wrongType(e)
	case "pattern", "format":
		return wrongForm(e, text)
	case "enum":
		allowed := make([]string, len(e.Schema.Enum))
		for i, value := range e.Schema.Enum {
			allowed[i] = fmt.Sprint(value)
		}
		return "must be one of " + strings.Join(allowed, ", ")
	case "minLength":
		return tooShort(e.Schema, text)
	case "maxLength":
		return fmt.Sprintf("has %d characters, may have at most %d", utf8.RuneCountInString(text), *e.Schema.MaxLength)
	case "minimum", "maximum":
		return fmt.Sprintf("must be between %.0f and %.0f", *e.Schema.Min, *e.Schema.Max)
	case "minItems":
		return fmt.Sprintf("must have at least %d", e.Schema.MinItems)
	case "maxItems":
		return fmt.Sprintf("may have at most %d", *e.Schema.MaxItems)
	}
	return "does not match the contract"
}

func wrongType(e *openapi3.SchemaError) string {
	number, isNumber := e.Value.(float64)
	switch {
	case e.Schema.Format == "decimal" && isNumber && math.Abs(number) < 1e15:
		return fmt.Sprintf("must be a string: write %q, with the quotation marks", strconv.FormatFloat(number, 'f', -1, 64))
	case e.Schema.Format == "decimal":
		return `must be a string holding a decimal number, such as "2"`
	default:
		return mustBe(e.Schema)
	}
}

// mustBe names the type that a value must have.
func mustBe(schema *openapi3.Schema) string {
	switch {
	case schema.Type.Is("string"):
		return "must be a string"
	case schema.Type.Is("integer"):
		return "must be a whole number"
	case schema.Type.Is("boolean"):
		return "must be true or false"
	case schema.Type.Is("array"):
		return "must be a list"
	default:
		return "must be an object"
	}
}

func tooShort(schema *openapi3.Schema, text string) string {
	switch {
	case schema.MinLength == 1:
		return "must not be empty"
	case schema.MaxLength != nil && *schema.MaxLength == schema.MinLength:
		return fmt.Sprintf("has %d characters, must have %d", utf8.RuneCountInString(text), schema.MinLength)
	default:
		return fmt.Sprintf("has %d characters, must have at least %d", utf8.RuneCountInString(text), schema.MinLength)
	}
}

func wrongForm(e *openapi3.SchemaError, text string) string {
	if e.Schema.Format == "decimal" {
		if _, err := order.ParseDecimal(text); err != nil {
			return err.Error()
		}
	}
	if e.Schema.Format == "date-time" {
		return notATime
	}
	if said, is := e.Schema.Extensions["x-message"].(string); is {
		return said
	}
	return "has the wrong form"
}

const notATime = `must be an RFC 3339 time such as "2026-11-21T00:00:00Z"; write + as %2B`

// mistypedField is the field that the JSON decoder could not fit; empty if the error is not about one.
func mistypedField(err error) string {
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return mistyped.Field
	}
	return ""
}

package odoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// parameters are how JSON-2, which knows no other arguments than named ones, calls those that execute is given by position.
// A method that is not listed is one of records, and takes their ids alone.
var parameters = map[string][]string{
	"search":               {"domain"},
	"search_count":         {"domain"},
	"search_read":          {"domain"},
	"web_search_read":      {"domain", "specification"},
	"read_group":           {"domain", "fields", "groupby"},
	"formatted_read_group": {"domain", "groupby", "aggregates"},
	"read":                 {"ids", "fields"},
	"web_read":             {"ids", "specification"},
	"create":               {"vals_list"},
	"write":                {"ids", "vals"},
	"load":                 {"fields", "data"},
	"default_get":          {"fields"},
	"fields_get":           {"allfields", "attributes"},
	"has_access":           {"ids", "operation"},
	"check_access_rights":  {"operation", "raise_exception"},
	"precision_get":        {"application"},
	"context_get":          {},

	"get_wkhtmltopdf_state":  {},
	"check_object_reference": {"module", "xml_id"},
}

// databaseHeader says which database is meant.
const databaseHeader = "X-Odoo-Database"

var idsAlone = []string{"ids"}

// json2Call is a call of JSON-2. Its answers are those of XML-RPC, but that Python's None is nil instead of a fault.
func (c *Client) json2Call(model, method string, args []any, kwargs map[string]any) (message, error) {
	body, err := encodeNamed(method, args, kwargs)
	if err != nil {
		return message{}, err
	}
	m := message{method: http.MethodPost, path: "/json/2/" + model + "/" + method, body: body, read: readJSON2,
		header: http.Header{
			"Content-Type":  {"application/json; charset=utf-8"},
			"Authorization": {"bearer " + c.password},
			databaseHeader:  {c.database},
		}}
	if method == "create" && len(args) == 1 {
		if _, one := args[0].(map[string]any); one {
			m.read = readOneCreated
		}
	}
	return m, nil
}

// readOneCreated reads the answer of a create that was given one record: its id. JSON-2 gives a list of ids.
func readOneCreated(resp *http.Response, l limits) (any, error) {
	v, err := readJSON2(resp, l)
	if err != nil {
		return nil, err
	}
	if ids, ok := v.([]any); ok && len(ids) == 1 {
		return ids[0], nil
	}
	return nil, badAnswer(fmt.Errorf("create of one record answered %.80v", v))
}

// encodeNamed writes the arguments of a call as one object. Texts are held to the same characters as over XML-RPC, so that
// what can be written does not depend on the protocol.
func encodeNamed(method string, args []any, kwargs map[string]any) ([]byte, error) {
	names, listed := parameters[method]
	if !listed {
		names = idsAlone
	}
	if len(args) > len(names) {
		return nil, notSent(Misconfigured, "the call cannot be written as JSON-2",
			fmt.Errorf("%s has %d arguments, of which %d have names", method, len(args), len(names)))
	}
	named := make(map[string]any, len(args)+len(kwargs))
	maps.Copy(named, kwargs)
	for i, arg := range args {
		named[names[i]] = arg
	}
	if err := checkTexts(named); err != nil {
		return nil, unsendable(err)
	}
	body, err := appendJSON(nil, named)
	if err != nil {
		return nil, notSent(Misconfigured, "the call cannot be written as JSON-2", err)
	}
	return body, nil
}

// appendJSON writes a value. A list is a list also where it is nil: null would be no domain at all, which finds everything.
func appendJSON(b []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case []any:
		b = append(b, '[')
		for i, element := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, element); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, name); err != nil {
				return nil, err
			}
			if b, err = appendJSON(append(b, ':'), v[name]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	scalar, err := json.Marshal(v)
	return append(b, scalar...), err
}

// readJSON2 reads an answer of JSON-2: a value with status 200, or an error of Odoo with the status that Odoo gives it.
// What comes with another status and is not Odoo's own error was said by something before Odoo.
func readJSON2(resp *http.Response, l limits) (any, error) {
	if !isOfType(resp, "application/json") {
		switch resp.StatusCode {
		case http.StatusOK:
			return nil, wrongType(resp, "JSON")
		case http.StatusNotFound:
			return nil, notSent(ServerError, "Odoo has no JSON-2 at this address, or cannot use its database", errNoJSON2)
		}
		return nil, checkStatus(resp.StatusCode)
	}
	v, err := decodeJSON(resp.Body, l.bytes, l.depth)
	if _, broken := err.(*brokenBody); broken {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		if err != nil {
			return nil, badAnswer(err)
		}
		return v, nil
	}
	if err == nil {
		if own := json2Error(resp.StatusCode, v); own != nil {
			return nil, own
		}
	}
	return nil, checkStatus(resp.StatusCode)
}

// errNoJSON2 marks Odoo's page for an address that it does not know: it serves no JSON-2, or cannot use the database, on
// which its addresses depend. Nothing ran.
var errNoJSON2 = fmt.Errorf("%w 404", errHTTPStatus)

// readJSONVersion reads the answer of /json/version. Whatever else it is than JSON, it comes from an older Odoo, or from none, and is
// no trouble.
func readJSONVersion(resp *http.Response, l limits) (any, error) {
	if resp.StatusCode < http.StatusInternalServerError && (resp.StatusCode != http.StatusOK || !isOfType(resp, "application/json")) {
		return nil, notSent(Misconfigured, fmt.Sprintf("Odoo has no JSON-2 at this address: it takes Odoo %d", oldestJSON2),
			fmt.Errorf("HTTP status %d", resp.StatusCode))
	}
	return readJSON2(resp, l)
}

const (
	// redirectWarning is a refusal, although Odoo gives it the status 500.
	redirectWarning = "odoo.exceptions.RedirectWarning"
	// afterCommit is the line of Odoo by which a traceback leads to what runs after the commit.
	afterCommit = "postcommit.run()"
)

// json2Error tells an error of Odoo in the terms of XML-RPC, for what it says of the call is the same; nil if it is not one
// of Odoo. Its refusals, of status 4xx, are exceptions of the method, as faults 2 and 4 are; but raised by what runs after
// the commit they refuse nothing any more. An answer of status 500 proves nothing: the commit itself can fail so.
func json2Error(status int, v any) error {
	members, _ := v.(map[string]any)
	name, _ := members["name"].(string)
	message, _ := members["message"].(string)
	arguments, isList := members["arguments"].([]any)
	traceback, isText := members["debug"].(string)
	if name == "" || !isList || !isText {
		return nil
	}
	f := &fault{code: faultWarning, text: message, exception: name}
	switch {
	case status >= http.StatusInternalServerError && name != redirectWarning, strings.Contains(traceback, afterCommit):
		f.code, f.text = faultApplication, traceback
	case name == "odoo.exceptions.AccessDenied", status == http.StatusUnauthorized:
		f.code = faultAccessDenied
	case name == "odoo.exceptions.AccessError":
		f.code = faultAccessError
	case name == redirectWarning: // a refusal with a button, to which status and message do no justice
		if text, ok := firstOf(arguments).(string); ok {
			f.text = text
		}
	case strings.HasPrefix(name, "werkzeug.exceptions.") && status != http.StatusNotFound: // which is a model or method that there is not
		return notSent(Misconfigured, "Odoo does not know such a call: "+clean(message), f)
	}
	return f
}

func firstOf(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

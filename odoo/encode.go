package odoo

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"
)

// xmlrpcCall is a call of XML-RPC.
func xmlrpcCall(path, method string, args ...any) (message, error) {
	body, err := encodeCall(method, args)
	if err != nil {
		return message{}, err
	}
	return message{method: http.MethodPost, path: path, body: body, read: readXMLRPC,
		header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}}, nil
}

// encodeCall writes a call. Texts that XML cannot carry are refused: the codec would replace such characters in silence.
func encodeCall(method string, args []any) ([]byte, error) {
	for _, arg := range args {
		if err := checkTexts(arg); err != nil {
			return nil, unsendable(err)
		}
	}
	body, err := xmlrpc.EncodeMethodCall(method, args...)
	if err != nil {
		return nil, notSent(Misconfigured, "the call cannot be written as XML-RPC", err)
	}
	return body, nil
}

func unsendable(cause error) *Error {
	return &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Cause: cause,
		Message: "a text holds a character that cannot be sent to Odoo"}
}

// checkTexts is encodeCall's check, for one record: nothing is sent of it then.
func (t table) checkTexts() *Error {
	for _, row := range t.rows {
		for _, cell := range row {
			if err := checkText(cell); err != nil {
				return unsendable(err)
			}
		}
	}
	return nil
}

// checkTexts finds texts that are not valid UTF-8, or hold a character outside of XML 1.0
// (https://www.w3.org/TR/xml/#charsets) or a carriage return, which XML readers turn into a newline.
func checkTexts(v any) error {
	switch v := v.(type) {
	case string:
		return checkText(v)
	case []any:
		for _, element := range v {
			if err := checkTexts(element); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, member := range v {
			if err := checkTexts(member); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("not valid UTF-8: %.40q", s)
	}
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' || r == 0xfffe || r == 0xffff {
			return fmt.Errorf("the character U+%04X", r)
		}
	}
	return nil
}

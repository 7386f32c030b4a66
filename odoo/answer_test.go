package odoo

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	answerHead = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"
	answerTail = "\n</param>\n</params>\n</methodResponse>\n"
)

func answered(value string) string { return answerHead + value + answerTail }

// decode decodes an answer that no limit of bytes stops.
func decode(document string, maxDepth int) (any, error) {
	return decodeAnswer(strings.NewReader(document), math.MaxInt64, maxDepth)
}

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		xml  string
		want any
	}{
		"integer":      {"<value><int>-7</int></value>", int64(-7)},
		"false":        {"<value><boolean>0</boolean></value>", false},
		"text":         {"<value><string>  a &lt;b&gt; &amp;\n😀 </string></value>", "  a <b> &\n😀 "},
		"empty text":   {"<value><string></string></value>", nil},
		"double":       {"<value><double>19.9</double></value>", 19.9},
		"nil":          {"<value><nil/></value>", nil},
		"empty list":   {"<value><array><data>\n</data></array></value>", []any{}},
		"list":         {"<value><array><data>\n<value><int>1</int></value>\n<value><string>x</string></value>\n</data></array></value>", []any{int64(1), "x"}},
		"i4":           {"<value><i4>-2147483648</i4></value>", int64(math.MinInt32)},
		"i8":           {"<value><i8>9223372036854775807</i8></value>", int64(math.MaxInt64)},
		"true":         {"<value><boolean>1</boolean></value>", true},
		"time":         {"<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"base64":       {"<value><base64>aGVsbG8=\n</base64></value>", "aGVsbG8=\n"},
		"spaced tags":  {"<value >\r\n\t<int\t>1</int\n> </value >", int64(1)},
		"a name twice": {"<value><struct><member><name>a</name><value><int>1</int></value></member><member><name>a</name><value><int>2</int></value></member></struct></value>", map[string]any{"a": int64(2)}},
		"empty record": {"<value><struct>\n</struct></value>", map[string]any(nil)},
		"record with empty text": {"<value><struct><member><name>a</name><value><string></string></value></member>" +
			"<member><name>b</name><value><int>2</int></value></member></struct></value>", map[string]any{"a": nil, "b": int64(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(answered(test.xml), 64)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDecodeAnswerFault(t *testing.T) {
	t.Parallel()
	_, err := decode("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>2</int></value></member>"+
		"<member><name>faultString</name><value><string>no &lt;way&gt;</string></value></member></struct></value></fault></methodResponse>", 64)
	var f *fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, fault{code: 2, text: "no <way>"}, *f)

	_, err = decode(answered("<value><string>&lt;fault&gt; &lt;/fault&gt;</string></value>"), 64)
	require.NoError(t, err, "a text that looks like a fault is none")
}

func TestDecodeAnswerRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"nothing":                 "",
		"only text":               "hello",
		"HTML":                    "<!DOCTYPE html><html><body>Database manager</body></html>",
		"HTML without doctype":    "<html><body></body></html>",
		"doctype with entities":   `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>` + answered("<value><string>&a;</string></value>"),
		"unknown entity":          answered("<value><string>&nope;</string></value>"),
		"comment":                 answered("<value><string>a<!-- -->b</string></value>"),
		"CDATA":                   answered("<value><string><![CDATA[x]]></string></value>"),
		"processing instruction":  answered("<?php x ?><value><int>1</int></value>"),
		"attribute":               answered(`<value type="x"><int>1</int></value>`),
		"a value without type":    answered("<value>text</value>"),
		"a bare empty value":      answered("<value></value>"),
		"a self-closed value":     answered("<value/>"),
		"cut":                     answered("<value><int>1</int></value>")[:80],
		"cut in a tag":            answerHead + "<value><in",
		"crossed tags":            answered("<value><int>1</value></int>"),
		"closed twice":            answered("<value><int>1</int></value></value>"),
		"two documents":           answered("<value><int>1</int></value>") + "<methodResponse></methodResponse>",
		"text after":              answered("<value><int>1</int></value>") + "x",
		"text before":             "x" + answered("<value><int>1</int></value>"),
		"not a number":            answered("<value><int>one</int></value>"),
		"unknown type":            answered("<value><float>1</float></value>"),
		"a call":                  "<methodCall><methodName>x</methodName></methodCall>",
		"a fault without code":    "<methodResponse><fault><value><string>x</string></value></fault></methodResponse>",
		"no value":                "<methodResponse><params></params></methodResponse>",
		"declaration without end": "<?xml version='1.0'",
		"less-than in a text":     answered("<value><string>a < b</string></value>"),

		// The reference takes these, and guesses what is meant.
		"an empty number":          answered("<value><int></int></value>"),
		"a self-closed number":     answered("<value><int/></value>"),
		"an empty double":          answered("<value><double></double></value>"),
		"an empty boolean":         answered("<value><boolean></boolean></value>"),
		"a spelled-out boolean":    answered("<value><boolean>true</boolean></value>"),
		"an empty unknown type":    answered("<value><float/></value>"),
		"text before a type":       answered("<value>x<int>1</int></value>"),
		"text after a type":        answered("<value><int>1</int>x</value>"),
		"two types":                answered("<value><int>1</int><int>2</int></value>"),
		"an element in a number":   answered("<value><int>1<b/></int></value>"),
		"text in a list":           answered("<value><array><data>x</data></array></value>"),
		"a list without data":      answered("<value><array></array></value>"),
		"a self-closed list":       answered("<value><array/></value>"),
		"a list of two data":       answered("<value><array><data></data><data></data></array></value>"),
		"a list of no values":      answered("<value><array><data><int>1</int></data></array></value>"),
		"a self-closed element":    answered("<value><array><data><value/><int>1</int></value></data></array></value>"),
		"text in a record":         answered("<value><struct>x</struct></value>"),
		"a nameless member":        answered("<value><struct><member><name></name><value><int>1</int></value></member></struct></value>"),
		"a member without value":   answered("<value><struct><member><name>a</name></member></struct></value>"),
		"a member of two values":   answered("<value><struct><member><name>a</name><value><int>1</int></value><value><int>1</int></value></member></struct></value>"),
		"a value before its name":  answered("<value><struct><member><value><int>1</int></value><name>a</name></member></struct></value>"),
		"a nil with text":          answered("<value><nil>x</nil></value>"),
		"two values":               answered("<value><int>1</int></value><value><int>1</int></value>"),
		"two params":               answered("<value><int>1</int></value></param><param><value><int>1</int></value>"),
		"params and a fault":       "<methodResponse><params><param><value><int>1</int></value></param></params><fault></fault></methodResponse>",
		"another frame":            "<methodResponse><params><x><value><int>1</int></value></x></params></methodResponse>",
		"a self-closed answer":     "<methodResponse/>",
		"self-closed params":       "<methodResponse><params/></methodResponse>",
		"a name space":             "<x:methodResponse></x:methodResponse>",
		"hard spaces after":        answered("<value><int>1</int></value>") + "\u00a0",
		"a time that is none":      answered("<value><dateTime.iso8601>yesterday</dateTime.iso8601></value>"),
		"a number that is too big": answered("<value><int>9223372036854775808</int></value>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(answer, 64)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, Unknown, e.Outcome)
			require.Equal(t, BadAnswer, e.Reason)
		})
	}
}

// nestedLists is an answer whose elements are nested 4+3n deep.
func nestedLists(n int) string {
	return answered(strings.Repeat("<value><array><data>", n) + "<value><int>1</int></value>" +
		strings.Repeat("</data></array></value>", n))
}

func TestDecodeAnswerBoundsDepth(t *testing.T) {
	t.Parallel()
	const lists = 10 // methodResponse, params, param, 30 of the lists, value, int
	_, err := decode(nestedLists(lists), 35)
	require.NoError(t, err)
	_, err = decode(nestedLists(lists), 34)
	require.ErrorContains(t, err, "nested more than 34 deep")
	_, err = decode(nestedLists(2_000_000), 64) // without the guard, the decoder's stack overflows and the process dies
	require.ErrorContains(t, err, "nested")
}

package odoo

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
)

// reference decodes an answer with the codec that writes our calls: a reader of its own, on encoding/xml.
func reference(document []byte) (any, error) {
	var value any
	err := xmlrpc.Response(document).Unmarshal(&value)
	return value, err
}

// requireSame compares what two readers made of a document. No NaN is equal to any other.
func requireSame(t testing.TB, want, got any, document string) {
	t.Helper()
	if !reflect.DeepEqual(want, got) && (!strings.Contains(strings.ToLower(document), "nan") || fmt.Sprintf("%#v", want) != fmt.Sprintf("%#v", got)) {
		t.Fatalf("%#v instead of %#v in %q", got, want, document)
	}
}

// author writes documents at random, in all the spellings that XML-RPC has for a value.
type author struct {
	rand *rand.Rand
	out  strings.Builder
}

func (a *author) oneOf(spellings ...string) string { return spellings[a.rand.IntN(len(spellings))] }

func (a *author) open(name string) {
	a.out.WriteString(a.oneOf("<", "\n<", " \t\r\n<") + name + a.oneOf(">", ">", " >", "\n>"))
}

func (a *author) close(name string) {
	a.out.WriteString(a.oneOf("", "", "\n", "  ") + "</" + name + a.oneOf(">", ">", " >"))
}

// scalar writes a text that must not gain white space.
func (a *author) scalar(name, text string) {
	a.open(name)
	a.out.WriteString(text + "</" + name + ">")
}

var alphabet = []rune("ab 09<>&\"'\n\t]é€😀\u00a0\ufffd")

// text writes characters in one of their spellings, and returns them.
func (a *author) text() (meant, spelled string) {
	var m, s strings.Builder
	for range a.rand.IntN(80) * a.rand.IntN(2) {
		c := alphabet[a.rand.IntN(len(alphabet))]
		m.WriteRune(c)
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "'", "&apos;").Replace(string(c))
		if c == '\n' {
			escaped = a.oneOf("\n", "\r\n")
		}
		s.WriteString(a.oneOf(escaped, escaped, fmt.Sprintf("&#%d;", c), fmt.Sprintf("&#x%X;", c), fmt.Sprintf("&#x0%x;", c)))
	}
	return m.String(), s.String()
}

// value writes a value and returns what it means to this package.
func (a *author) value(depth int) (meant any) {
	a.open("value")
	defer func() { a.close("value") }()
	kinds := 10
	if depth == 0 {
		kinds = 8
	}
	switch a.rand.IntN(kinds) {
	case 0:
		n := a.rand.Int64() >> a.rand.IntN(64)
		a.scalar(a.oneOf("int", "i4", "i8"), fmt.Sprintf(a.oneOf("%d", "%d", "%04d"), n))
		return n
	case 1:
		yes := a.rand.IntN(2)
		a.scalar("boolean", fmt.Sprint(yes))
		return yes == 1
	case 2:
		f := math.Float64frombits(a.rand.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = -0.5
		}
		a.scalar("double", fmt.Sprint(f))
		return f
	case 3:
		a.out.WriteString(a.oneOf("<nil/>", "<nil />", "<nil></nil>", " <nil/> "))
		return nil
	case 4:
		at := time.Unix(a.rand.Int64N(1<<32), 0).UTC()
		a.scalar("dateTime.iso8601", at.Format(a.oneOf("20060102T15:04:05", "2006-01-02T15:04:05Z07:00")))
		return at
	case 5, 6, 7:
		text, spelled := a.text()
		if text == "" {
			a.out.WriteString(a.oneOf("<string/>", "<string></string>", "<base64></base64>"))
			return nil
		}
		a.scalar("string", spelled)
		return text
	case 8:
		list := []any{}
		a.open("array")
		a.open("data")
		for range a.rand.IntN(5) {
			list = append(list, a.value(depth-1))
		}
		a.close("data")
		a.close("array")
		return list
	default:
		var members map[string]any
		a.open("struct")
		for i := range a.rand.IntN(20) {
			if members == nil {
				members = map[string]any{}
			}
			text, spelled := a.text()
			if text == "" || a.rand.IntN(2) == 0 {
				text = fmt.Sprintf("field_%d", i/2) // some twice: the last one counts
				spelled = text
			}
			a.open("member")
			a.scalar("name", spelled)
			members[text] = a.value(depth - 1)
			a.close("member")
		}
		a.close("struct")
		return members
	}
}

func TestReaderOnGeneratedValues(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		a := &author{rand: rand.New(rand.NewPCG(seed, 1))}
		a.out.WriteString(a.oneOf("", "<?xml version='1.0'?>\n", "\n<?xml version=\"1.0\" encoding='UTF-8' standalone=\"yes\" ?>"))
		a.open("methodResponse")
		a.open("params")
		a.open("param")
		meant := a.value(4)
		a.close("param")
		a.close("params")
		a.close("methodResponse")
		document := a.out.String() + a.oneOf("", "\n")

		got, err := decode(document, 64)
		require.NoError(t, err, "seed %d: %q", seed, document)
		requireSame(t, meant, got, document)
		want, err := reference([]byte(document))
		require.NoError(t, err, "seed %d: %q", seed, document)
		requireSame(t, want, got, document)
	}
}

// FuzzReader holds the reader to the reference: what it accepts, the reference accepts too, and reads the same, but for
// characters that XML does not know. The reference accepts more, of which TestDecodeAnswerRefuses has the kinds: what it skips, cuts, or guesses. However an answer comes, in
// one piece or byte by byte, it is read the same, and no more memory is held than it is long.
func FuzzReader(f *testing.F) {
	for _, value := range []string{
		"<value><struct><member><name>a</name><value><string>x &amp; y</string></value></member></struct></value>",
		"<value><array><data><value><double>1e5</double></value><value><nil/></value></data></array></value>",
		"<value><struct><member><name></name></member></struct></value>",
		"<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>",
		"<value><string>&#x41;&#10;\r\n\r]]&gt;&#xD800;é\xff</string></value>",
		"<value><base64>aGk=\n</base64></value>", "<value><i8>-9223372036854775808</i8></value>",
		"<value><string/></value>", "<value><struct/></value>", "<value><array><data/></array></value>",
		"<value><boolean>1</boolean></value>", "<value>text</value>", "<value><string><![CDATA[x]]></string></value>",
		"<value><string>a\x0bb\ufffe</string></value>", "<value><string>a<!-- -->b</string></value>", "<value type='x'><int>1</int></value>",
	} {
		f.Add([]byte(answered(value)))
	}
	f.Add([]byte("<methodResponse><fault><value><struct></struct></value></fault></methodResponse>"))
	f.Add([]byte("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member></struct></value></fault></methodResponse>"))
	f.Add([]byte("<!DOCTYPE x [<!ENTITY a 'b'>]><methodResponse>&a;</methodResponse>"))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><methodResponse/>"))
	f.Add([]byte(nestedLists(3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxDepth = 12
		r := newXMLReader(bytes.NewReader(data), math.MaxInt64, maxDepth)
		got, _, err := r.methodResponse()
		held := []int{len(r.window), cap(r.values.elements), cap(r.values.members)}
		for i, kept := range []int{windowSize, maxKept, maxKept} {
			require.LessOrEqual(t, held[i], max(kept, 2*len(data)), "for an answer of %d bytes", len(data))
		}
		r.release()

		r = newXMLReader(iotest.OneByteReader(bytes.NewReader(data)), int64(len(data)), maxDepth)
		bytewise, _, bytewiseErr := r.methodResponse()
		r.release()
		require.Equal(t, err == nil, bytewiseErr == nil, "%v, and byte by byte: %v", err, bytewiseErr)
		if err != nil {
			return
		}
		requireSame(t, got, bytewise, string(data))
		if bytes.ContainsFunc(data, func(c rune) bool { return !isXMLChar(c) }) {
			return // the reference refuses these
		}
		want, err := reference(data)
		require.NoError(t, err)
		requireSame(t, want, got, string(data))
	})
}

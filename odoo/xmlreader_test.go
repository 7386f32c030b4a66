package odoo

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	for spelled, want := range map[string]string{
		"&lt;&gt;&amp;&quot;&apos;":         `<>&"'`,
		"&amp;lt;":                          "&lt;",
		"&#65;&#x42;&#x000043;&#x1F600;":    "ABC😀",
		"&#9;&#10;&#13;":                    "\t\n\r",
		"a\r\nb\rc\r\r\nd\n\r":              "a\nb\nc\n\nd\n\n",
		"]] > ]&gt; ]]&gt; &#93;]> ]]x> >]": "]] > ]> ]]> ]]> ]]x> >]",
		"é\u00a0\ufffd\U0010ffff\x7f":       "é\u00a0\ufffd\U0010ffff\x7f",
		" \t\n ":                            " \t\n ",
	} {
		got, err := decode(answered("<value><string>"+spelled+"</string></value>"), 64)
		require.NoError(t, err, "%q", spelled)
		require.Equal(t, want, got)
		want, err := reference([]byte(answered("<value><string>" + spelled + "</string></value>")))
		require.NoError(t, err, "%q", spelled)
		require.Equal(t, want, got)
	}
	for _, spelled := range []string{
		"&", "&;", "&lt", "&LT;", "& lt;", "&nbsp;", "&#;", "&#x;", "&#X41;", "&#65", "&#6a;", "&#-5;", "&#x110000;", "&#99999999999999999999;", "&#4294967361;",
		"&#0;", "&#8;", "&#xD800;", "&#xFFFE;", "&#xB;", "]]>", "]]]>", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf",
	} {
		_, err := decode(answered("<value><string>a"+spelled+"</string></value>"), 64)
		require.Error(t, err, "%q", spelled)
	}
}

// TestCharactersThatXMLDoesNotKnow: the reference refuses them, but Odoo 14 writes them.
func TestCharactersThatXMLDoesNotKnow(t *testing.T) {
	t.Parallel()
	for spelled, want := range map[string]any{
		"a\x0bb\x01\x1f\x00c": "abc",
		"\ufffea\uffff":       "a",
		"é\x0b&lt;\x0c\r\n":   "é<\n",
		"\x0b":                nil,
	} {
		document := answered("<value><string>" + spelled + "</string></value>")
		got, err := decode(document, 64)
		require.NoError(t, err, "%q", spelled)
		require.Equal(t, want, got)
		_, err = reference([]byte(document))
		require.Error(t, err)
	}
	_, err := decode("\x0b"+answered("<value><int>1</int></value>"), 64)
	require.True(t, isReason(err, BadAnswer), "outside of texts")
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	const document = "<methodResponse><params><param><value><string>é</string></value></param></params></methodResponse>"
	for _, fine := range []string{
		"", " \n", "<?xml version='1.0'?>", `<?xml version="1.0" encoding="utf-8"?>`, "\n<?xml\tversion = '1.0' encoding='UTF-8' standalone='no' ?>\n", "<?xml ?>",
	} {
		got, err := decode(fine+document, 64)
		require.NoError(t, err, "%q", fine)
		require.Equal(t, "é", got)
	}
	for _, refused := range []string{
		"<?xml version='1.0' encoding='iso-8859-1'?>", "<?xml version='1.0' encoding='us-ascii'?>", "<?xml version='1.1'?>", "<?xml version?>",
		"<?xml version=1.0?>", "<?xml version='1.0?>", "<?xml version='1.0' colour='red'?>", "<?xml", "<?xml version='1.0'", "<?xml-stylesheet href='x'?>",
		"<?xml version='1.0'?><?xml version='1.0'?>", "<?xml version='1.0'" + strings.Repeat(" ", maxTagBytes) + "?>", "<!DOCTYPE methodResponse>", "\ufeff",
	} {
		_, err := decode(refused+document, 64)
		require.True(t, isReason(err, BadAnswer), "%q: %v", refused, err)
	}
}

// TestReadingInPieces: where a body is cut into reads makes no difference, also for texts longer than the window.
func TestReadingInPieces(t *testing.T) {
	t.Parallel()
	const piece = "é&amp;\r\n&#x1F600;]]&gt;"
	long := strings.Repeat(piece, 3*windowSize/len(piece))
	documents := map[string]any{
		answered("<value><array><data><value><string>" + long + "</string></value><value><int>1</int></value></data></array></value>"): []any{
			strings.NewReplacer("&amp;", "&", "\r\n", "\n", "&#x1F600;", "😀", "&gt;", ">").Replace(long), int64(1)},
	}
	page := string(recorded(t, "testdata/answers/19_web_read.xml.gz"))
	want, err := reference([]byte(page))
	require.NoError(t, err)
	documents[page] = want
	for document, want := range documents {
		for name, pieces := range map[string]func(io.Reader) io.Reader{
			"whole":         func(r io.Reader) io.Reader { return r },
			"bytes":         iotest.OneByteReader,
			"halves":        iotest.HalfReader,
			"end with data": iotest.DataErrReader,
			"4 KiB":         func(r io.Reader) io.Reader { return upTo{r, 4 << 10} },
		} {
			got, err := decodeAnswer(pieces(strings.NewReader(document)), int64(len(document)), 64)
			require.NoError(t, err, name)
			require.True(t, reflect.DeepEqual(want, got), name)
		}
	}
}

// upTo reads so many bytes at once at most, as from a connection.
type upTo struct {
	r io.Reader
	n int
}

func (u upTo) Read(p []byte) (int, error) { return u.r.Read(p[:min(len(p), u.n)]) }

// TestCutAnywhere: no part of an answer is taken for one. An end is a bad answer, an error of the body is told as such.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	document := strings.TrimSpace(answered("<value><struct><member><name>a</name><value><array><data><value><nil/></value></data></array></value></member>" +
		"<member><name>b &amp; c</name><value><string>x &lt; y</string></value></member></struct></value>"))
	_, err := decode(document, 64)
	require.NoError(t, err)
	broken := errors.New("connection reset")
	for n := range len(document) + 1 {
		if n < len(document) {
			_, err := decode(document[:n], 64)
			require.True(t, isReason(err, BadAnswer), "%q: %v", document[:n], err)
		}
		_, err = decodeAnswer(io.MultiReader(strings.NewReader(document[:n]), iotest.ErrReader(broken)), 1<<20, 64)
		var body *brokenBody
		require.ErrorAs(t, err, &body, "after %q", document[:n])
		require.ErrorIs(t, err, broken)
		require.False(t, isReason(err, BadAnswer))
	}
	_, err = decodeAnswer(stuck{}, 1<<20, 64)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// endless repeats a text after a head for ever, and counts what was taken of it.
type endless struct {
	head, text string
	taken      int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	if n == 0 {
		n = copy(p, e.text)
	}
	e.taken += int64(n)
	return n, nil
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	document := answered("<value><int>1</int></value>")
	size := int64(len(document))
	_, err := decodeAnswer(strings.NewReader(document), size, 64)
	require.NoError(t, err, "as large as the limit")
	_, err = decodeAnswer(strings.NewReader(document), size-1, 64)
	require.ErrorIs(t, err, errAnswerTooLarge)
	require.ErrorContains(t, err, fmt.Sprintf("larger than %d bytes", size-1))
	require.True(t, isReason(err, BadAnswer))

	for name, body := range map[string]*endless{
		"white space before": {"", strings.Repeat(" ", 100), 0},
		"white space after":  {document, strings.Repeat("\n", 100), 0},
		"a text":             {answerHead + "<value><string>", strings.Repeat("x", 100), 0},
		"a name":             {answerHead + "<value><struct><member><name>", strings.Repeat("x", 100), 0},
		"a list":             {answerHead + "<value><array><data>", "<value><int>1</int></value>", 0},
		"a record":           {answerHead + "<value><struct>", "<member><name>x</name><value><int>1</int></value></member>", 0},
	} {
		_, err := decodeAnswer(body, 100_000, 64)
		require.ErrorIs(t, err, errAnswerTooLarge, name)
		require.EqualValues(t, 100_001, body.taken, name)
	}
	for name, body := range map[string]*endless{
		"a tag's name":         {"<", strings.Repeat("x", 100), 0},
		"white space in a tag": {"<methodResponse", strings.Repeat(" ", 100), 0},
		"a declaration":        {"<?xml ", strings.Repeat("x", 100), 0},
	} {
		_, err := decodeAnswer(body, 1<<40, 64)
		require.True(t, isReason(err, BadAnswer), name)
		require.LessOrEqual(t, body.taken, int64(windowSize), name)
	}
}

// TestMemoryOfHostileAnswers: an answer costs a bounded multiple of its length, whatever it consists of.
func TestMemoryOfHostileAnswers(t *testing.T) {
	const small = "<value><struct><member><name>a</name><value><nil/></value></member></struct></value>"
	large := strings.Builder{}
	large.WriteString("<value><struct>")
	for i := range 5000 {
		fmt.Fprintf(&large, "<member><name>%d</name><value><nil/></value></member>", i)
	}
	large.WriteString("</struct></value>")
	list := func(elements string) string {
		return answered("<value><array><data>" + elements + "</data></array></value>")
	}
	for name, document := range map[string]string{
		"small records after a large one": list(large.String() + strings.Repeat(small, 10_000)),
		"records large and small":         list(strings.Repeat(large.String()+small, 10)),
		"empty lists":                     list(strings.Repeat("<value><array><data/></array></value>", 30_000)),
		"nothing":                         list(strings.Repeat("<value><nil/></value>", 50_000)),
		"numbers":                         list(strings.Repeat("<value><int>1234</int></value><value><int>4321</int></value>", 20_000)),
		"one text":                        answered("<value><string>" + strings.Repeat("&lt;x", 200_000) + "</string></value>"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(document, 64)
		runtime.ReadMemStats(&after)
		require.NoError(t, err, name)
		require.Less(t, float64(after.TotalAlloc-before.TotalAlloc)/float64(len(document)), 10., "bytes for each byte of %s", name)
	}
}

// TestReadersForget: a reader that waits for its next answer holds nothing of the last one, however that ended.
func TestReadersForget(t *testing.T) {
	t.Parallel()
	long := answered("<value><string>" + strings.Repeat("x", 2*windowSize) + "</string></value>")
	whole := answered("<value><array><data><value><struct><member><name>field</name><value><string>secret</string></value></member></struct></value></data></array></value>")
	for _, document := range []string{whole, whole[:len(whole)-60], long} {
		r := newXMLReader(strings.NewReader(document), 1<<20, 64)
		_, _, _ = r.methodResponse()
		r.release()
		require.Nil(t, r.source)
		require.Equal(t, make([]byte, windowSize), r.window)
		require.Zero(t, r.values.names)
		require.Zero(t, r.values.scalars)
		for _, v := range r.values.elements[:cap(r.values.elements)] {
			require.Nil(t, v)
		}
	}
}

// TestSharedDoubles: a place of the table holds the one of many spellings, and 0 is not -0.
func TestSharedDoubles(t *testing.T) {
	t.Parallel()
	var values valueReader
	for n := range 3 * len(values.scalars) {
		for _, sign := range []string{"", "-"} {
			v, err := values.double([]byte(sign + "0." + strings.Repeat("0", n)))
			require.NoError(t, err)
			require.Equal(t, sign == "-", math.Signbit(v.(float64)))
		}
	}
}

// TestWhatIsWrong: a refusal says what was there and what should have been.
func TestWhatIsWrong(t *testing.T) {
	t.Parallel()
	for document, message := range map[string]string{
		"":                           "ends after 0 bytes",
		"hello":                      `text where a tag should be: "hello"`,
		"<html><body></body></html>": "<html> instead of <methodResponse>",
		"<methodResponse><html></html></methodResponse>":       "<html> instead of params or a fault",
		"<methodResponse><params><html></html></params>":       "<html> instead of <param>",
		answered("<value>text</value>"):                        "a value without a type",
		answered("<value><int>1</value></int>"):                "</value> instead of </int>",
		answered("<value><float>1</float></value>"):            `unknown type "float"`,
		answered("<value type='x'></value>"):                   `markup that XML-RPC does not use: "<value type`,
		answered("<value><string>&nbsp;</string></value>"):     `a reference that XML-RPC does not use: "&nbsp;`,
		answered("<value><int>1</int></value>") + "<!-- x -->": `more after the answer: "<!-- x -->"`,
	} {
		_, err := decode(document, 64)
		require.ErrorContains(t, err, message)
	}
}

// TestReadingSideBySide: readers out of the pool do not share what they return.
func TestReadingSideBySide(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				v, err := decode(answered(fmt.Sprintf("<value><array><data><value><string>%d-%d</string></value><value><int>%d</int></value></data></array></value>", i, j, 1000+i)), 64)
				if err != nil || !reflect.DeepEqual(v, []any{fmt.Sprintf("%d-%d", i, j), int64(1000 + i)}) {
					t.Errorf("%v, %v", v, err)
				}
			}
		})
	}
	group.Wait()
}

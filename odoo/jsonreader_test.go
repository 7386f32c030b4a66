package odoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// jsonReference decodes JSON with the standard library, and makes of it what decodeJSON is to make.
func jsonReference(document []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more after the value")
	}
	return meantBy(v), nil
}

func meantBy(v any) any {
	switch v := v.(type) {
	case string:
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(v)
		text = strings.Map(func(c rune) rune {
			if c < 0x20 && c != '\t' && c != '\n' || c == 0xfffe || c == 0xffff {
				return -1
			}
			return c
		}, text)
		if text == "" {
			return nil
		}
		return text
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // the tests have none that is too large
		return f
	case []any:
		list := []any{}
		for _, element := range v {
			list = append(list, meantBy(element))
		}
		return list
	case map[string]any:
		var members map[string]any
		for name, member := range v {
			if members == nil {
				members = map[string]any{}
			}
			name, _ := meantBy(name).(string)
			members[name] = meantBy(member)
		}
		return members
	}
	return v
}

func readJSON(document string) (any, error) {
	return decodeJSON(strings.NewReader(document), math.MaxInt64, 64)
}

func TestJSONValues(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`null`, `true`, ` false `, `0`, `-0`, `17`, `9223372036854775807`, `-9223372036854775808`, `12.0`, `-0.0`, `0.1`, `1e3`, `1E+3`, `2.5e-3`,
		`""`, `"a"`, `[]`, `{}`, `[ ]`, "{\n}", `[1,2.0,"x",[],{}]`, `[[["deep"]]]`, `{"a":1,"a":2}`, `{"":1}`, "\t[\r\n1 , 2 ]\n",
		`{"ids": [27], "messages": [], "nextrow": 0}`, `"\" \\ \/ \b \f \n \r \t é € \ud83d\ude00"`, `"\u00E9\u20ac\ud83d\ude00\u0041"`,
		`"é€😀"`, `"a\r\nb\rc\n\rd\r\r\n"`, `"\u000b\u0000a\u001f"`, `"\ufffe"`, `"\ufffd"`, `"` + "\u007f\u0080\ufffe" + `x"`, `"\\"`, `"\\\\\""`,
		`[{"id": 1, "n": "S1"}, {"id": 2, "n": "S1", "more": false}]`,
	} {
		want, err := jsonReference([]byte(document))
		require.NoError(t, err, document)
		got, err := readJSON(document)
		require.NoError(t, err, document)
		require.Equal(t, want, got, document)
		require.Equal(t, fmt.Sprintf("%T", want), fmt.Sprintf("%T", got), document)
	}
}

func TestWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		``, ` `, `nul`, `nulL`, `tru`, `True`, `+1`, `01`, `-`, `-a`, `1.`, `.5`, `1e`, `1e+`, `1.5.2`, `0x1`, `1-2`, `NaN`, `Infinity`, `-Infinity`,
		`9223372036854775808`, `1e999`, `"`, `"a`, `"a\`, `"a\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ude00"`, `"\ude00\ud83d"`, `"\ude00\udc00"`,
		"\"\n\"", "\"\x00\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", `'a'`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1;2]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`,
		`{"a":1,}`, `{a:1}`, `{1:1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{,}`, `]`, `}`, `1 2`, `{} {}`, `[] x`, `// 1`, `1 /* */`, "\ufeff1", `<html>`,
	} {
		_, err := readJSON(document)
		require.Error(t, err, "%q", document)
		var broken *brokenBody
		require.NotErrorAs(t, err, &broken, "%q", document)
	}
}

// jsonAuthor writes values at random, in all the spellings that JSON has for them.
type jsonAuthor struct {
	rand *rand.Rand
	out  strings.Builder
}

func (a *jsonAuthor) oneOf(spellings ...string) string { return spellings[a.rand.IntN(len(spellings))] }

func (a *jsonAuthor) space() { a.out.WriteString(a.oneOf("", "", " ", "\n\t", "\r\n ")) }

func (a *jsonAuthor) text(beginning string) {
	a.out.WriteString(`"` + beginning)
	for range a.rand.IntN(60) * a.rand.IntN(2) {
		c := append(alphabet, '\r', '\v', '\\', '/', 0xfffe)[a.rand.IntN(len(alphabet)+5)]
		escaped := fmt.Sprintf(`\u%04x`, c)
		if c > 0xffff {
			escaped = fmt.Sprintf(`\u%04x\u%04X`, 0xd800+(c-0x10000)>>10, 0xdc00+(c-0x10000)&0x3ff)
		}
		if c < 0x20 || c == '"' || c == '\\' {
			a.out.WriteString(escaped)
			continue
		}
		a.out.WriteString(a.oneOf(string(c), string(c), escaped))
	}
	a.out.WriteByte('"')
}

func (a *jsonAuthor) value(depth int) {
	a.space()
	defer a.space()
	kinds := 9
	if depth == 0 {
		kinds = 7
	}
	switch a.rand.IntN(kinds) {
	case 0:
		a.out.WriteString(a.oneOf("null", "true", "false"))
	case 1, 2:
		fmt.Fprint(&a.out, int64(a.rand.Uint64())>>a.rand.IntN(64))
	case 3:
		fmt.Fprintf(&a.out, a.oneOf("%.1f", "%.6f", "%e", "%E"), a.rand.NormFloat64()*1e6)
	case 4, 5, 6:
		a.text("")
	case 7:
		a.out.WriteByte('[')
		for i := range a.rand.IntN(6) {
			if i > 0 {
				a.out.WriteByte(',')
			}
			a.value(depth - 1)
		}
		a.space()
		a.out.WriteByte(']')
	case 8:
		a.out.WriteByte('{')
		for i := range a.rand.IntN(6) {
			if i > 0 {
				a.out.WriteByte(',')
			}
			a.space()
			a.text(fmt.Sprint(i)) // no two names are the same but for characters that are left out
			a.space()
			a.out.WriteByte(':')
			a.value(depth - 1)
		}
		a.space()
		a.out.WriteByte('}')
	}
}

func TestGeneratedJSON(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		a := &jsonAuthor{rand: rand.New(rand.NewPCG(seed, 0))}
		a.value(6)
		document := a.out.String()
		want, err := jsonReference([]byte(document))
		require.NoError(t, err, "%d: %q", seed, document)
		got, err := readJSON(document)
		require.NoError(t, err, "%d: %q", seed, document)
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%d: %#v instead of %#v in %q", seed, got, want, document)
		}
		cut := document[:a.rand.IntN(len(document)+1)]
		if _, err := jsonReference([]byte(cut)); err != nil {
			_, err = readJSON(cut)
			require.Error(t, err, "%d: %q", seed, cut)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, document := range []string{`{"a": [1, 2.5, "x\n", null, true]}`, `"\ud83d\ude00"`, `[[[]]]`, `-0.0e1`} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got, err := readJSON(document)
		if err != nil {
			return // the reader may be stricter: about UTF-8, halves of characters, the size of numbers
		}
		want, err := jsonReference([]byte(document))
		require.NoError(t, err, "%q", document)
		requireSame(t, want, got, document)
	})
}

// TestReadingJSONInPieces: where a body is cut into reads makes no difference, also for texts longer than the window.
func TestReadingJSONInPieces(t *testing.T) {
	t.Parallel()
	long := `["` + strings.Repeat(`é\"\\\r\n😀\ud83d\ude00x`, windowSize/8) + `", 12345, -1.5, true, {"name": "` + strings.Repeat("plain ", windowSize) + `"}, null]`
	want, err := jsonReference([]byte(long))
	require.NoError(t, err)
	for name, pieces := range map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"bytes":         iotest.OneByteReader,
		"halves":        iotest.HalfReader,
		"end with data": iotest.DataErrReader,
		"4 KiB":         func(r io.Reader) io.Reader { return upTo{r, 4 << 10} },
	} {
		got, err := decodeJSON(pieces(strings.NewReader(long)), int64(len(long)), 64)
		require.NoError(t, err, name)
		require.True(t, reflect.DeepEqual(want, got), name)
	}
}

func TestLimitsOfJSON(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string { return strings.Repeat(`{"a":[`, depth/2) + strings.Repeat("]}", depth/2) }
	_, err := readJSON(nested(64))
	require.NoError(t, err)
	_, err = readJSON(nested(66))
	require.ErrorContains(t, err, "nested more than 64 deep")
	_, err = readJSON("[" + strings.Repeat(nested(62)+",", 3) + "1]")
	require.NoError(t, err, "one beside the other is not one in the other")

	const document = `["abc"]`
	_, err = decodeJSON(strings.NewReader(document), int64(len(document)), 64)
	require.NoError(t, err)
	for _, longer := range []string{document + " ", `["abcd"]`} {
		_, err = decodeJSON(strings.NewReader(longer), int64(len(document)), 64)
		require.ErrorIs(t, err, errAnswerTooLarge, longer)
	}
}

func TestBrokenJSON(t *testing.T) {
	t.Parallel()
	const document = `{"ids": [1, 2.5, "a\u00e9"], "more": null} `
	for at := range len(document) {
		_, err := decodeJSON(io.MultiReader(strings.NewReader(document[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)), math.MaxInt64, 64)
		var broken *brokenBody
		require.ErrorAs(t, err, &broken, "after %d bytes", at)
		require.ErrorIs(t, broken, io.ErrUnexpectedEOF)
	}
}

// TestJSONReadersShareNothing: nothing of one answer may turn up in another, nor change what was read before.
func TestJSONReadersShareNothing(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			document := fmt.Sprintf(`[{"name": "worker %d", "n": %[1]d, "e": "\u00e9%[1]d"}, {"name": "worker %[1]d"}]`, worker)
			want := []any{map[string]any{"name": fmt.Sprintf("worker %d", worker), "n": int64(worker), "e": fmt.Sprintf("é%d", worker)},
				map[string]any{"name": fmt.Sprintf("worker %d", worker)}}
			var kept []any
			for range 200 {
				got, err := readJSON(document)
				if err != nil {
					t.Error(err)
					return
				}
				kept = append(kept, got)
			}
			for _, got := range kept {
				if !reflect.DeepEqual(want, got) {
					t.Errorf("%v instead of %v", got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

package odoo

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTextFromHTML(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                                   "",
		"<p></p>":                            "",
		"<p>one</p>":                         "one",
		"<p>one</p><p>two</p>":               "one\ntwo",
		"<p>one<br>two<br/>three</p>":        "one\ntwo\nthree",
		"<div>one<div>two</div></div>":       "one\ntwo",
		"<ul><li>one</li><li>two</li></ul>":  "one\ntwo",
		"<p><b>bo</b>ld &amp; &lt;b&gt;</p>": "bold & <b>",
		"<p>a&nbsp;b</p>":                    "a\u00a0b",
		"<p><!-- hidden -->shown</p>":        "shown",
		"bare":                               "bare",
		"<p>not closed":                      "not closed",
	} {
		require.Equal(t, want, textFromHTML(source), source)
	}
}

// sanitized does what Odoo's sanitizer was seen to do to a note of ours.
var sanitized = strings.NewReplacer("<br/>", "<br>", "\u00a0", "&nbsp;")

func FuzzNoteRoundTrip(f *testing.F) {
	for _, text := range []string{"", " ", "\n", "\n\n a \n\n", "<p>x</p>", "&amp;<br/>&nbsp;\u00a0", "a\tb", "]]>", "&#10;&lt", "<script>", "😀"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r") {
			return // cannot be sent
		}
		require.Equal(t, text, textFromHTML(sanitized.Replace(htmlFromText(text))))
	})
}

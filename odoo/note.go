package odoo

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlFromText writes plain text as HTML that Odoo's sanitizer leaves as it is: in a paragraph of its own, because the
// sanitizer would wrap bare text and drop the white space at its beginning.
func htmlFromText(text string) string {
	if text == "" {
		return ""
	}
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br/>").Replace(text)
	return "<p>" + escaped + "</p>"
}

// textFromHTML reads HTML as plain text: the exact text for what htmlFromText wrote, and the words in their lines for
// what people wrote in Odoo's editor.
func textFromHTML(source string) string {
	var text strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		switch tokens.Next() {
		case html.ErrorToken: // the end: a tokenizer over a string meets no other error
			return text.String()
		case html.TextToken:
			text.Write(tokens.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := tokens.TagName()
			switch atom.Lookup(name) {
			case atom.Br:
				text.WriteByte('\n')
			case atom.P, atom.Div, atom.Li, atom.Tr, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Blockquote:
				if text.Len() > 0 && !strings.HasSuffix(text.String(), "\n") {
					text.WriteByte('\n')
				}
			}
		}
	}
}

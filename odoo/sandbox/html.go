package sandbox

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// sanitizeHTML does to a text what an HTML field does on newer versions: what could run is dropped, tags are
// normalised, and a text without block elements is wrapped in a paragraph.
func sanitizeHTML(s string) string {
	parent := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(s), parent)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, n := range nodes {
		renderSafe(&b, n)
	}
	if slices.ContainsFunc(nodes, isBlock) {
		return b.String()
	}
	return "<p>" + b.String() + "</p>"
}

var (
	dangerous = []atom.Atom{atom.Script, atom.Style, atom.Iframe, atom.Object, atom.Embed, atom.Link, atom.Meta, atom.Base}
	blocks    = []atom.Atom{atom.P, atom.Div, atom.Ul, atom.Ol, atom.Table, atom.Pre, atom.Blockquote, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}
	voids    = []atom.Atom{atom.Br, atom.Hr, atom.Img}
	harmless = []string{"href", "title", "alt", "src", "class"}
	escaper  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\u00a0", "&nbsp;")
)

func isBlock(n *html.Node) bool {
	return n.Type == html.ElementNode && slices.Contains(blocks, n.DataAtom)
}

func renderSafe(b *strings.Builder, n *html.Node) {
	if n.Type == html.TextNode {
		b.WriteString(escaper.Replace(n.Data))
		return
	}
	if n.Type != html.ElementNode || slices.Contains(dangerous, n.DataAtom) {
		return
	}
	b.WriteString("<" + n.Data)
	for _, a := range n.Attr {
		unsafe := strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:")
		if slices.Contains(harmless, a.Key) && !unsafe {
			b.WriteString(" " + a.Key + `="` + strings.ReplaceAll(escaper.Replace(a.Val), `"`, "&quot;") + `"`)
		}
	}
	b.WriteString(">")
	if slices.Contains(voids, n.DataAtom) {
		return
	}
	for c := range n.ChildNodes() {
		renderSafe(b, c)
	}
	b.WriteString("</" + n.Data + ">")
}

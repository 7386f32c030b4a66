package gateway

import (
	"html/template"
	"regexp"
	"strings"
)

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	boldSpan = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// prose renders the little of Markdown that the contract uses: paragraphs, lists, `code` and **bold**.
func prose(text string) template.HTML {
	var html strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		block = strings.TrimSpace(block)
		switch {
		case block == "":
		case strings.HasPrefix(block, "- "):
			html.WriteString("<ul>")
			for item := range strings.SplitSeq(block[len("- "):], "\n- ") {
				html.WriteString("<li>" + string(inline(item)) + "</li>")
			}
			html.WriteString("</ul>")
		default:
			html.WriteString("<p>" + string(inline(block)) + "</p>")
		}
	}
	return template.HTML(html.String())
}

// inline renders `code` and **bold** within a line.
func inline(text string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	escaped = codeSpan.ReplaceAllString(escaped, "<code>$1</code>")
	return template.HTML(boldSpan.ReplaceAllString(escaped, "<strong>$1</strong>"))
}

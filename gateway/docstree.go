package gateway

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// node is a place in a YAML document whose maps have kept their order. What is not there is a node without a value.
type node struct{ value any }

// member is an entry of a map.
type member struct {
	key string
	node
}

func (n node) members() []member {
	entries, _ := n.value.(yaml.MapSlice)
	members := make([]member, len(entries))
	for i, entry := range entries {
		members[i] = member{fmt.Sprint(entry.Key), node{entry.Value}}
	}
	return members
}

func (n node) find(key string) (node, bool) {
	for _, m := range n.members() {
		if m.key == key {
			return m.node, true
		}
	}
	return node{}, false
}

func (n node) get(keys ...string) node {
	for _, key := range keys {
		n, _ = n.find(key)
	}
	return n
}

func (n node) items() []node {
	values, _ := n.value.([]any)
	items := make([]node, len(values))
	for i, value := range values {
		items[i] = node{value}
	}
	return items
}

func (n node) text() string {
	if n.value == nil {
		return ""
	}
	return fmt.Sprint(n.value)
}

// json writes an example as the JSON that goes over the wire, its members in the order of the document.
func (n node) json() string {
	if n.value == nil {
		return ""
	}
	var text strings.Builder
	n.writeJSON(&text, "")
	return text.String()
}

func (n node) writeJSON(text *strings.Builder, indent string) {
	deeper := indent + "  "
	switch value := n.value.(type) {
	case yaml.MapSlice:
		text.WriteByte('{')
		for i, m := range n.members() {
			if i > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(text, "\n%s%s: ", deeper, quoted(m.key))
			m.writeJSON(text, deeper)
		}
		text.WriteString("\n" + indent + "}")
	case []any:
		text.WriteByte('[')
		for i, item := range n.items() {
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteString("\n" + deeper)
			item.writeJSON(text, deeper)
		}
		text.WriteString("\n" + indent + "]")
	default:
		text.WriteString(quoted(value))
	}
}

func quoted(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("gateway: a scalar of YAML always marshals: " + err.Error())
	}
	return strings.TrimSuffix(text.String(), "\n")
}

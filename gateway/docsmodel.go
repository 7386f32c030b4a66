package gateway

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/goccy/go-yaml"
)

// The page is made from the YAML itself and not from kin-openapi's model of it, which forgets in what order things were
// written: a reader wants the id of an order before its amounts.

type docsContract struct {
	Title, Version, Build string
	CSS                   template.CSS
	Intro, Credentials    string
	Groups                []docsGroup
	Answers               []docsAnswer // the problems that operations share
	Codes                 []docsCode
	Schemas               []docsSchema
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Roles                                  []string
	Open                                   bool // needs no key
	Parameters                             []docsField
	Body                                   docsType
	BodyExample                            string
	Answers                                []docsAnswer
}

type docsAnswer struct {
	Status, Name, Description string
	Shared                    bool // explained once for all operations, under Name
	Type                      docsType
	Headers                   []docsField
	Example                   string
}

type docsField struct {
	Name, In, Description string
	Required              bool
	Type                  docsType
}

// docsType is how a type is shown: a text, perhaps with a link to the schema that it names.
type docsType struct {
	Before, Schema, After string
}

type docsSchema struct {
	Name, Description string
	Type              docsType
	Fields            []docsField
}

type docsCode struct {
	Code, Status, Title, Remedy string
}

func readDocsContract(document []byte) (*docsContract, error) {
	var tree yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(document, &tree, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("gateway: reading the contract for /docs: %w", err)
	}
	root := node{tree}
	reader := docsReader{root}
	contract := &docsContract{
		Title: root.get("info", "title").text(), Version: root.get("info", "version").text(),
		Intro:       root.get("info", "description").text(),
		Credentials: root.get("components", "securitySchemes", "apiKey", "description").text(),
	}
	for _, tag := range root.get("tags").items() {
		contract.Groups = append(contract.Groups, reader.group(tag))
	}
	for _, response := range root.get("components", "responses").members() {
		if problemStatus(response.node) == "" {
			continue // it is shown where it is given
		}
		answer := reader.answer("", response.node)
		answer.Name, answer.Status = response.key, problemStatus(response.node)
		contract.Answers = append(contract.Answers, answer)
	}
	for _, code := range root.get("x-problem-codes").items() {
		contract.Codes = append(contract.Codes, docsCode{
			Code: code.get("code").text(), Status: code.get("status").text(),
			Title: code.get("title").text(), Remedy: code.get("remedy").text(),
		})
	}
	for _, schema := range root.get("components", "schemas").members() {
		contract.Schemas = append(contract.Schemas, reader.schema(schema.key, schema.node))
	}
	return contract, nil
}

// problemStatus is the status that a shared problem is given with; only its example says. Empty for what is no problem.
func problemStatus(response node) string {
	return response.get("content", "application/problem+json", "example", "status").text()
}

type docsReader struct{ root node }

func (r docsReader) group(tag node) docsGroup {
	group := docsGroup{Name: tag.get("name").text(), Description: tag.get("description").text()}
	for _, path := range r.root.get("paths").members() {
		for _, method := range path.members() {
			if first := method.get("tags").items(); len(first) > 0 && first[0].text() == group.Name {
				group.Operations = append(group.Operations, r.operation(path.key, method.key, method.node))
			}
		}
	}
	return group
}

func (r docsReader) operation(path, method string, op node) docsOperation {
	_, overridden := op.find("security")
	operation := docsOperation{
		ID: op.get("operationId").text(), Method: strings.ToUpper(method), Path: path,
		Summary: op.get("summary").text(), Description: op.get("description").text(), Open: overridden,
	}
	for _, role := range op.get("x-roles").items() {
		operation.Roles = append(operation.Roles, role.text())
	}
	for _, parameter := range op.get("parameters").items() {
		operation.Parameters = append(operation.Parameters, r.parameter(parameter))
	}
	if body := op.get("requestBody", "content", "application/json"); body.value != nil {
		operation.Body = r.typeOf(body.get("schema"))
		operation.BodyExample = body.get("example").json()
	}
	for _, response := range op.get("responses").members() {
		operation.Answers = append(operation.Answers, r.answer(response.key, response.node))
	}
	return operation
}

func (r docsReader) parameter(p node) docsField {
	_, p = r.resolve(p)
	return docsField{
		Name: p.get("name").text(), In: p.get("in").text(), Description: p.get("description").text(),
		Required: p.get("required").text() == "true", Type: r.typeOf(p.get("schema")),
	}
}

func (r docsReader) answer(status string, response node) docsAnswer {
	name, resolved := r.resolve(response)
	answer := docsAnswer{Status: status, Name: name, Shared: name != "" && problemStatus(resolved) != "", Description: resolved.get("description").text()}
	for _, header := range resolved.get("headers").members() {
		_, h := r.resolve(header.node)
		answer.Headers = append(answer.Headers, docsField{
			Name: header.key, In: "header", Description: h.get("description").text(), Type: r.typeOf(h.get("schema")),
		})
	}
	for _, content := range resolved.get("content").members() {
		answer.Type = r.typeOf(content.get("schema"))
		if answer.Type.Schema == "" {
			answer.Type = docsType{Before: content.key}
		}
		answer.Example = content.get("example").json()
	}
	return answer
}

func (r docsReader) schema(name string, s node) docsSchema {
	schema := docsSchema{Name: name, Description: s.get("description").text(), Type: r.typeOf(s)}
	r.addFields(&schema, s)
	return schema
}

func (r docsReader) addFields(schema *docsSchema, s node) {
	for _, part := range s.get("allOf").items() {
		_, resolved := r.resolve(part)
		r.addFields(schema, resolved)
	}
	required := map[string]bool{}
	for _, name := range s.get("required").items() {
		required[name.text()] = true
	}
	for _, property := range s.get("properties").members() {
		schema.Fields = append(schema.Fields, docsField{
			Name: property.key, Required: required[property.key],
			Type: r.typeOf(property.node), Description: property.get("description").text(),
		})
	}
}

// typeOf spells a schema in few words, such as "list of Order" or "string, at most 255".
func (r docsReader) typeOf(s node) docsType {
	if name, _ := r.resolve(s); name != "" {
		return docsType{Schema: name}
	}
	if parts := s.get("allOf").items(); len(parts) == 1 {
		t := r.typeOf(parts[0])
		t.After += nullable(s)
		return t
	}
	switch kind := s.get("type").text(); kind {
	case "array":
		t := r.typeOf(s.get("items"))
		t.Before, t.After = "list of "+t.Before, t.After+limits(s, "minItems", "maxItems", "")
		return t
	case "object":
		if values, is := s.find("additionalProperties"); is && values.text() != "false" {
			t := r.typeOf(values)
			t.Before = "object of " + t.Before
			return t
		}
		return docsType{Before: "object"}
	default:
		return docsType{Before: scalar(s, kind)}
	}
}

func scalar(s node, kind string) string {
	if format := s.get("format").text(); kind == "string" && format != "" {
		kind = map[string]string{"decimal": "decimal in a string", "date-time": "time"}[format]
	}
	if values := s.get("enum").items(); len(values) > 0 {
		words := make([]string, len(values))
		for i, value := range values {
			words[i] = value.text()
		}
		return strings.Join(words, " | ") + nullable(s)
	}
	switch kind {
	case "integer":
		kind += limits(s, "minimum", "maximum", "")
	case "string":
		kind += limits(s, "minLength", "maxLength", " characters")
	}
	return kind + nullable(s)
}

func limits(s node, low, high, unit string) string {
	from, to := s.get(low).text(), s.get(high).text()
	switch {
	case from != "" && to != "":
		return fmt.Sprintf(", %s to %s%s", from, to, unit)
	case to != "":
		return fmt.Sprintf(", at most %s%s", to, unit)
	case from != "":
		return fmt.Sprintf(", at least %s%s", from, unit)
	}
	return ""
}

func nullable(s node) string {
	if s.get("nullable").text() == "true" {
		return " or null"
	}
	return ""
}

// resolve follows a $ref. The name is that of what it refers to; empty if there is none.
func (r docsReader) resolve(n node) (name string, target node) {
	ref := n.get("$ref").text()
	if ref == "" {
		return "", n
	}
	steps := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	return steps[len(steps)-1], r.root.get(steps...)
}

package gateway_test

import (
	"crypto/sha256"
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"ordergate/gateway"
	"ordergate/order"
)

func TestTheContractIsValidAndItsExamplesToo(t *testing.T) {
	t.Parallel()
	spec, codes, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	require.NoError(t, spec.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	require.NotEmpty(t, codes)
	seen := map[string]bool{}
	for _, code := range codes {
		require.False(t, seen[code.Code], code.Code)
		seen[code.Code] = true
		require.NotEmpty(t, code.Title)
		require.NotEmpty(t, code.Remedy)
		require.NotEmpty(t, http.StatusText(code.Status))
	}
}

// What the domain may say of an order, the contract allows, and nothing else.
func TestTheContractHasTheDomainsValues(t *testing.T) {
	t.Parallel()
	spec, _, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	for name, values := range map[string][]string{
		"OrderStatus":     textsOf(order.Statuses),
		"OrderFulfilment": textsOf(order.Fulfilments),
		"OrderPayment":    textsOf(order.Payments),
		"IntentState":     textsOf(order.IntentStates),
	} {
		var allowed []string
		for _, value := range spec.Components.Schemas[name].Value.Enum {
			allowed = append(allowed, value.(string))
		}
		require.Equal(t, values, allowed, name)
	}
}

func textsOf[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}

func TestTheGeneratedCodeIsCurrent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "api.gen.go")
	output, err := exec.Command("go", "tool", "oapi-codegen", "--config", "oapi-codegen.yaml", "-o", file, "openapi.yaml").CombinedOutput()
	require.NoError(t, err, "%s", output)
	generated, err := os.ReadFile(file)
	require.NoError(t, err)
	committed, err := os.ReadFile("api.gen.go")
	require.NoError(t, err)
	require.Equal(t, string(generated), string(committed), "run go generate ./gateway")
}

// A request schema that lets unknown members through would ignore a misspelt one in silence, and the generated code
// would take SKU for sku.
func TestRequestSchemasAreClosed(t *testing.T) {
	t.Parallel()
	spec, _, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	bodies := 0
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.RequestBody != nil {
				bodies++
				requireClosed(t, method+" "+path, operation.RequestBody.Value.Content.Get("application/json").Schema.Value)
			}
		}
	}
	require.Equal(t, 13, bodies)
}

func requireClosed(t *testing.T, where string, schema *openapi3.Schema) {
	t.Helper()
	if strings.HasSuffix(where, "/history.payload") {
		return // whatever its module wants to say
	}
	if schema.Type.Is("object") {
		require.NotNil(t, schema.AdditionalProperties.Has, where)
		require.False(t, *schema.AdditionalProperties.Has, where)
	}
	for name, property := range schema.Properties {
		requireClosed(t, where+"."+name, property.Value)
	}
	if schema.Items != nil {
		requireClosed(t, where+"[]", schema.Items.Value)
	}
}

func TestEveryOperationIsServedToTheRolesOfTheContract(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secrets := map[order.Role]string{order.RoleCustomer: customerSecret, order.RolePortal: portalSecret, order.RoleOperator: operatorSecret,
		order.RoleModule: moduleSecret}
	spec, _, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	fill := strings.NewReplacer("{id}", "abc", "{key}", "%00") // refused by validation, after the role was looked at
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			target := fill.Replace(path) + "?unknown=1"
			roles, guarded := operation.Extensions["x-roles"].([]any)
			if !guarded {
				require.Equal(t, http.StatusOK, b.request(method, path, "", "").send().StatusCode, path)
				continue
			}
			b.request(method, target, "", "").send().requireProblem(t, http.StatusUnauthorized, "credentials_missing")
			for role, secret := range secrets {
				a := b.request(method, target, secret, "").send()
				allowed := false
				for _, r := range roles {
					allowed = allowed || r == string(role)
				}
				require.Equal(t, allowed, a.problem(t).Code != "role_forbidden", "%s %s as %s", method, path, role)
			}
		}
	}
}

// The contract lists the codes that the source has, and no others.
func TestEveryCodeOfTheSourceIsListed(t *testing.T) {
	t.Parallel()
	_, codes, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, code := range codes {
		listed[code.Code] = true
	}
	found := map[string]bool{}
	for _, folder := range []string{".", "../order", "../sync", "../store", "../odoo"} {
		for code, where := range codesOf(t, folder) {
			found[code] = true // those of the store may be for the command line alone
			require.True(t, listed[code] || folder == "../store", "%s: list %s under x-problem-codes of openapi.yaml", where, code)
		}
	}
	for code := range listed {
		require.True(t, found[code], "no code of the program makes a problem %s", code)
	}
}

// codesOf returns the codes of the errors that a package makes, with where. They must be literals or constants, or nobody could find them.
func codesOf(t *testing.T, folder string) map[string]string {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	positions := token.NewFileSet()
	var parsed []*ast.File
	constants := map[string]ast.Expr{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(positions, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		parsed = append(parsed, f)
		for _, declared := range f.Decls {
			for _, spec := range specsOf(declared, token.CONST) {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						constants[name.Name] = spec.Values[i]
					}
				}
			}
		}
	}
	codes := map[string]string{}
	for _, f := range parsed {
		for _, declared := range f.Decls {
			if f.Name.Name == "order" && makesErrors(declared) {
				continue
			}
			ast.Inspect(declared, func(n ast.Node) bool {
				code := codeIn(n, f.Name.Name)
				if name, ok := code.(*ast.Ident); ok && constants[name.Name] != nil {
					code = constants[name.Name]
				}
				if code == nil {
					return true
				}
				where := positions.Position(n.Pos()).String()
				literal, ok := code.(*ast.BasicLit)
				require.True(t, ok, "%s: the code of this error is neither a literal nor a constant", where)
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				codes[text] = where
				return true
			})
		}
	}
	return codes
}

func specsOf(declared ast.Decl, kind token.Token) (specs []*ast.ValueSpec) {
	if general, ok := declared.(*ast.GenDecl); ok && general.Tok == kind {
		for _, spec := range general.Specs {
			specs = append(specs, spec.(*ast.ValueSpec))
		}
	}
	return specs
}

// makesErrors reports whether a declaration of package order is what all errors are made with.
func makesErrors(declared ast.Decl) bool {
	function, ok := declared.(*ast.FuncDecl)
	return ok && function.Recv == nil && (function.Name.Name == "Errorf" || function.Name.Name == "Invalid")
}

// codeIn is the code that a node gives to an error; nil if it makes none. That of a stored error, which was made before, is none.
func codeIn(n ast.Node, pkg string) ast.Expr {
	is := func(e ast.Expr, name string) bool {
		if selector, ok := e.(*ast.SelectorExpr); ok {
			of, ok := selector.X.(*ast.Ident)
			return ok && of.Name == "order" && selector.Sel.Name == name
		}
		identifier, ok := e.(*ast.Ident)
		return ok && pkg == "order" && identifier.Name == name
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		switch {
		case is(n.Fun, "Errorf"):
			return n.Args[1]
		case is(n.Fun, "Invalid"):
			return n.Args[0]
		}
	case *ast.CompositeLit:
		if !is(n.Type, "Error") {
			return nil
		}
		for _, element := range n.Elts {
			pair := element.(*ast.KeyValueExpr)
			_, copied := pair.Value.(*ast.SelectorExpr)
			if pair.Key.(*ast.Ident).Name == "Code" && !copied {
				return pair.Value
			}
		}
	}
	return nil
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	a := newBench(t).get("/openapi.yaml", "")
	require.Equal(t, http.StatusOK, a.StatusCode)
	document, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	require.Equal(t, document, a.body)
}

func TestDocsShowTheWholeContract(t *testing.T) {
	t.Parallel()
	spec, codes, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	a := newBench(t).get("/docs", "")
	require.Equal(t, http.StatusOK, a.StatusCode)
	page := string(a.body)
	require.Contains(t, page, "1.2.3")
	for path, item := range spec.Paths.Map() {
		require.Contains(t, page, "<code>"+path+"</code>")
		for _, operation := range item.Operations() {
			require.Contains(t, page, `id="`+operation.OperationID+`"`)
		}
	}
	for name := range spec.Components.Schemas {
		require.Contains(t, page, `id="schema-`+name+`"`)
	}
	for _, code := range codes {
		require.Contains(t, page, `id="error-`+code.Code+`"`, "a problem's type leads here")
	}
}

func TestDocsNeedNoScriptAndNoOtherHost(t *testing.T) {
	t.Parallel()
	a := newBench(t).get("/docs", "")
	document, err := html.Parse(strings.NewReader(string(a.body)))
	require.NoError(t, err)
	ids, links, style := map[string]bool{}, []string{}, ""
	for n := range document.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		require.NotContains(t, []string{"script", "link", "img", "iframe", "object"}, n.Data)
		if n.Data == "style" {
			style = n.FirstChild.Data
		}
		for _, attribute := range n.Attr {
			switch attribute.Key {
			case "id":
				require.False(t, ids[attribute.Val], "%s twice", attribute.Val)
				ids[attribute.Val] = true
			case "href":
				links = append(links, attribute.Val)
			default:
				require.NotContains(t, []string{"src", "style", "onclick"}, attribute.Key)
			}
		}
	}
	for _, link := range links {
		anchor, inPage := strings.CutPrefix(link, "#")
		require.True(t, link == "/openapi.yaml" || (inPage && ids[anchor]), link)
	}
	sum := sha256.Sum256([]byte(style))
	require.Contains(t, a.Header.Get("Content-Security-Policy"), "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	require.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'")
}

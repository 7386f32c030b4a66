package gateway_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

func TestEveryCodeOfTheSourceIsListed(t *testing.T) {
	t.Parallel()
	_, codes, err := gateway.LoadOpenAPI()
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, code := range codes {
		listed[code.Code] = true
	}
	call := regexp.MustCompile(`(?:order\.)?(?:Errorf\((?:order\.)?\w+|Invalid\(),?\s*"([a-z_]+)"`)
	for _, folder := range []string{".", "../order", "../sync"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range call.FindAllSubmatch(source, -1) {
				require.True(t, listed[string(match[1])], "%s: list %s under x-problem-codes of openapi.yaml", file, match[1])
			}
		}
	}
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

// Package layout holds the test of which package may import which.
package layout

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "ordergate/"

// mayImport says for each directory of the module what of the module its packages may import. A directory that is not
// named belongs to the nearest one above it that is, and those that belong together may import each other. A new
// top-level package gets a line of its own here, which is the moment to think about its place.
var mayImport = map[string][]string{
	"failpoint":    {},
	"order":        {},
	"odoo":         {"failpoint", "order"},
	"odoo/sandbox": {}, // a stand-in that shared the client's code would share its mistakes
	"store":        {"failpoint", "migrations", "order"},
	"migrations":   {"order"},
	"sync":         {"failpoint", "odoo", "store", "order"}, // alone in knowing both sides
	"gateway":      {"order"},
	"foreign":      {"store"},
	"cmd":          {"failpoint", "foreign", "gateway", "sync", "odoo", "odoo/sandbox", "store", "migrations", "order"},
}

// forTests reports whether a directory's packages only serve tests: these may import anything, and nothing else may
// import them.
func forTests(dir string) bool {
	return dir == "test" || strings.HasPrefix(dir, "test/") || strings.HasSuffix(dir, "test")
}

// owner returns the named directory that a directory belongs to, or "" if there is none.
func owner(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, named := mayImport[dir]; named {
			return dir
		}
	}
	return ""
}

// violation says what is wrong with a package in dir importing the package in imported, or "" if nothing is.
func violation(dir, imported string) string {
	from, to := owner(dir), owner(imported)
	switch {
	case forTests(dir):
		return ""
	case forTests(imported):
		return fmt.Sprintf("%s imports %s, which is for tests only", dir, imported)
	case from == to || slices.Contains(mayImport[from], to):
		return ""
	default:
		return fmt.Sprintf("%s may not import %s", dir, imported)
	}
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen, used := map[string]bool{}, map[[2]string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && file != root
		if entry.IsDir() {
			if hidden || entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if hidden || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(relative))
		seen[owner(dir)] = true
		if owner(dir) == "" && !forTests(dir) {
			t.Errorf("%s has no place in the layout", relative)
		}
		imports, err := projectImports(file)
		if err != nil {
			return err
		}
		for _, imported := range imports {
			used[[2]string{owner(dir), owner(imported)}] = true
			if wrong := violation(dir, imported); wrong != "" {
				t.Errorf("%s: %s", relative, wrong)
			}
		}
		return nil
	})
	require.NoError(t, err)
	for dir, imports := range mayImport {
		require.True(t, seen[dir], "%s has a line in the layout, but no code", dir)
		for _, imported := range imports {
			require.True(t, used[[2]string{dir, imported}], "%s may import %s, and does not", dir, imported)
		}
	}
}

// projectImports returns the directories of this module that a file imports.
func projectImports(file string) ([]string, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if dir, ok := strings.CutPrefix(imported, module); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"order", "odoo"},
		{"odoo", "store"},
		{"odoo", "odoo/sandbox"},
		{"odoo/sandbox", "odoo"},
		{"store", "odoo"},
		{"store", "sync"},
		{"sync", "gateway"},
		{"gateway", "odoo"},
		{"gateway", "store"},
		{"gateway", "sync"},
		{"gateway/page", "store"},
		{"cmd/ordergate", "test/env"},
		{"cmd/ordergate", "gateway/gatewaytest"},
		{"newcomer", "order"},
	} {
		require.NotEmpty(t, violation(pair[0], pair[1]), "%s imports %s", pair[0], pair[1])
	}
	for _, pair := range [][2]string{
		{"sync", "odoo"},
		{"sync", "store"},
		{"gateway", "order"},
		{"gateway", "gateway/page"},
		{"cmd/ordergate", "sync"},
		{"test/endtoend", "store"},
		{"gateway/gatewaytest", "gateway"},
	} {
		require.Empty(t, violation(pair[0], pair[1]), "%s imports %s", pair[0], pair[1])
	}
}

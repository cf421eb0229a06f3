package layout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The tables that docs/security.md names are there, and hold as many attempts as it
// says.
func TestAttacksStandInTables(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	data, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "\n## Attacks on evidence\n")
	if section, _, _ = strings.Cut(section, "\n## "); !found || !strings.Contains(section, "More than 300 attempts") {
		t.Fatal("docs/security.md has no heading Attacks on evidence, or does not say how many")
	}
	total := 0
	for _, m := range codeSpan.FindAllStringSubmatch(section, -1) {
		dot := strings.LastIndex(m[1], ".")
		rows := longestTable(t, filepath.Join(root, m[1][:dot]), m[1][dot+1:])
		if rows < 3 {
			t.Errorf("%s has no table", m[1])
		}
		total += rows
	}
	if total <= 300 {
		t.Errorf("the tables hold %d attempts, and docs/security.md says more than 300", total)
	}
}

// longestTable counts the rows of the longest map that a test function writes down.
func longestTable(t *testing.T, dir, function string) (rows int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Name.Name == function {
				ast.Inspect(f, func(n ast.Node) bool {
					table, ok := n.(*ast.CompositeLit)
					if !ok {
						return true
					}
					if _, ok := table.Type.(*ast.MapType); ok {
						rows = max(rows, len(table.Elts))
					}
					return false
				})
			}
		}
	}
	return rows
}

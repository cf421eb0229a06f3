package layout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A package that tells outcomes apart joins errors by outcome.Join alone, which
// says in which order they decide: errors.Join says nothing of it.
func TestOutcomesAreJoinedInOnePlace(t *testing.T) {
	t.Parallel()
	joins := 0
	for _, p := range list(t, "./...") {
		if !slices.Contains(p.Imports, module+"internal/outcome") {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "Join" {
					switch of, _ := call.X.(*ast.Ident); {
					case of != nil && of.Name == "errors":
						t.Errorf("%s/%s calls errors.Join: call outcome.Join", strings.TrimPrefix(p.ImportPath, module), name)
					case of != nil && of.Name == "outcome":
						joins++
					}
				}
				return true
			})
		}
	}
	if joins == 0 {
		t.Error("nothing calls outcome.Join: the rule guards nothing")
	}
}

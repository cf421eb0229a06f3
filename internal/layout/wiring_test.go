package layout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// Bounds of the code that wires: of a file of cmd/waybill, and of a function of
// internal/command and cmd/waybill.
const (
	wiringLines   = 80
	functionLines = 60
	parameters    = 5
)

// cmd/waybill reads options, opens doors and calls a step: its files are short,
// its functions take few parameters, and no input is read by its name.
func TestMainIsWiring(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, pattern := range []string{"cmd/waybill/*.go", "internal/command/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(tooltest.Root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			inMain := strings.Contains(pattern, "cmd/")
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			looked++
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if lines := set.Position(file.FileEnd).Line; inMain && lines > wiringLines {
				t.Errorf("%s has %d lines: what decides belongs into a step", name, lines)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > functionLines {
						t.Errorf("%s: %s has %d lines", name, n.Name.Name, lines)
					}
					if n.Type.Params.NumFields() > parameters {
						t.Errorf("%s: %s has %d parameters: hand it a struct", name, n.Name.Name, n.Type.Params.NumFields())
					}
				case *ast.SelectorExpr:
					if inMain && n.Sel.Name == "In" {
						t.Errorf("%s reads an input by its name: take the command's options", name)
					}
				}
				return true
			})
		}
	}
	if looked < 20 {
		t.Errorf("only %d files looked at", looked)
	}
}

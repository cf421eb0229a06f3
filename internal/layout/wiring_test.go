package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// Bounds: of a file of cmd/waybill, and of every function.
const (
	wiringLines   = 80
	functionLines = 60
	parameters    = 5
)

// notBounded are packages whose functions may still be larger, with the reason.
var notBounded = map[string]string{
	"internal/delivery/build": "its four functions with six parameters change together with the engines, and then this entry goes",
}

// cmd/waybill reads options, opens doors and calls a step: its files are short,
// and no input is read by its name.
func TestMainIsWiring(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(tooltest.Root(t), "cmd/waybill/*.go"))
	if err != nil || len(files) < 20 {
		t.Fatalf("only %d files looked at: %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if lines := set.Position(file.FileEnd).Line; lines > wiringLines {
			t.Errorf("%s has %d lines: what decides belongs into a step", name, lines)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == "In" {
				t.Errorf("%s reads an input by its name: take the command's options", name)
			}
			return true
		})
	}
}

// A function fits on a screen and takes few parameters, in every package.
func TestFunctionsAreSmall(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.ContainsFunc(slices.Collect(maps.Keys(notBounded)), func(dir string) bool { return within(name, dir) }) {
			continue
		}
		for _, f := range p.GoFiles {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, f), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if ast.IsGenerated(file) {
				continue
			}
			looked++
			for _, problem := range tooLarge(set, file) {
				t.Errorf("%s/%s: %s", name, f, problem)
			}
		}
	}
	if looked < 300 {
		t.Errorf("only %d files looked at", looked)
	}
}

// tooLarge names the functions of a file that are longer, or take more
// parameters, than the bounds allow.
func tooLarge(set *token.FileSet, file *ast.File) (problems []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		name, what := "", (*ast.FuncType)(nil)
		switch n := n.(type) {
		case *ast.FuncDecl:
			name, what = n.Name.Name, n.Type
			if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > functionLines {
				problems = append(problems, fmt.Sprintf("%s has %d lines", name, lines))
			}
		case *ast.FuncLit:
			name, what = "a function literal", n.Type
		default:
			return true
		}
		if got := what.Params.NumFields(); got > parameters {
			problems = append(problems, fmt.Sprintf("%s has %d parameters: hand it a struct", name, got))
		}
		return true
	})
	return problems
}

func TestFunctionsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	text := "package p\n\nfunc many(a, b, c int, d, e, f string) {}\n\nfunc few(a, b, c, d, e int) {}\n\nvar literal = func(a, b, c, d, e, f int) {}\n\n" +
		"func long() {\n" + strings.Repeat("\t_ = 1\n", functionLines-1) + "}\n\nfunc short() {\n" + strings.Repeat("\t_ = 1\n", functionLines-2) + "}\n"
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"many has 6 parameters: hand it a struct", "a function literal has 6 parameters: hand it a struct", "long has 61 lines",
	}
	if got := tooLarge(set, file); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

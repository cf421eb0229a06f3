package layout_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// Bounds: of a file of cmd/waybill, and of every function.
const (
	wiringLines   = 80
	functionLines = 60
	parameters    = 5
	columns       = 140 // of a line, a tab as 4
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
	text := "package p\n\nfunc many(a, b, c int, d, e, f string) {}\n\nfunc few(a, b, c, d, e int) {}\n\nvar literal = func(a, b, " +
		"c, d, e, f int) {}\n\n" +
		"func long() {\n" + strings.Repeat("\t_ = 1\n", functionLines-1) + "}\n\n" +
		"func short() {\n" + strings.Repeat("\t_ = 1\n", functionLines-2) + "}\n"
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

// packageLines is how long a package may be, with comments and without tests. Beyond
// that nobody finds their way in it.
const packageLines = 3000

// The stand-in for GitHub is as long as what it stands for.
func TestPackagesAreSmall(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if looked++; strings.HasPrefix(name, "internal/rehearsal/") {
			continue
		}
		lines := 0
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(text, []byte("\n"))
		}
		if lines > packageLines {
			t.Errorf("%s has %d lines, of at most %d: what in it is a part of its own?", name, lines, packageLines)
		}
	}
	if looked < 100 {
		t.Errorf("only %d packages looked at", looked)
	}
}

// A line can be read side by side with another. Only a word that cannot be
// broken, such as an address, an expression or a document in one string, makes
// it longer.
func TestLinesAreShort(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, p := range list(t, "./...") {
		for _, f := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			looked++
			for _, n := range tooWide(t, text) {
				t.Errorf("%s/%s:%d has over %d columns", strings.TrimPrefix(p.ImportPath, module), f, n, columns)
			}
		}
	}
	if looked < 600 {
		t.Errorf("only %d files looked at", looked)
	}
}

// unbroken is the most columns of a string that may not make its line too wide.
const unbroken = 60

// tooWide numbers the lines of a Go file that are wider than the bound and have
// no long string (or part of one, or word of a comment) to blame. What is
// generated is as wide as it comes.
func tooWide(t *testing.T, text []byte) (lines []int) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return nil
	}
	longest := map[int]int{}
	blame := func(at token.Pos, parts []string) {
		for i, part := range parts {
			line := set.Position(at).Line + i
			longest[line] = max(longest[line], utf8.RuneCountInString(part))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
			blame(s.Pos(), strings.Split(s.Value, "\n"))
		}
		return true
	})
	for _, group := range file.Comments {
		for _, c := range group.List {
			for _, word := range strings.Fields(c.Text) {
				blame(c.Pos(), []string{word})
			}
		}
	}
	for i, line := range strings.Split(string(text), "\n") {
		if utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")) > columns && longest[i+1] <= unbroken {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func TestLinesThatAreTooWide(t *testing.T) {
	t.Parallel()
	wide := "var a = []int{" + strings.Repeat("1, ", 50) + "1}\n"
	for name, test := range map[string]struct {
		text string
		want []int
	}{
		"code":             {"package p\n\n" + wide, []int{3}},
		"at the bound":     {"package p\n\n//" + strings.Repeat(" a", columns/2-1) + "\n", nil},
		"over the bound":   {"package p\n\n// " + strings.Repeat(" a", columns/2-1) + "\n", []int{3}},
		"tabs":             {"package p\n\nfunc f() {\n\t//" + strings.Repeat(" a", columns/2-2) + "\n}\n", []int{4}},
		"short strings":    {"package p\n\nvar a = \"\"" + strings.Repeat(` + "four"`, 20) + "\n", []int{3}},
		"one long string":  {"package p\n\nvar a = \"" + strings.Repeat("a", columns) + "\"\n", nil},
		"a raw string":     {"package p\n\nvar a = `short\n" + strings.Repeat("a", columns+1) + "`\n", nil},
		"an address":       {"package p\n\n// https://" + strings.Repeat("a", columns) + "\n", nil},
		"what a tool made": {"// Code generated by a tool. DO NOT EDIT.\n\npackage p\n\n" + wide, nil},
	} {
		if got := tooWide(t, []byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: lines %v, want %v", name, got, test.want)
		}
	}
}

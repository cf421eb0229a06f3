package configuration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// disputed are expressions that terraform and its look-alikes see differently: functions of
// the same name, what try takes for a failure, what is text in YAML, which files a pattern means.
var disputed = []string{
	`try(md5("x") != "" ? "evil" : "", "ok")`, `try(length("abc") == 3 ? "evil" : "ok", "ok")`,
	`try(sum([1, 2]) == 3 ? "evil" : "ok", "ok")`,
	`can(md5("x")) ? "evil" : "ok"`, `try(format("%*s", 1, "a") == "" ? "ok" : "evil", "ok")`,
	`try(base64decode("/w==") == "" ? "ok" : "ok", "evil")`, `try(file("binary") == "" ? "ok" : "ok", "evil")`,
	`try(file("absent"), "evil")`, `try(yamldecode("a: 1").b, "evil")`,
	`replace("ok", "/^.*$/", "evil")`, `replace("a/b", "/", "-")`, `["ok", "ok", "evil"][index([1, 1, 0], 0)]`,
	`coalesce("", "evil")`, `length(regexall("^/~", abspath("~"))) > 0 ? "ok" : "evil"`,
	`yamldecode("a: 1_000").a == 1000 ? "ok" : "evil"`, `yamldecode("a: 2001-01-01").a == "2001-01-01T00:00:00Z" ? "ok" : "evil"`,
	`yamldecode("a: yes").a == "yes" ? "ok" : "evil"`, `yamldecode("a: on").a == "on" ? "ok" : "evil"`,
	`yamldecode("a: 010").a == 8 ? "ok" : "evil"`, `yamldecode("a: 0o10").a == 8 ? "ok" : "evil"`,
	`yamldecode("a: 0x10").a == 16 ? "ok" : "evil"`, `yamldecode("a: .inf").a == ".inf" ? "ok" : "evil"`,
	`yamldecode("a: 1:30").a == 90 ? "ok" : "evil"`, `yamldecode("a: !!str 1").a == "1" ? "ok" : "evil"`,
	`yamldecode("a: !!binary b2s=").a == "ok" ? "ok" : "evil"`, `yamldecode("<<: {a: ok}\na: evil").a`,
	`yamldecode("a: ok\na: evil").a`, `yamldecode("1: ok\n\"1\": evil")["1"]`,
	`length(fileset("d", "[!y].txt")) > 0 ? "ok" : "evil"`, `length(fileset("d", "{x,y}.txt")) > 0 ? "ok" : "evil"`,
	`length(fileset(".", "d**")) > 0 ? "evil" : "ok"`, `length(fileset("d", "?.txt")) > 0 ? "ok" : "evil"`,
	`length(fileset("linked", "**")) > 1 ? "ok" : "evil"`, `length(fileset(".", "**/x.txt")) > 1 ? "ok" : "evil"`,
	`fileexists("absent") ? "evil" : "ok"`, `tolist(toset(["b", "a"]))[0]`,
}

// untold are expressions of which terraform's answer can change while it runs, or that fail.
var untold = []string{
	`fileexists("absent") ? "evil" : "ok"`, `length(fileset("linked", "**")) > 0 ? "ok" : "evil"`, `base64decode("/w==")`, `file("binary")`,
	`can(var.absent[0].x) ? "evil" : md5("x")`,
}

// told are everyday expressions, which must be known.
var told = []string{
	`format("%s-%03d", "a", 7)`, `join("/", ["a", "b"])`, `lower("ABC")`, `title("a b")`, `substr("abcdef", 1, 3)`, `substr("abc", -2, -1)`,
	`split(",", "a,b")[1]`, `element(["a", "b"], 3)`, `lookup({ a = "x" }, "b", "y")`, `merge({ a = "x" }, { a = "y" }).a`,
	`concat(["a"], ["b"])[1]`, `flatten([["a"], [["b"]]])[1]`, `distinct(["a", "a", "b"])[1]`, `sort(["b", "a"])[0]`,
	`reverse(["a", "b"])[0]`, `slice(["a", "b", "c"], 1, 2)[0]`, `keys({ b = 1, a = 2 })[0]`, `values({ b = "x", a = "y" })[0]`,
	`zipmap(["a"], ["b"]).a`, `trimspace(" a ")`, `trim("xax", "x")`, `trimprefix("ab", "a")`, `trimsuffix("ab", "b")`, `chomp("a\n")`,
	`strrev("abc")`, `regex("b.", "abc")`, `regexall("[a-z]", "1a2b")[1]`, `jsonencode({ b = 1, a = "<" })`,
	`jsondecode("{\"a\":\"b\"}").a`,
	`csvdecode("a,b\n1,2")[0].b`, `tostring(12)`, `tostring(1.50)`, `tostring(true)`, `base64decode("YWI=")`, `dirname("a/b/c")`,
	`basename("a/b/c")`, `nonsensitive(sensitive("a")) == "a" ? "x" : "y"`, `replace("a-b", "-", "_")`, `compact(["", "a"])[0]`,
	`contains(["a"], "a") ? "x" : "y"`, `coalescelist([], ["a"])[0]`, `setunion(["a"], ["a"]) == toset(["a"]) ? "x" : "y"`,
	`try({ a = "x" }.b, "y")`, `can({ a = "x" }.b) ? "x" : "y"`, `max(1, 3) == 3 ? "x" : "y"`, `parseint("ff", 16) == 255 ? "x" : "y"`,
	`yamldecode("a: x").a`, `yamldecode("- a b\n- \"0x1\"")[1]`, `yamldecode("a: |\n  x\n").a`,
	`yamldecode("a: 12").a`, `yamldecode("{a: [x, ~]}").a[0]`,
	`yamldecode("a: ./x/y.json").a`, `jsondecode(file("names.json"))[0]`, `tolist(fileset("d", "*.txt"))[0]`,
	`length(fileset("d", "**")) > 1 ? "x" : "y"`,
	`fileexists("names.json") ? "x" : "y"`, `join(",", [for k, v in { a = "x" } : "${k}${v}" if v != ""])`,
	`"%{ for x in ["a", "b"] }${x}%{ endfor }"`,
	`format("%v", [1, "a"])`, `formatlist("%s!", ["a"])[0]`, `floor(1.5) == 1 ? "x" : "y"`, `upper("a") == "A" ? "x" : "y"`,
}

// What is taken for a path is the one that terraform opens, and OpenTofu.
func TestFunctionsAreTerraforms(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"infra/prod/binary": "\xff", "infra/prod/names.json": `["a"]`, "infra/prod/d/x.txt": "", "infra/prod/d/e/x.txt": "",
		"infra/prod/linked/x.txt": "", "infra/prod/linked/more->": "../d",
	}
	for _, program := range []string{"terraform", "tofu"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			top := tree(t, files)
			root, real := filepath.Join(top, "infra/prod"), tooltest.Find(t, program)
			for i, expression := range slices.Concat(untold, disputed, told) {
				taken, known := takenFor(t, top, expression)
				if known && slices.Contains(untold, expression) {
					t.Errorf("%s is told", expression)
				}
				if i >= len(untold)+len(disputed) && !known {
					t.Errorf("%s is not told", expression)
				}
				if known {
					if is := asked(t, real, root, expression); taken != is {
						t.Errorf("%s is taken for %q, and %s says %q", expression, taken, program, is)
					}
				}
			}
		})
	}
}

// takenFor is what an expression is taken for, as the path of a file.
func takenFor(t *testing.T, top, expression string) (string, bool) {
	t.Helper()
	main := filepath.Join(top, "infra/prod/main.tf")
	if err := os.WriteFile(main, []byte("locals {\n  x = filemd5("+expression+")\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(main)
	found, err := configuration.FindReads(configuration.ReadsOptions{Top: top, Root: filepath.Dir(main)})
	if err != nil {
		t.Fatal(err)
	}
	found = slices.DeleteFunc(found, func(r configuration.Opened) bool { return r.By != "filemd5" })
	if len(found) != 1 { // of a condition that is not known, each branch
		return "", false
	}
	return found[0].Written, found[0].Extent == configuration.One
}

// asked is what terraform says of an expression; empty where it fails.
func asked(t *testing.T, program, root, expression string) string {
	t.Helper()
	var out bytes.Buffer
	command := process.Command{
		Path: program, Args: []string{"console"}, Dir: root, Stdout: &out,
		Stdin: strings.NewReader("jsonencode(tostring(" + strings.ReplaceAll(expression, "\n", `\n`) + "))\n"),
		Env:   []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CHECKPOINT_DISABLE=1"},
	}
	if err := command.Run(t.Context()); err != nil {
		return "fails: " + err.Error()
	}
	var shown, said string
	if err := json.Unmarshal(out.Bytes(), &shown); err != nil {
		t.Fatalf("%s: %q: %v", expression, out.String(), err)
	}
	if err := json.Unmarshal([]byte(shown), &said); err != nil {
		t.Fatalf("%s: %q: %v", expression, shown, err)
	}
	return said
}

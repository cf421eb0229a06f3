package configuration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// tree writes files below a new directory; a name that ends in -> is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		link := strings.HasSuffix(name, "->")
		path := filepath.Join(top, strings.TrimSuffix(name, "->"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if link {
			err = os.Symlink(text, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// opened lists what the root infra/prod opens: extent and path, from the top.
func opened(t *testing.T, top string, varFiles ...string) []string {
	t.Helper()
	found, err := configuration.FindReads(configuration.ReadsOptions{Top: top, Root: filepath.Join(top, "infra/prod"), VarFiles: varFiles})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range found {
		path := r.Path
		if relative, err := filepath.Rel(top, path); err == nil && !strings.HasPrefix(relative, "..") {
			path = relative
		}
		text := map[configuration.Extent]string{
			configuration.One: "one ", configuration.Below: "below ", configuration.Unknown: "unknown",
		}[r.Extent] + path
		if r.Outside {
			text = "outside " + path
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func local(expression string) map[string]string {
	return map[string]string{
		"infra/prod/main.tf": "locals {\n  x = " + expression + "\n}\n", "shared/a.txt": "one",
		"infra/prod/names.json": `["a","b"]`, "infra/prod/names.yaml": "p: ../../../../../proc/self/environ\n",
	}
}

// What can be told is told, wherever the path comes from.
func TestReadsThatAreKnown(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string][]string{
		`file("${path.module}/../../shared/a.txt")`:           {"one shared/a.txt"},
		`file("../../shared/a.txt")`:                          {"one shared/a.txt"},
		`core::filebase64("${path.root}/../../shared/a.txt")`: {"one shared/a.txt"},
		`fileexists("${path.cwd}/../../shared/b")`:            {"one shared/b"},
		`filemd5(format("%s/%s", "../../shared", "a.txt"))`:   {"one shared/a.txt"},
		`[for n in ["a", "b"] : filesha256("../../shared/${n}.txt")]`: {
			"one shared/a.txt", "one shared/b.txt",
		},
		`{ for k, n in { x = "a" } : k => [for m in ["1", "2"] : file("../../shared/${n}${m}")] }`: {
			"one shared/a1", "one shared/a2",
		},
		`[for n in jsondecode(file("${path.module}/names.json")) : file("../../shared/${n}")]`: {
			"one infra/prod/names.json", "one shared/a", "one shared/b",
		},
		`fileset("${path.module}/../../shared", "**/*.txt")`: {"one shared"},
		`[for n in fileset("${path.module}/../../shared", "*.txt") : file("${path.module}/../../shared/${n}")]`: {
			"one shared", "one shared/a.txt",
		},
		`file("${path.module}/${terraform.workspace}.json")`: {"below infra/prod"},
		`try(file("a"), file("b"))`:                          {"one infra/prod/a", "one infra/prod/b"},
		`true ? file("a") : file("b")`:                       {"one infra/prod/a", "one infra/prod/b"},
		`"%{ if true }${file("a")}%{ endif }"`:               {"one infra/prod/a"},
		`{ (file("a")) = file("b") }`:                        {"one infra/prod/a", "one infra/prod/b"},
		`abspath("x") == "" ? "" : file(abspath("x"))`:       {"one infra/prod/x"},
		`yamldecode(file("names.yaml"))`:                     {"one infra/prod/names.yaml"},
	} {
		if diff := cmp.Diff(want, opened(t, tree(t, local(expression)))); diff != "" {
			t.Errorf("%s: %s", expression, diff)
		}
	}
}

// A path that leaves the repository is found however it is written.
func TestReadsThatLeave(t *testing.T) {
	t.Parallel()
	const environ = "outside /proc/self/environ"
	up := strings.Repeat("../", 30)
	for expression, want := range map[string]string{
		`file("/proc/self/environ")`:                         environ,
		`core::file("/proc/self/environ")`:                   environ,
		`file("${path.module}/` + up + `proc/self/environ")`: environ,
		`file("${path.cwd}/` + up + `proc/self/environ")`:    environ,
		`file(pathexpand("~/.aws/credentials"))`:             "unknown",
		`file("~/.aws/credentials")`:                         "outside /~/~/.aws/credentials",
		`fileset("/", "**")`:                                 "outside /",
		`fileset("${path.module}", "` + up + `proc/*")`:      "outside /proc",
		`fileset("${path.module}", "*/` + up + `proc/*")`:    "outside infra/prod",
		`templatefile("/proc/self/environ", {})`:             environ,
		`file(join("/", ["", "proc", "self", "environ"]))`:   environ,
		`file(base64decode("L3Byb2Mvc2VsZi9lbnZpcm9u"))`:     environ,
		`file(strrev("norivne/fles/corp/"))`:                 environ,
		`file("\u002fproc/self/environ")`:                    environ,
		`[for p in ["/proc/self/environ"] : file(p)]`:        environ,
		`file(yamldecode(file("names.yaml")).p)`:             "",
		`file("../../.git/config")`:                          "outside .git/config",
		`file(sensitive("/proc/self/environ"))`:              environ,
		`[for p in toset(["/proc/self/environ"]) : p][0] == "" ? "" : file([for p in toset(["/proc/self/environ"]) : p][0])`: environ,
		`file("${path.module}/${terraform.workspace == "default" ? "` + up + `proc/self/environ" : "a"}")`:                   "unknown",
		`file("${path.module}/${terraform_data.x.output}")`:                                                                  "unknown",
		`file(data.aws_ssm_parameter.x.value)`:                                                                               "unknown",
		`file(uuid())`:                                                                                                       "unknown",
		`file(["/proc/self/environ"]...)`:                                                                                    "unknown",
		`file("${path.module}/${replace(terraform.workspace, "default", "` + up + `proc")}")`:                                "unknown",
		`[for p in data.x.y.list : file(p)]`:                                                                                 "unknown",
		`[for p in data.x.y.list : file("${path.module}/${p}")]`:                                                             "unknown",
		`templatestring(data.x.y.text, {})`:                                                                                  "unknown",
		`templatestring("$${file(\"/proc/self/environ\")}", {})`:                                                             environ,
		`[for a in range(2) : [for b in range(2) : [for c in range(2) : file("${a}${b}${c}")]]]`:                             "unknown",
	} {
		got := opened(t, tree(t, local(expression)))
		if !slices.Contains(got, want) && (want != "" ||
			!slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, "outside ") })) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// Also where several files, blocks and modules have to be put together.
func TestReadsThroughModules(t *testing.T) {
	t.Parallel()
	const environ = "outside /proc/self/environ"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a local": {
			map[string]string{
				"a.tf": "locals {\n  p = \"/proc/self/environ\"\n}\n", "b.tf": "output \"x\" {\n  value = file(local.p)\n}\n",
			},
			environ,
		},
		"a default": {
			map[string]string{
				"a.tf": "variable \"p\" {\n  default = \"/proc/self/environ\"\n}\noutput \"x\" {\n  value = file(var.p)\n}\n",
			},
			environ,
		},
		"a file of variables": {
			map[string]string{
				"a.tf":          "variable \"p\" {\n  default = \"a\"\n}\noutput \"x\" {\n  value = file(var.p)\n}\n",
				"x.auto.tfvars": "p = \"/proc/self/environ\"\n",
			},
			environ,
		},
		"terraform.tfvars.json": {
			map[string]string{
				"a.tf":                  "variable \"p\" {}\noutput \"x\" {\n  value = file(var.p)\n}\n",
				"terraform.tfvars.json": `{"p": "/proc/self/environ"}`,
			},
			environ,
		},
		"a named file": {
			map[string]string{
				"a.tf":         "variable \"p\" {}\noutput \"x\" {\n  value = file(var.p)\n}\n",
				"named.tfvars": "p = \"/proc/self/environ\"\n",
			},
			environ,
		},
		"JSON": {map[string]string{"a.tf.json": `{"output": {"x": {"value": "${file(\"/proc/self/environ\")}"}}}`}, environ},
		"a local in JSON": {
			map[string]string{"a.tf.json": `{"locals": {"p": "/proc/self/environ"}, "output": {"x": {"value": "${file(local.p)}"}}}`},
			environ,
		},
		"a key in JSON": {map[string]string{"a.tf.json": `{"locals": {"p": {"${file(\"/proc/self/environ\")}": 1}}}`}, environ},
		"tofu":          {map[string]string{"a.tofu": "output \"x\" {\n  value = file(\"/proc/self/environ\")\n}\n"}, environ},
		"for_each": {
			map[string]string{"a.tf": "resource \"x\" \"y\" {\n  for_each = toset([\"/proc/self/environ\"])\n  z = file(each.key)\n}\n"},
			environ,
		},
		"an overridden for_each": {map[string]string{"a.tf": "resource \"x\" \"y\" {\n  for_each = toset([\"a\"])\n  z = " +
			"file(each.key)\n}\n",
			"a_override.tf": "resource \"x\" \"y\" {\n  for_each = toset([\"/proc/self/environ\"])\n}\n"}, "unknown"},
		"an overridden local": {
			map[string]string{
				"a.tf":        "locals {\n  p = \"a\"\n}\noutput \"x\" {\n  value = file(local.p)\n}\n",
				"override.tf": "locals {\n  p = \"/proc/self/environ\"\n}\n",
			},
			"unknown",
		},
		"an argument": {
			map[string]string{"a.tf": "module \"m\" {\n  source = \"../../m\"\n  p = \"/proc/self/environ\"\n}\n"}, environ,
		},
		"an overridden argument": {
			map[string]string{
				"a.tf":          "module \"m\" {\n  source = \"../../m\"\n  p = \"a\"\n}\n",
				"a_override.tf": "module \"m\" {\n  p = \"/proc/self/environ\"\n}\n",
			},
			"unknown",
		},
		"an argument of each": {
			map[string]string{
				"a.tf": "module \"m\" {\n  source = \"../../m\"\n  for_each = { a = \"/proc/self/environ\" }\n  p = each.value\n}\n",
			},
			environ,
		},
		"an argument in JSON": {
			map[string]string{
				"a.tf.json": `{"module": {"m": {"source": "../../m", "p": "${join(\"/\", [\"\", \"proc\", \"self\", \"environ\"])}"}}}`,
			},
			environ,
		},
		"a template": {
			map[string]string{
				"a.tf":    "output \"x\" {\n  value = templatefile(\"t.tftpl\", { path = { module = \"/proc\" } })\n}\n",
				"t.tftpl": `%{ if true }${file("/proc/self/environ")}%{ endif }`,
			},
			environ,
		},
		"a template's variable": {
			map[string]string{
				"a.tf":    "output \"x\" {\n  value = templatefile(\"t.tftpl\", { path = { module = \"/proc/self/environ\" } })\n}\n",
				"t.tftpl": `${file(path.module)}`,
			},
			"unknown",
		},
		"one of some templates": {
			map[string]string{
				"a.tf":      "output \"x\" {\n  value = templatefile(\"${path.module}/t/${terraform.workspace}.tftpl\", {})\n}\n",
				"t/a.tftpl": `${file("/proc/self/environ")}`,
			},
			environ,
		},
		"a link": {
			map[string]string{"a.tf": "output \"x\" {\n  value = file(\"l/environ\")\n}\n", "l->": "/proc/self"},
			"outside infra/prod/l/environ",
		},
		"a data source": {
			map[string]string{"a.tf": "data \"local_file\" \"x\" {\n  filename = \"/proc/self/environ\"\n}\n"}, environ,
		},
		"a resource": {
			map[string]string{
				"a.tf": "resource \"aws_s3_object\" \"x\" {\n  source = " +
					"\"${path.module}/../../../../../../../../../../../../../proc/self/environ\"\n}\n",
			},
			environ,
		},
		"a data source in a check": {
			map[string]string{"a.tf": "check \"c\" {\n  data \"local_file\" \"x\" {\n    filename = \"/proc/self/environ\"\n  }\n}\n"},
			environ,
		},
		"a directory of the machine": {
			map[string]string{"a.tf": "data \"archive_file\" \"x\" {\n  source_dir = \"/proc/self\"\n}\n"}, "outside /proc/self",
		},
		"its home": {
			map[string]string{"a.tf": "data \"archive_file\" \"x\" {\n  source_dir = \"/etc\"\n}\n"}, "outside /etc",
		},
		"a dynamic block": {
			map[string]string{
				"a.tf": "resource \"x\" \"y\" {\n  dynamic \"z\" {\n    for_each = [\"/proc/self/environ\"]\n    content {\n      v " +
					"= file(z.value)\n    }\n  }\n}\n",
			},
			"unknown",
		},
		"a condition": {
			map[string]string{
				"a.tf": "variable \"v\" {\n  validation {\n    condition = file(\"/proc/self/environ\") == var.v\n    error_message " +
					"= \"x\"\n  }\n}\n",
			},
			environ,
		},
		"a provisioner": {
			map[string]string{"a.tf": "resource \"x\" \"y\" {\n  provisioner \"file\" {\n    source = \"/proc/self/environ\"\n  }\n}\n"},
			environ,
		},
		"a link that is given": {
			map[string]string{"a.tf": "data \"local_file\" \"x\" {\n  filename = \"l/environ\"\n}\n", "l->": "/proc/self"},
			"outside infra/prod/l/environ",
		},
		"a resource in the tree": {
			map[string]string{"a.tf": "resource \"aws_s3_object\" \"x\" {\n  source = \"${path.module}/../../shared/a.txt\"\n}\n"},
			"one shared/a.txt",
		},
		"an argument that a provider may open": {
			map[string]string{"a.tf": "module \"m\" {\n  source = \"acme/x/y\"\n  code = { dir = \"../../shared\" }\n}\n"},
			"one shared",
		},
		"a provider's function": {
			map[string]string{"a.tf": "output \"x\" {\n  value = provider::x::read(\"../../shared/a.txt\")\n}\n"},
			"one shared/a.txt",
		},
	} {
		files := map[string]string{
			"m/main.tf": "variable \"p\" {}\noutput \"x\" {\n  value = file(var.p)\n}\n", "shared/a.txt": "one",
			"infra/prod/z.tf": "\n",
		}
		for file, text := range c.files {
			files["infra/prod/"+file] = text
		}
		top := tree(t, files)
		if got := opened(t, top, filepath.Join(top, "infra/prod/named.tfvars")); !slices.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Hostile input ends: what would grow without end counts as not known.
func TestReadsEnd(t *testing.T) {
	t.Parallel()
	doubling := "locals {\n  a0 = \"xxxxxxxxxxxxxxxx\"\n"
	for i := range 60 {
		doubling += fmt.Sprintf("  a%d = \"${local.a%d}${local.a%d}\"\n", i+1, i, i)
	}
	for name, text := range map[string]string{
		"doubling":         doubling + "  x = file(local.a60)\n}\n",
		"a cycle":          "locals {\n  a = local.b\n  b = local.a\n  x = file(local.a)\n}\n",
		"a wide format":    "locals {\n  x = file(format(\"%999999999s\", \"a\"))\n}\n",
		"a width by value": "locals {\n  x = file(format(\"%*s\", 999999999, \"a\"))\n}\n",
		"nested loops": "locals {\n  x = file(join(\"\", [for a in range(1000) : join(\"\", [for b in range(1000) : join(\"\", " +
			"[for c in range(1000) : \"x\"])])]))\n}\n",
		"loops over lists": "locals {\n  l = [" + strings.Repeat("1,", 30000) + "]\n  x = file(join(\"\", [for a in local.l : " +
			"join(\"\", [for b in local.l : \"x\"])]))\n}\n",
		"loops over text": "locals {\n  x = file(join(\"\", [for a in [" + strings.Repeat("1,", 30000) +
			"] : join(\"\", [for b in [" + strings.Repeat("1,", 30000) + "] : \"x\"])]))\n}\n",
		"a wide range": "locals {\n  x = file(join(\"\", range(999999999)))\n}\n",
		"itself":       "module \"m\" {\n  source = \"../prod\"\n  for_each = toset([\"a\", \"b\", \"c\"])\n}\n",
		"aliases":      "locals {\n  x = file(yamldecode(\"a: &a [x, x]\\nb: &b [*a, *a]\\nc: [*b, *b]\").a)\n}\n",
	} {
		if got := opened(t, tree(t, map[string]string{"infra/prod/main.tf": text})); !slices.Contains(got, "unknown") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A file that would overflow the stack is reported as one that cannot be read.
func TestDeepNestingIsNotParsed(t *testing.T) {
	t.Parallel()
	const many = 1 << 18
	texts := map[string]string{
		"json.tf.json":      `{"locals":` + strings.Repeat("[", many),
		"json_text.tf.json": `{"locals": {"x": "${` + strings.Repeat("(", many) + `"}}`,
		"block.tf":          strings.Repeat("a {\n", many),
	}
	for name, text := range map[string]string{
		"parenthesis": strings.Repeat("(", many), "not": strings.Repeat("!", many) + "true",
		"minus": strings.Repeat("-", many) + "1", "question": strings.Repeat("true?1:", many) + "1",
		"list": strings.Repeat("[", many), "template": strings.Repeat("\"${", many),
		"if": `"` + strings.Repeat("%{ if true }", many/4), "splat": "a" + strings.Repeat(".*", many),
		"plus": "1" + strings.Repeat("+1", many), "for": strings.Repeat("[for a in ", many/4), "call": strings.Repeat("a(", many),
		"calls": "a" + strings.Repeat("[0]", many),
	} {
		texts[name+".tf"] = "locals {\n  x = " + text + "\n}\n"
	}
	for name, text := range texts {
		top := tree(t, map[string]string{"infra/prod/" + name: text})
		read, err := configuration.Read(filepath.Join(top, "infra/prod"), true)
		if err != nil {
			t.Fatal(err)
		}
		if name != "json_text.tf.json" && (len(read.Problems) != 1 || !strings.Contains(read.Problems[0].Message, "nested too deeply")) {
			t.Errorf("%s: %+v", name, read.Problems)
		}
		opened(t, top)
	}
}

// A site of thousands of files, uploaded one by one, is read file by file.
func TestReadsOfManyFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{"infra/prod/main.tf": `locals {
  site = "${path.module}/../../site"
}
resource "aws_s3_object" "x" {
  for_each = fileset(local.site, "**")
  source   = "${local.site}/${each.value}"
  etag     = filemd5("${local.site}/${each.value}")
}
`}
	for i := range 3000 {
		files[fmt.Sprintf("site/%03d/a-long-name-of-a-file-%d.html", i%50, i)] = "x"
	}
	got := opened(t, tree(t, files))
	if len(got) != 3001 || slices.Contains(got, "unknown") || !slices.Contains(got, "one site/000/a-long-name-of-a-file-0.html") {
		t.Errorf("%d reads: %q", len(got), got[:min(len(got), 5)])
	}
}

// A name can stand for something else than it seems, and a variable's type can make another
// value of what it is given: what is opened is found all the same, or is not known.
func TestNamesThatStandForSomethingElse(t *testing.T) {
	t.Parallel()
	const environ = "/proc/self/environ"
	variable := func(declared, given string) map[string]string {
		return map[string]string{
			"infra/prod/main.tf": "module \"m\" {\n  source = \"../../m\"\n  x = " + given + "\n}\n", "m/main.tf": declared,
		}
	}
	for name, files := range map[string]map[string]string{
		"an attribute that the type sets": variable(
			"variable \"x\" {\n  type = object({ a = optional(string, \""+environ+"\") })\n}\noutput \"o\" {\n"+
				"  value = file(try(var.x.a, \"ok\"))\n}\n", "{}"),
		"null, where it may not be null": variable(
			"variable \"x\" {\n  nullable = false\n  default = \""+environ+"\"\n}\noutput \"o\" {\n"+
				"  value = file(var.x == null ? \"ok\" : var.x)\n}\n", "null"),
		"a set that becomes a list": variable(
			"variable \"x\" {\n  type = list(string)\n}\noutput \"o\" {\n"+
				"  value = file(var.x[0] == \"b\" ? \"ok\" : \""+environ+"\")\n}\n", `toset(["b", "a"])`),
		"a number that becomes text": variable(
			"variable \"x\" {\n  type = string\n}\noutput \"o\" {\n"+
				"  value = file(var.x == 1 ? \"ok\" : \""+environ+"\")\n}\n", "1"),
		"an attribute that the type drops": variable(
			"variable \"x\" {\n  type = object({ a = string })\n}\noutput \"o\" {\n"+
				"  value = file(try(var.x.b, \""+environ+"\"))\n}\n", `{ a = "a", b = "ok" }`),
		"the default of the root's variable": {"infra/prod/main.tf": "variable \"x\" {\n  type = object({ a = optional(string, \"" + environ +
			"\") })\n  default = {}\n}\noutput \"o\" {\n  value = file(try(var.x.a, \"ok\"))\n}\n"},
		"a dynamic block's each": {"infra/prod/main.tf": "resource \"a\" \"b\" {\n  for_each = toset([\"ok\"])\n  dynamic \"c\" {\n" +
			"    for_each = [\"" + environ + "\"]\n    iterator = each\n    content {\n      d = file(each.value)\n    }\n  }\n}\n"},
		"a dynamic block's local": {"infra/prod/main.tf": "locals {\n  value = \"ok\"\n}\nresource \"a\" \"b\" {\n  dynamic \"c\" {\n" +
			"    for_each = [\"" + environ + "\"]\n    iterator = local\n    content {\n      d = file(local.value)\n    }\n  }\n}\n"},
		"a block called count": {"infra/prod/main.tf": "resource \"a\" \"b\" {\n  dynamic \"count\" {\n    for_each = [\"../../../.." +
			environ + "\"]\n    content {\n      d = file(\"${path.module}/${count.value}\")\n    }\n  }\n}\n"},
		"a dynamic block in JSON": {"infra/prod/main.tf.json": `{"resource": {"a": {"b": {"dynamic": {"c": {"for_each": ["` + environ +
			`"], "iterator": "count", "content": {"d": "${file(\"./${count.value}\")}"}}}}}}}`},
		"a loop around another one": {"infra/prod/main.tf": "locals {\n  p = \"ok\"\n  x = [for local in [{ p = \"" + environ +
			"\" }] : [for y in terraform_data.a.output : file(local.p)]]\n}\n"},
	} {
		found := opened(t, tree(t, files))
		if !slices.ContainsFunc(found, func(s string) bool { return s == "outside "+environ || s == "unknown" }) {
			t.Errorf("%s: opens %v", name, found)
		}
	}
}

// What a type sets is as good as what is written out.
func TestDefaultsOfAType(t *testing.T) {
	t.Parallel()
	found := opened(t, tree(t, map[string]string{
		"infra/prod/main.tf": "module \"m\" {\n  source = \"../../m\"\n  x = {}\n}\n",
		"m/main.tf": "variable \"x\" {\n  type = object({ a = optional(string, \"a.txt\") })\n}\noutput \"o\" {\n" +
			"  value = file(\"${path.module}/${var.x.a}\")\n}\n",
	}))
	if diff := cmp.Diff([]string{"one m/a.txt"}, found); diff != "" {
		t.Error(diff)
	}
}

// A block that is named path is an everyday one.
func TestBlocksThatAreNamedPath(t *testing.T) {
	t.Parallel()
	found := opened(t, tree(t, map[string]string{"infra/prod/main.tf": "resource \"a\" \"b\" {\n  dynamic \"path\" {\n" +
		"    for_each = [\"x\"]\n    content {\n      d = path.value\n      e = file(\"${path.module}/a\")\n    }\n  }\n}\n"}))
	if diff := cmp.Diff([]string{"one infra/prod/a"}, found); diff != "" {
		t.Error(diff)
	}
}

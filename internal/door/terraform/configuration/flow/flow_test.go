package flow_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration/flow"
)

// find writes the files of modules, by their keys and names (a.b/main.tf; the root's key
// is empty), and finds what is reached. Variables called theirs are given by the plan alone.
func find(t *testing.T, files map[string]string) *flow.Found {
	t.Helper()
	top, dirs := t.TempDir(), map[string]string{}
	for name, text := range files {
		path := filepath.Join(top, "root", name)
		dirs[strings.TrimSuffix(filepath.Dir(name), ".")] = filepath.Dir(path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := flow.Find(dirs, func(variable string) bool { return variable == "theirs" })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Settings that decide where something connects to must be constants, or they are found.
func TestSettingsThatDepend(t *testing.T) {
	t.Parallel()
	const child = "variable \"in\" {}\noutput \"out\" {\n  value = var.in\n}\noutput \"fixed\" {\n  value = 1\n}\n"
	const called = "module \"c\" {\n  source = \"./c\"\n  in = data.d.a.v\n}\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"constants": {files: map[string]string{"main.tf": `
variable "ours" {}
locals {
  a = { b = "${var.ours}-${path.module}-${terraform.workspace}" }
}
provider "p" {
  one = "x"
  two = local.a.b
  three {
    four = [for x in ["a"] : upper(x)]
  }
  dynamic "five" {
    for_each = local.a
    content {
      six = five.value
    }
  }
}
resource "r" "x" {
  for_each = { a = 1 }
  provisioner "local-exec" {
    command = "${each.value} ${count.index}"
  }
}
module "c" {
  source = "./c"
  in     = local.a
}
provider "q" {
  one = module.c.out
  two = module.c[0].fixed
}
`, "c/main.tf": child}},
		"a data source":          {map[string]string{"main.tf": "provider \"p\" {\n  x = data.d.a.v\n}\n"}, []string{"provider p"}},
		"a resource":             {map[string]string{"main.tf": "provider \"p\" {\n  x = r.a.v\n}\n"}, []string{"provider p"}},
		"a variable of the plan": {map[string]string{"main.tf": "provider \"p\" {\n  x = var.theirs\n}\n"}, []string{"provider p"}},
		"a block": {map[string]string{
			"main.tf": "provider \"p\" {\n  x {\n    y = data.d.a.v\n  }\n}\n",
		}, []string{"provider p"}},
		"a dynamic block": {map[string]string{
			"main.tf": "provider \"p\" {\n  dynamic \"x\" {\n    for_each = data.d.a.v\n    content {\n      y = x.value\n    }\n  }\n}\n",
		}, []string{"provider p"}},
		"an iterator called var": {map[string]string{
			"main.tf": "provider \"p\" {\n  dynamic \"x\" {\n    for_each = data.d.a.v\n    iterator = var\n" +
				"    content {\n      y = var.value\n    }\n  }\n}\n",
		}, []string{"provider p"}},
		"a loop whose name is var": {map[string]string{
			"main.tf": "provider \"p\" {\n  x = [for var in data.d.a.v : var.y]\n}\n",
		}, []string{"provider p"}},
		"locals that lead nowhere": {map[string]string{"main.tf": "provider \"p\" {\n  x = local.none\n}\n"}, []string{"provider p"}},
		"locals in a circle": {map[string]string{
			"main.tf": "locals {\n  a = local.b\n  b = local.a\n}\nprovider \"p\" {\n  x = local.a\n}\n",
		}, []string{"provider p"}},
		"locals in a circle, several times": {map[string]string{ // followed twice each time, it would never end
			"main.tf": "locals {\n  a = [local.b, local.b]\n  b = [local.a, local.a]\n}\nprovider \"p\" {\n  x = local.a\n}\n",
		}, []string{"provider p"}},
		"a local by its index": {map[string]string{
			"main.tf": "locals {\n  a = data.d.a.v\n}\nprovider \"p\" {\n  x = local[\"a\"]\n}\n",
		}, []string{"provider p"}},
		"all locals": {map[string]string{"main.tf": "provider \"p\" {\n  x = local\n}\n"}, []string{"provider p"}},
		"a local that is overriden": {map[string]string{
			"main.tf": "locals {\n  a = 1\n}\nprovider \"p\" {\n  x = local.a\n}\n", "x_override.tf": "locals {\n  a = data.d.a.v\n}\n",
		}, []string{"provider p"}},
		"an output": {map[string]string{
			"main.tf":   called + "provider \"p\" {\n  x = module.c.out\n}\n",
			"c/main.tf": child,
		}, []string{"provider p"}},
		"all outputs": {map[string]string{
			"main.tf":   called + "provider \"p\" {\n  x = module.c[*].out\n}\n",
			"c/main.tf": child,
		}, []string{"provider p"}},
		"each of a module": {map[string]string{
			"main.tf": "module \"c\" {\n  source = \"./c\"\n  for_each = data.d.a.v\n  in = each.value\n}\n" +
				"provider \"p\" {\n  x = module.c[\"k\"].out\n}\n",
			"c/main.tf": child,
		}, []string{"provider p"}},
		"a module that is not there": {map[string]string{
			"main.tf": "provider \"p\" {\n  x = module.none.out\n}\n",
		}, []string{"provider p"}},
		"in a module": {map[string]string{"main.tf": called,
			"c/main.tf": child + "provider \"p\" {\n  x = var.in\n}\n"}, []string{"provider p of module c"}},
		"in a module of a module": {map[string]string{"main.tf": called,
			"c/main.tf":   child + "module \"d\" {\n  source = \"./d\"\n  in = var.in\n}\n",
			"c.d/main.tf": "variable \"in\" {}\nprovider \"p\" {\n  x = var.in\n}\n"},
			[]string{"provider p of module c.d"}},
		"a connection": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  connection {\n    host = self.ip\n  }\n}\n",
		}, []string{"connection of r.x"}},
		"a provisioner": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  provisioner \"local-exec\" {\n    command = data.d.a.v\n  }\n}\n",
		}, []string{"provisioner of r.x"}},
		"each of a provisioner": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  for_each = data.d.a.v\n" +
				"  provisioner \"local-exec\" {\n    command = each.value\n  }\n}\n",
		}, []string{"provisioner of r.x"}},
		"what is removed": {map[string]string{
			"main.tf": "removed {\n  from = r.x\n  provisioner \"local-exec\" {\n    command = self.id\n  }\n}\n",
		}, []string{"provisioner of removed"}},
		"an ephemeral resource": {map[string]string{
			"main.tf": "ephemeral \"e\" \"x\" {\n  y = data.d.a.v\n}\nprovider \"p\" {\n  x = ephemeral.e.x.y\n}\n",
		}, []string{"ephemeral e x"}},
		"a provider's metadata": {map[string]string{
			"main.tf": "terraform {\n  provider_meta \"p\" {\n    x = data.d.a.v\n  }\n}\n",
		}, []string{"provider_meta p"}},
		"an action": {map[string]string{
			"main.tf": "action \"a\" \"x\" {\n  config {\n    y = data.d.a.v\n  }\n}\n",
		}, []string{"action a x"}},
		"a check": {map[string]string{
			"main.tf": "check \"c\" {\n  assert {\n    condition = data.d.a.v\n    error_message = \"\"\n  }\n}\n",
		}, []string{"a condition of check c"}},
		"a validation": {map[string]string{
			"main.tf": "variable \"v\" {\n  validation {\n" +
				"    condition = data.d.a.v\n    error_message = \"\"\n  }\n}\n",
		}, []string{"a condition of variable v"}},
		"a precondition of an output": {map[string]string{
			"main.tf": "output \"o\" {\n  value = 1\n  precondition {\n" +
				"    condition = data.d.a.v\n    error_message = \"\"\n  }\n}\n",
		}, []string{"a condition of output o"}},
		"a postcondition": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  lifecycle {\n    postcondition {\n" +
				"      condition = data.d.a.v\n      error_message = \"\"\n    }\n  }\n}\n",
		}, []string{"a condition of r.x"}},
		"a condition of resources": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  lifecycle {\n    postcondition {\n" +
				"      condition = self.v\n      error_message = \"\"\n    }\n  }\n}\n",
		}, nil},
		"written and never read": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  y_wo = data.d.a.v\n}\n",
		}, []string{"y_wo of r.x"}},
		"written in a block": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  b {\n    y_wo = data.d.a.v\n  }\n}\n",
		}, []string{"b of r.x"}},
		"written in a block of a block": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  b {\n    c {\n      y_wo = data.d.a.v\n    }\n  }\n}\n",
		}, []string{"b of r.x"}},
		"written in a dynamic block": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  dynamic \"b\" {\n" +
				"    for_each = data.d.a.v\n    content {\n      y_wo = b.value\n    }\n  }\n}\n",
		}, []string{"b of r.x"}},
		"written in an object": {map[string]string{
			"main.tf": "resource \"r\" \"x\" {\n  b = [{ y_wo = data.d.a.v }]\n}\n",
		}, []string{"b of r.x"}},
		"a file of no configuration": {map[string]string{"main.tf": "provider \"p\" {\n"}, []string{"a file that cannot be read"}},
		"JSON": {map[string]string{
			"main.tf.json": `{"provider":{"p":[{"alias":"a","x":"${data.d.a.v}"},{"x":"fixed"}],"q":{"y":{"z":["${local.a}"]}}},
"locals":{"a":"x"},"resource":{"r":{"x":{"provisioner":{"local-exec":{"command":"${self.id}"}},"lifecycle":{"precondition":{"condition":"${data.d.a.v}"}}}}}}`},
			[]string{"a condition of r.x", "provider p", "provisioner of r.x"}},
		"JSON of checks": {map[string]string{"main.tf.json": `{"check":{"c":{"assert":{"condition":"${data.d.a.v}"}}},
"variable":{"v":{"validation":{"condition":"${data.d.a.v}"}}},"output":{"o":{"value":1,"precondition":{"condition":"${data.d.a.v}"}}}}`},
			[]string{"a condition of check c", "a condition of output o", "a condition of variable v"}},
		"JSON of a provider's metadata": {map[string]string{
			"main.tf.json": `{"terraform":{"provider_meta":{"p":{"x":"${data.d.a.v}"}}}}`,
		}, []string{"provider_meta"}},
		"labels of a dynamic block": {map[string]string{
			"main.tf": "provider \"p\" {\n  dynamic \"x\" {\n    for_each = [1]\n    labels = [data.d.a.v]\n    content {}\n  }\n}\n",
		}, []string{"provider p"}},
		"dynamic blocks in one another": {map[string]string{
			"main.tf": "provider \"p\" {\n  dynamic \"x\" {\n    for_each = [1]\n    iterator = it\n    content {\n      dynamic \"y\" {\n" +
				"        for_each = [it.value]\n        content {\n          z = \"${it.value} ${y.value}\"\n        }\n      }\n    }\n  }\n}\n",
		}, nil},
		"a module that nobody calls": {map[string]string{
			"main.tf": "", "c/main.tf": "variable \"in\" {}\nprovider \"p\" {\n  x = var.in\n}\n",
		}, []string{"provider p of module c"}},
		"a module of a module that is not there": {map[string]string{
			"main.tf": "", "c.d/main.tf": "variable \"in\" {}\nprovider \"p\" {\n  x = var.in\n}\n",
		}, []string{"provider p of module c.d"}},
		"blocks without their labels": {map[string]string{
			"main.tf": "module {\n  source = \"./c\"\n}\noutput {\n  value = 1\n}\nprovider \"p\" {\n  dynamic {\n    x = 1\n  }\n}\n" +
				"resource \"r\" \"x\" {\n  dynamic {\n    x = 1\n  }\n}\n",
		}, nil},
		"JSON that is no template": {map[string]string{"main.tf.json": `{"provider":{"p":{"x":"${"}}}`}, []string{"provider p"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := find(t, c.files).Settings; !slices.Equal(got, c.want) {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

// Arguments that depend on an answer are named, whatever they are mixed with.
func TestArgumentsThatDepend(t *testing.T) {
	t.Parallel()
	found := find(t, map[string]string{"main.tf": `
data "d" "a" {
  x = data.d.b.v
}
resource "r" "x" {
  provider   = p.a
  depends_on = [data.d.a]
  count      = data.d.a.v
  one        = "${data.d.a.v}-${r.y.id}"
  two        = r.y.id
  three      = var.theirs
  four {
    five = data.d.a.v
  }
  dynamic "six" {
    for_each = data.d.a.v
    content {
      y = six.value
    }
  }
}
output "o" {
  value = data.d.a.v
}
output "p" {
  value = r.y.id
}
module "c" {
  source = "./c"
  in     = data.d.a.v
}
`, "c/main.tf": "variable \"in\" {}\nresource \"r\" \"z\" {\n  y = var.in\n}\noutput \"out\" {\n  value = var.in\n}\n"})
	want := map[string][]string{"d.a": {"x"}, "r.x": {"four", "one", "six", "three"}, "output.o": {"value"}, "r.z": {"y"}}
	if !maps.EqualFunc(found.Answers, want, slices.Equal[[]string]) {
		t.Errorf("%q", found.Answers)
	}
	if len(found.Settings) > 0 {
		t.Errorf("%q", found.Settings)
	}
}

// A name that leads from one to another without end is not followed without end.
func TestLongChains(t *testing.T) {
	t.Parallel()
	var chain strings.Builder
	chain.WriteString("locals {\n  a = 1\n")
	name := "a"
	for range 2000 {
		chain.WriteString("  " + name + "a = local." + name + "\n")
		name += "a"
	}
	chain.WriteString("}\nprovider \"p\" {\n  x = local." + name + "\n}\n")
	if got := find(t, map[string]string{"main.tf": chain.String()}).Settings; !slices.Equal(got, []string{"provider p"}) {
		t.Errorf("%q", got)
	}
}

// How far one name is followed takes nothing from the next one.
func TestManyNames(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	var all []string
	text.WriteString("locals {\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  flat%d = 1\n", i)
		all = append(all, fmt.Sprintf("local.flat%d", i))
	}
	for i := range 499 { // the last one goes beyond, by each of its names
		fmt.Fprintf(&text, "  deep%d = local.deep%d\n", i, i+1)
	}
	fmt.Fprintf(&text, "  deep499 = [%s]\n  fixed = 1\n}\n", strings.Join(all, ", "))
	flat := text.String() + "provider \"q\" {\n  x = [" + strings.Join(all, ", ") + "]\n}\n"
	if got := find(t, map[string]string{"main.tf": flat}).Settings; len(got) > 0 {
		t.Errorf("%q", got)
	}
	deep := text.String() + "provider \"p\" {\n  x = local.deep0\n}\nprovider \"q\" {\n  x = local.fixed\n}\n"
	if got := find(t, map[string]string{"main.tf": deep}).Settings; !slices.Equal(got, []string{"provider p"}) {
		t.Errorf("%q", got)
	}
}

package configuration

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// definitions are what one directory of configuration defines, before anything
// of it is evaluated. A name that several files define, as overrides do, has
// several expressions.
type definitions struct {
	declared  map[string]bool // variables
	defaults  map[string][]hcl.Expression
	types     map[string][]hcl.Expression // of variables
	nullable  map[string][]hcl.Expression
	locals    map[string][]hcl.Expression
	calls     map[string][]hcl.Attributes // of module blocks
	forEach   map[string][]hcl.Expression // of other blocks, by type and labels
	native    []*hclsyntax.Body
	documents []document // in JSON syntax
}

type document struct {
	file string
	data []byte
}

var definitionSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("variable", "name"), block("locals"), block("module", "name"),
	block("resource", "type", "name"), block("data", "type", "name"), block("ephemeral", "type", "name")}}

var forEachSchema = &hcl.BodySchema{Attributes: attributes("for_each")}

func blockName(kind string, labels []string) string {
	return strings.Join(append([]string{kind}, labels...), " ")
}

// define reads a directory. Files that cannot be read are left out: Read
// reports them, and the caller refuses them.
func define(dir string) (*definitions, error) {
	files, err := Files(dir, false)
	if err != nil {
		return nil, err
	}
	d := &definitions{declared: map[string]bool{}, defaults: map[string][]hcl.Expression{},
		types: map[string][]hcl.Expression{}, nullable: map[string][]hcl.Expression{}, locals: map[string][]hcl.Expression{},
		calls:   map[string][]hcl.Attributes{},
		forEach: map[string][]hcl.Expression{}}
	r := &reader{m: &Module{Dir: dir}}
	for _, file := range files {
		body := r.parse(file)
		if body == nil {
			continue
		}
		if native, ok := body.(*hclsyntax.Body); ok {
			d.native = append(d.native, native)
		} else if data, err := os.ReadFile(file); err == nil {
			d.documents = append(d.documents, document{file, data})
		}
		content, _, _ := body.PartialContent(definitionSchema)
		for _, b := range content.Blocks {
			d.block(b)
		}
	}
	return d, nil
}

func (d *definitions) block(b *hcl.Block) {
	attributes, _ := b.Body.JustAttributes()
	switch b.Type {
	case "variable":
		d.declared[b.Labels[0]] = true
		for name, of := range map[string]map[string][]hcl.Expression{"default": d.defaults, "type": d.types, "nullable": d.nullable} {
			if a := attributes[name]; a != nil {
				of[b.Labels[0]] = append(of[b.Labels[0]], a.Expr)
			}
		}
	case "locals":
		for name, a := range attributes {
			d.locals[name] = append(d.locals[name], a.Expr)
		}
	case "module":
		d.calls[b.Labels[0]] = append(d.calls[b.Labels[0]], attributes)
	default:
		content, _, _ := b.Body.PartialContent(forEachSchema)
		if a := content.Attributes["for_each"]; a != nil {
			name := blockName(b.Type, b.Labels)
			d.forEach[name] = append(d.forEach[name], a.Expr)
		}
	}
}

// variableFiles lists the files of variables that terraform reads unasked, in
// the order in which a later one wins.
func variableFiles(root string, more []string) []string {
	var files []string
	for _, name := range []string{"terraform.tfvars", "terraform.tfvars.json"} {
		files = append(files, filepath.Join(root, name))
	}
	var automatic []string
	entries, err := os.ReadDir(root)
	if err == nil {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".auto.tfvars") || strings.HasSuffix(e.Name(), ".auto.tfvars.json") {
				automatic = append(automatic, filepath.Join(root, e.Name()))
			}
		}
	}
	sort.Strings(automatic)
	return append(append(files, automatic...), more...)
}

// assignments are the expressions that the files of variables give to the root's
// variables.
func assignments(root string, more []string) map[string]hcl.Expression {
	given := make(map[string]hcl.Expression)
	for _, file := range variableFiles(root, more) {
		data, err := readBounded(file)
		if err != nil {
			continue
		}
		parsed, _ := parseFile(data, file, strings.HasSuffix(file, ".json"))
		if parsed == nil || parsed.Body == nil {
			continue
		}
		attributes, _ := parsed.Body.JustAttributes()
		for name, a := range attributes {
			given[name] = a.Expr
		}
	}
	return given
}

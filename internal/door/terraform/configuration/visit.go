package configuration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// fileFunctions open the file that their first argument names.
var fileFunctions = []string{
	"file", "filebase64", "filebase64sha256", "filebase64sha512", "filemd5", "filesha1", "filesha256", "filesha512", "fileexists",
	"templatefile", "fileset", "templatestring",
}

// block finds the reads of a block of the native syntax.
func (s *scope) block(b *hclsyntax.Block) {
	in := blockName(b.Type, b.Labels)
	rounds := s.rounds(s.def.forEach[in], nil)
	if b.Type == "module" && len(b.Labels) == 1 {
		var forEach []hcl.Expression
		for _, attributes := range s.def.calls[b.Labels[0]] {
			if a := attributes["for_each"]; a != nil {
				forEach = append(forEach, a.Expr)
			}
		}
		rounds = s.rounds(forEach, nil)
	}
	s.iterators(b.Body)
	s.expressions(b.Body, in, rounds)
	if b.Type == "data" && len(b.Labels) > 0 && b.Labels[0] == RemoteState {
		s.remoteState(b.Body, in, rounds)
	}
	if slices.Contains([]string{"resource", "data", "ephemeral", "provider", "module", "action", "check", "list"}, b.Type) {
		s.settings(b.Body, in, b.Type, rounds)
	}
}

// ownNames are those by which terraform's own values are known.
var ownNames = []string{"var", "local", "each", "count", "terraform", "path"}

// iterators finds dynamic blocks that give such a name to something else: what stands in
// them is not what it seems. Blocks named path are everyday ones, whose iterator has
// neither module nor root.
func (s *scope) iterators(body *hclsyntax.Body) {
	for _, b := range body.Blocks {
		s.iterators(b.Body)
		if b.Type != "dynamic" || len(b.Labels) == 0 {
			continue
		}
		name := b.Labels[0]
		if a := b.Body.Attributes["iterator"]; a != nil {
			name = hcl.ExprAsKeyword(a.Expr)
		}
		if name != "path" && slices.Contains(ownNames, name) {
			s.find.add(s, Opened{By: "dynamic block with iterator " + name, Extent: Unknown, Function: true, Place: place(b.TypeRange)})
		}
	}
}

// expressions finds the functions that open files, however deep.
func (s *scope) expressions(n hclsyntax.Node, in string, rounds []env) {
	_ = hclsyntax.Walk(n, &visitor{scope: s, in: in, rounds: [][]env{rounds}})
}

type visitor struct {
	scope  *scope
	in     string
	rounds [][]env // the innermost last
	loops  []*hclsyntax.ForExpr
}

// Enter implements hclsyntax.Walker.
func (v *visitor) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.ForExpr:
		v.loops = append(v.loops, n)
	case hclsyntax.ChildScope:
		v.rounds = append(v.rounds, v.loop(v.loops[len(v.loops)-1]))
	case *hclsyntax.FunctionCallExpr:
		v.function(n)
	}
	return nil
}

// Exit implements hclsyntax.Walker.
func (v *visitor) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch n.(type) {
	case *hclsyntax.ForExpr:
		v.loops = v.loops[:len(v.loops)-1]
	case hclsyntax.ChildScope:
		v.rounds = v.rounds[:len(v.rounds)-1]
	}
	return nil
}

func (v *visitor) names() []env { return v.rounds[len(v.rounds)-1] }

// loop gives the names of each round of a for expression. The names around it stay: they
// can be those of terraform, such as local.
func (v *visitor) loop(e *hclsyntax.ForExpr) []env {
	var rounds []env
	unknown := func(names env) env { return with(with(names, e.KeyVar, cty.DynamicVal), e.ValVar, cty.DynamicVal) }
	for _, names := range v.names() {
		collection := v.scope.eval(e.CollExpr, names)
		if !collection.IsKnown() || collection.IsNull() || !collection.CanIterateElements() {
			rounds = append(rounds, unknown(names))
			continue
		}
		if len(rounds)+collection.LengthInt() > maxInstances {
			return []env{unknown(unknownNames(v.names()))}
		}
		for it := collection.ElementIterator(); it.Next(); {
			key, value := it.Element()
			if collection.Type().IsSetType() {
				key = value
			}
			rounds = append(rounds, with(with(names, e.KeyVar, key), e.ValVar, value))
		}
	}
	return rounds
}

func unknownNames(rounds []env) env {
	all := env{}
	for _, names := range rounds {
		for name := range names {
			all[name] = cty.DynamicVal
		}
	}
	return all
}

func (v *visitor) function(call *hclsyntax.FunctionCallExpr) {
	name := strings.TrimPrefix(call.Name, "core::")
	at := place(call.NameRange)
	if strings.HasPrefix(name, "provider::") {
		for _, argument := range call.Args {
			for _, names := range v.names() {
				v.scope.candidates(v.scope.eval(argument, names), Opened{By: name, Place: at}, false)
			}
		}
		return
	}
	if !slices.Contains(fileFunctions, name) {
		return
	}
	read := Opened{By: name, Function: true, Place: at}
	if len(call.Args) == 0 || call.ExpandFinal && len(call.Args) == 1 {
		read.Extent = Unknown
		v.scope.find.add(v.scope, read)
		return
	}
	for _, names := range distinct(v.names(), call.Args...) {
		switch name {
		case "templatestring":
			v.scope.templateText(v.scope.eval(call.Args[0], names), read)
		case "fileset":
			v.scope.filesetRead(call, names, read)
		default:
			for _, path := range v.scope.branches(call.Args[0], names) {
				r := v.scope.pathRead(path, names, read)
				v.scope.find.add(v.scope, r)
				if name == "templatefile" && !r.Outside {
					v.scope.template(r)
				}
			}
		}
	}
}

// branches are the paths that an expression can be, where only a condition is not known.
func (s *scope) branches(e hclsyntax.Expression, names env) []hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return s.branches(e.Expression, names)
	case *hclsyntax.ConditionalExpr:
		if !s.eval(e.Condition, names).IsKnown() {
			return append(s.branches(e.TrueResult, names), s.branches(e.FalseResult, names)...)
		}
	}
	return []hclsyntax.Expression{e}
}

// distinct are the rounds in which expressions can have other values: one, where
// they name nothing that changes from round to round.
func distinct[E hcl.Expression](rounds []env, expressions ...E) []env {
	if len(rounds) < 2 {
		return rounds
	}
	for _, e := range expressions {
		for _, traversal := range e.Variables() {
			if _, ok := rounds[0][traversal.RootName()]; ok {
				return rounds
			}
		}
	}
	return rounds[:1]
}

// pathRead says what a path, as an expression, can be.
func (s *scope) pathRead(e hcl.Expression, names env, r Opened) Opened {
	v := s.eval(e, names)
	if text, ok := asText(v); ok {
		r.Extent, r.Written, r.Path = One, text, s.find.absolute(text)
		r.Outside = s.find.leaves(r.Path)
		return r
	}
	r.Extent = Unknown
	if v.IsKnown() || !s.plain(e, names, false) {
		return r
	}
	prefix := ""
	if v.Type() == cty.String {
		prefix = v.Range().StringPrefix()
	}
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return r
	}
	r.Extent, r.Written, r.Path = Below, prefix+"…", s.find.absolute(prefix[:i+1])
	s.find.named = true
	r.Given = !s.eval(e, names).IsWhollyKnown()
	s.find.named = false
	r.Outside = s.find.leaves(r.Path)
	return r
}

// filesetRead reads the names below a directory; a pattern can leave it.
func (s *scope) filesetRead(call *hclsyntax.FunctionCallExpr, names env, r Opened) {
	r = s.pathRead(call.Args[0], names, r)
	pattern := cty.DynamicVal
	if len(call.Args) > 1 {
		pattern = s.eval(call.Args[1], names)
	}
	text, ok := asText(pattern)
	switch {
	case !ok && r.Extent != Unknown && (len(call.Args) < 2 || !s.plain(call.Args[1], names, true)):
		r = Opened{By: r.By, Extent: Unknown, Function: true, Place: r.Place}
	case ok && r.Extent == One && strings.Contains(text, ".."):
		static, _, _ := strings.Cut(text, "*")
		r.Path, r.Written = s.find.absolute(filepath.Join(r.Written, static)), r.Written+"/"+text
		r.Outside = r.Outside || s.find.leaves(r.Path) || strings.Contains(text[len(static):], "..")
	}
	s.find.add(s, r)
}

var opens = regexp.MustCompile(`\b(file(base64|base64sha256|base64sha512|md5|sha1|sha256|sha512|exists|set)?|template(file|string))\s*\(`)

// template finds what the template itself opens: its expressions can call the
// same functions.
func (s *scope) template(r Opened) {
	files := []string{r.Path}
	switch r.Extent {
	case Unknown:
		return
	case Below:
		files = nil
		_ = filepath.WalkDir(r.Path, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && len(files) < maxScopes {
				files = append(files, path)
			}
			return nil
		})
	}
	for _, file := range files {
		data, err := s.find.content(file)
		if err != nil || !opens.Match(data) {
			if err != nil && !os.IsNotExist(err) {
				s.find.add(s, Opened{By: "templatefile " + s.find.relative(file), Extent: Unknown, Function: true, Place: r.Place})
			}
			continue
		}
		s.templateData(data, file, r)
	}
}

func (s *scope) templateText(v cty.Value, r Opened) {
	text, ok := asText(v)
	if !ok {
		r.Extent = Unknown
		s.find.add(s, r)
		return
	}
	if opens.MatchString(text) {
		s.templateData([]byte(text), r.File, r)
	}
}

// templateData judges the functions of a template, whose variables are not
// known.
func (s *scope) templateData(data []byte, name string, r Opened) {
	if s.find.templates >= maxTemplates {
		s.find.add(s, Opened{By: r.By, Extent: Unknown, Function: true, Place: r.Place})
		return
	}
	s.find.templates++
	parsed, err := parseTemplate(data, name, hcl.InitialPos)
	if err != nil {
		s.find.add(s, Opened{By: r.By + " " + s.find.relative(name), Extent: Unknown, Function: true, Place: r.Place})
		return
	}
	empty := &scope{
		find: s.find, key: s.key, dir: s.dir, def: &definitions{}, locals: map[string]cty.Value{}, pending: map[string]bool{},
		plains: map[string]bool{}, isTemplate: true,
	}
	empty.expressions(parsed, r.By, []env{nil})
}

// document finds the reads of a file in JSON syntax, in which every text is a
// template.
func (s *scope) document(d document) {
	var v any
	if json.Unmarshal(d.data, &v) != nil {
		return // Read reports it
	}
	s.texts(v, d.file, "")
	s.remoteStates(v, d.file, false)
}

func (s *scope) texts(v any, file, key string) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			s.texts(k, file, "")
			s.texts(inner, file, k)
		}
	case []any:
		for _, inner := range v {
			s.texts(inner, file, key)
		}
	case string:
		if key == "iterator" && slices.Contains(ownNames, v) {
			s.find.add(s, Opened{By: "iterator " + v, Extent: Unknown, Function: true, Place: Place{File: file, Line: 1}})
		}
		unknownEach := []env{{"each": cty.DynamicVal}}
		parsed, err := parseTemplate([]byte(v), file, hcl.InitialPos)
		if err != nil {
			if opens.MatchString(v) {
				s.find.add(s, Opened{By: filepath.Base(file), Extent: Unknown, Function: true, Place: Place{File: file, Line: 1}})
			}
			return
		}
		s.expressions(parsed, filepath.Base(file), unknownEach)
		s.setting(key, parsed, Opened{By: filepath.Base(file) + " " + key, Place: Place{File: file, Line: 1}}, unknownEach)
	}
}

// paths are the settings by which providers open files, in the root's directory
// where they do not begin with a slash.
var paths = []string{
	"source", "filename", "source_file", "source_dir", "source_path", "content_path", "zip_file", "chart", "context", "dockerfile",
	"local_path",
	"credentials_file", "private_key_path", "key_file", "config_file", "kubeconfig", "package", "file", "file_path",
	"template_file", "manifest", "script", "scripts",
}

// settings finds the files that a provider may open by what a block sets.
func (s *scope) settings(body *hclsyntax.Body, in, kind string, rounds []env) {
	for name, a := range body.Attributes {
		if kind == "module" && (name == "source" || name == "version") {
			continue
		}
		s.setting(name, a.Expr, Opened{By: in + " " + name, Place: place(a.NameRange)}, rounds)
	}
	for _, b := range body.Blocks {
		if b.Type == "data" && len(b.Labels) > 0 && b.Labels[0] == RemoteState { // of a check
			s.remoteState(b.Body, blockName(b.Type, b.Labels), rounds)
		}
		s.settings(b.Body, in+" "+b.Type, kind, rounds)
	}
}

func (s *scope) setting(name string, e hcl.Expression, r Opened, rounds []env) {
	named := slices.Contains(paths, name)
	for _, names := range distinct(rounds, e) {
		v := s.eval(e, names)
		if v.IsWhollyKnown() || !named {
			s.candidates(v, r, named)
			continue
		}
		r.Extent = Unknown
		if prefix := prefixOf(v); prefix != "" {
			r.Extent, r.Written, r.Path = Below, prefix, s.find.absolute(prefix)
		}
		s.find.add(s, r)
	}
}

// prefixOf is the directory that a path begins with, as far as it is known.
func prefixOf(v cty.Value) string {
	if v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	prefix := v.Range().StringPrefix()
	return prefix[:strings.LastIndexByte(prefix, '/')+1]
}

const maxPath = 1024

// candidates reports every text in a value that is the path of something.
func (s *scope) candidates(v cty.Value, r Opened, named bool) {
	if v.IsNull() {
		return
	}
	if prefix := prefixOf(v); prefix != "" {
		v = cty.StringVal(prefix)
	}
	if v.IsKnown() && v.CanIterateElements() {
		for it := v.ElementIterator(); it.Next(); {
			_, inner := it.Element()
			s.candidates(inner, r, named)
		}
		return
	}
	text, ok := asText(v)
	if !ok || text == "" || len(text) > maxPath || strings.ContainsAny(text, "\n\x00") {
		return
	}
	path := s.find.absolute(text)
	_, err := os.Stat(path)
	if path == s.find.top || path == s.find.root || err != nil && !named {
		return
	}
	r.Extent, r.Written, r.Path = One, text, path
	special := below(path, "/proc") || below(path, "/sys") || below(path, "/dev") || strings.HasPrefix(text, "~")
	r.Outside = named && s.find.leaves(path) && (special || err == nil)
	if r.Outside || s.find.allowed(path) {
		s.find.add(s, r)
	}
}

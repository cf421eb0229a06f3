package render

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/waybill-dev/waybill/internal/limit"
)

// secretive says that a text holds the values of a Secret, or makes one.
var secretive = regexp.MustCompile(`(?i)secret|stringData`)

// causes are what the errors of Kustomize, Helm and YAML say, beside the text
// of the documents that they quote.
var causes = []struct {
	pattern *regexp.Regexp
	cause   string
}{
	{regexp.MustCompile(`already defined|already set in map`), "a key stands twice in one mapping"},
	{regexp.MustCompile(`invalid literal source`), "a literal of a generator is not KEY=VALUE"},
	{regexp.MustCompile(`already registered id|already exists`), "two objects or keys have one name"},
	{
		regexp.MustCompile(`unable to parse SM or JSON patch|must specify .*patch|trouble configuring builtin Patch`),
		"a patch cannot be read",
	},
	{
		regexp.MustCompile(`no matches for Id|unable to find patch target|failed to find unique target`),
		"what a patch or reference names is not there",
	},
	{regexp.MustCompile(`cannot decode|cannot unmarshal|json: |cannot construct`), "a value is not of the kind that is wanted there"},
	{
		regexp.MustCompile(`did not find expected|could not find expected|mapping values are not allowed|` +
			`found (character|unknown|unexpected)|unknown anchor|MalformedYAML|yaml: `),
		"it is no valid YAML",
	},
	{regexp.MustCompile(`execution error|executing "|error calling`), "a template fails"},
	{regexp.MustCompile(`values don't meet the specifications`), "the values do not meet the chart's schema"},
	{regexp.MustCompile(`replacement|fieldPath`), "a replacement cannot be made"},
	{regexp.MustCompile(`invalid Kustomization|unknown field`), "a kustomization has a field that is not known"},
}

var (
	lineNumber = regexp.MustCompile(`\bline (\d+)`)
	filePath   = regexp.MustCompile(`[A-Za-z0-9._/-]+`)
	position   = regexp.MustCompile(`\.(?:ya?ml|tpl|txt|json):(\d+)`)
)

// reason is why something cannot be rendered. Errors quote documents, so where
// one of the texts is about a Secret, only cause, files and lines are told.
func (r *Renderer) reason(what string, err error, texts ...string) error {
	if limit.TooMuch(err) || errors.As(err, new(*limit.Exceeded)) {
		return err
	}
	message := strings.ReplaceAll(err.Error(), "'/", "'")
	if !slices.ContainsFunc(texts, secretive.MatchString) {
		return fmt.Errorf("%s: %s", what, strings.TrimPrefix(message, "yaml: "))
	}
	cause := "it cannot be read or made"
	for _, c := range causes {
		if c.pattern.MatchString(message) {
			cause = c.cause
			break
		}
	}
	return fmt.Errorf("%s: %s%s; the words of the error are hidden, because they can quote a Secret", what, cause, r.positions(message))
}

// positions are the files of the commit and the lines that a message names.
func (r *Renderer) positions(message string) string {
	var at []string
	add := func(text string) {
		if !slices.Contains(at, text) {
			at = append(at, text)
		}
	}
	for _, word := range filePath.FindAllString(message, -1) {
		word = strings.Trim(word, "./")
		if _, ok := r.files[word]; ok && strings.ContainsAny(word, "/") {
			add(word)
		}
	}
	for _, pattern := range []*regexp.Regexp{lineNumber, position} {
		for _, m := range pattern.FindAllStringSubmatch(message, -1) {
			add("line " + m[1])
		}
	}
	if len(at) == 0 {
		return ""
	}
	return " (" + strings.Join(at, ", ") + ")"
}

// withoutValues hides the values of a chart in the error of a template. The
// template's own words stay: they are the author's advice.
func withoutValues(message string, values any) string {
	var texts []string
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case chartutil.Values:
			look(map[string]any(v))
		case map[string]any:
			for _, e := range v {
				look(e)
			}
		case []any:
			for _, e := range v {
				look(e)
			}
		case string:
			if len(v) >= 4 {
				texts = append(texts, v, base64.StdEncoding.EncodeToString([]byte(v)))
			}
			for line := range strings.SplitSeq(v, "\n") {
				if len(line) >= 4 && line != v {
					texts = append(texts, line)
				}
			}
		}
	}
	look(values)
	slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) })
	for _, text := range texts {
		message = strings.ReplaceAll(message, text, hiddenText)
	}
	return message
}

// inputs are the texts of a directory and of all that its kustomizations name.
func (r *Renderer) inputs(dir string) []string {
	var texts []string
	for file := range References(r.files, dir) {
		texts = append(texts, string(r.files[file]))
	}
	return texts
}

// References are the files below a directory and those that its kustomizations
// name, themselves or through others. A word that is a path counts, wherever it
// stands, so these can be too many, but not too few.
func References(files map[string][]byte, dir string) map[string]bool {
	below := make(map[string][]string)
	for file := range files {
		below[path.Dir(file)] = append(below[path.Dir(file)], file)
	}
	found, open := make(map[string]bool), []string{dir}
	for seen := map[string]bool{dir: true}; len(open) > 0; {
		dir, open = open[0], open[1:]
		for _, file := range below[dir] {
			found[file] = true
		}
		for _, name := range Named(files, dir) {
			if _, ok := files[name]; ok {
				found[name] = true
			} else if !seen[name] && len(below[name]) > 0 {
				seen[name] = true
				open = append(open, name)
			}
		}
	}
	return found
}

// IsKustomization reports whether a file is a kustomization by its name.
func IsKustomization(file string) bool { return slices.Contains(kustomizationNames, path.Base(file)) }

// pluginFields are the fields of a kustomization that name configurations of
// transformers, generators and validators, which can name files of their own.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
var pluginFields = []string{"transformers", "generators", "validators"}

// NamesAnything reports whether the kustomization of a directory uses plugins:
// their configurations are made like manifests, so the files that they name can be
// put together from pieces.
func NamesAnything(files map[string][]byte, dir string) bool {
	n := naming{files: files, dir: dir, read: make(map[string]bool)}
	return slices.ContainsFunc(kustomizationNames, func(base string) bool {
		text := string(files[path.Join(dir, base)])
		mentions := func(field string) bool { return strings.Contains(text, field) }
		if !strings.ContainsAny(text, `\!`) && !slices.ContainsFunc(pluginFields, mentions) {
			return false // neither a field nor what could spell one otherwise; parsing takes long
		}
		return slices.ContainsFunc(n.file(path.Join(dir, base), dir), func(scalar string) bool {
			return slices.Contains(pluginFields, scalar)
		})
	})
}

// Named are the paths that the kustomization of a directory can mean: its words
// and those of its plugins, and what their texts say once they are read as YAML,
// which can escape and fold.
func Named(files map[string][]byte, dir string) []string {
	n := naming{files: files, dir: dir, read: make(map[string]bool)}
	plugins := false
	for _, base := range kustomizationNames {
		for _, scalar := range n.file(path.Join(dir, base), dir) {
			plugins = plugins || slices.Contains(pluginFields, scalar)
		}
	}
	if plugins {
		// A plugin is any file that is named, or that a directory which is named brings.
		// The paths in it begin where it is used.
		for i := 0; i < len(n.names); i++ {
			name := n.names[i]
			if !IsKustomization(name) {
				n.file(name, dir)
			}
			for _, base := range kustomizationNames {
				n.file(path.Join(name, base), name)
			}
		}
	}
	return n.names
}

// naming gathers the paths that files name.
type naming struct {
	files map[string][]byte
	dir   string
	names []string
	read  map[string]bool
}

// file adds what a file names, once: from dir, and from where it is used. It gives
// the file's scalars.
func (n *naming) file(name, dir string) (scalars []string) {
	if n.read[name] || n.files[name] == nil {
		return nil
	}
	n.read[name] = true
	add := func(words ...string) {
		for _, word := range words {
			n.names = append(n.names, path.Join(n.dir, word))
			if dir != n.dir {
				n.names = append(n.names, path.Join(dir, word))
			}
		}
	}
	words := func(text string) {
		for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\r\n,[]{}\"'=", c) }) {
			add(word, strings.TrimSuffix(word, ":"))
		}
	}
	words(string(n.files[name]))
	documents, _ := limit.Documents(name, n.files[name]) // what cannot be read does not render
	for len(documents) > 0 {
		node := documents[0]
		documents = append(documents[1:], node.Content...)
		if node.Kind != yaml.ScalarNode {
			continue
		}
		value := node.Value
		if node.Style&yaml.TaggedStyle != 0 { // !!binary, say, which stands for another text
			_ = node.Decode(&value)
		}
		add(value)
		words(value)
		if _, file, ok := strings.Cut(value, "="); ok { // KEY=FILE of a generator, whatever stands in the name
			add(file)
		}
		scalars = append(scalars, value)
	}
	return scalars
}

package overlay

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// values searches Helm values for the application's image. Charts spell it in
// many ways; these are known:
//
//   - a mapping with repository (or name, or image), perhaps registry, and one
//     of digest, sha, sha256 or tag;
//   - one text, REPOSITORY:TAG or REPOSITORY@DIGEST, perhaps with the tag in a
//     field beside it.
type values struct {
	t    Target
	root *yaml.Node
}

var (
	repositoryKeys = []string{"repository", "name", "image"}
	digestKeys     = []string{"digest", "sha", "sha256"}
	tagKeys        = []string{"tag", "imageTag", "image_tag", "version"}
	globalRegistry = []string{"global.imageRegistry", "global.image.registry", "global.registry", "imageRegistry"}
)

// findHelm looks at the configured path, or everywhere if none is configured.
// Where the values do not name the image, they can where the chart's own do.
func findHelm(files map[string][]byte, file string, root *yaml.Node, t Target) (located, error) {
	v := values{t: t, root: root}
	if t.Values == "" || t.Values == defaultValues {
		if l := (located{slots: v.all(root)}); len(l.slots) > 0 {
			return l, nil
		}
	}
	at := strings.Split(t.values(), ".")
	node := follow(root, at)
	if slots := v.image(node, parent(root, at), at[len(at)-1], true); len(slots) > 0 {
		return located{slots: slots}, nil
	}
	l := located{missing: v.missing(file, node)}
	var err error
	l.insert, err = v.likeChart(files, root)
	return l, err
}

func (v values) missing(file string, node *yaml.Node) error {
	at := v.t.values()
	if at == "" {
		return outcome.Usagef("%s:1: no image %q in the values: name its repository there, or set the path of its mapping under the "+
			"application's helm.image in waybill.yaml", file, v.t.Image.Name())
	}
	if repository := first(node, repositoryKeys...); repository != nil {
		return missing(file, repository, at+".repository", v.t, []string{value(repository)})
	}
	if line, other := v.elsewhere(); other != "" {
		return outcome.Usagef("%s:%d: the image %q stands at %s, where no image is looked for: set the application's helm.image to %s "+
			"in waybill.yaml, if the chart takes a digest there", file, line, v.t.Image.Name(), other, other)
	}
	if node != nil {
		return outcome.Usagef("%s:%d: %s has neither repository nor digest: write digest: \"\" there once", file, node.Line, at)
	}
	return outcome.Usagef(
		"%s:1: no %q in the values: want a mapping with repository and digest there, or set the application's helm.image in waybill.yaml",
		file, at,
	)
}

// elsewhere is the first path through mappings whose text is the image.
func (v values) elsewhere() (line int, where string) {
	v.walk(v.root, nil, func(at []string, n, _ *yaml.Node) {
		path := strings.Join(at, ".")
		if where == "" && scalar(n) && !slices.Contains(at, "[]") && !slices.ContainsFunc(at, func(key string) bool {
			return strings.Contains(key, ".")
		}) && SameRepository(repositoryOf(value(n)), v.t.Image) {
			line, where = n.Line, path
		}
	})
	return line, where
}

// likeChart finds where the chart's own values name the image.
func (v values) likeChart(files map[string][]byte, root *yaml.Node) (*insertion, error) {
	file := path.Join(ChartOf(files, v.t), "values.yaml")
	if files[file] == nil {
		return nil, nil
	}
	documents, err := parse(file, files[file])
	if errors.Is(err, errEmpty) {
		return nil, nil
	}
	if documents = filled(documents); err != nil || len(documents) != 1 {
		return nil, err
	}
	chart := values{t: v.t, root: documents[0]}
	var found *insertion
	chart.walk(documents[0], nil, func(at []string, n, parent *yaml.Node) {
		if found == nil && chart.image(n, parent, at[len(at)-1], false) != nil {
			found = &insertion{root: root, path: slices.Clone(at), like: n}
		}
	})
	return found, nil
}

// ChartOf is the directory of the chart that values are for: the configured one,
// else the closest above the values that holds a chart.
func ChartOf(files map[string][]byte, t Target) string {
	if files[path.Join(t.Chart, "Chart.yaml")] != nil {
		return t.Chart
	}
	for dir := path.Dir(t.Path); ; dir = path.Dir(dir) {
		if files[path.Join(dir, "Chart.yaml")] != nil {
			return dir
		}
		if dir == "." || dir == "/" {
			return t.Chart
		}
	}
}

// all finds every place below a node.
func (v values) all(root *yaml.Node) []slot {
	if v.root == nil {
		v.root = root
	}
	var l located
	v.walk(root, nil, func(at []string, n, parent *yaml.Node) {
		l.add(v.image(n, parent, at[len(at)-1], len(at) == 1 && at[0] == v.t.values())...)
	})
	return l.slots
}

// walk visits the values of mappings. Lists are walked through, but nothing can
// be inserted into what an element of theirs would need a path for.
func (v values) walk(n *yaml.Node, at []string, visit func(at []string, n, parent *yaml.Node)) {
	switch n = resolve(n); {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			inner := append(slices.Clone(at), n.Content[i].Value)
			if n.Content[i+1].Kind == yaml.AliasNode && !scalar(n.Content[i+1]) {
				continue // what it stands for is visited where it is written
			}
			visit(inner, n.Content[i+1], n)
			v.walk(n.Content[i+1], inner, visit)
		}
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			if e.Kind == yaml.MappingNode {
				visit(append(slices.Clone(at), "[]"), e, nil)
			}
			v.walk(e, append(slices.Clone(at), "[]"), visit)
		}
	}
}

// image is the slot of a value that names the image. One that is named by
// waybill.yaml may leave the repository to the chart.
func (v values) image(n, parent *yaml.Node, key string, named bool) []slot {
	n = resolve(n)
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		if s, ok := v.mapping(n, named); ok {
			return []slot{s}
		}
	case n.Kind == yaml.ScalarNode && (key == "image" || strings.HasSuffix(key, "Image") || named):
		if !SameRepository(v.registry(parent, repositoryOf(n.Value)), v.t.Image) {
			return nil
		}
		if tag := first(parent, tagKeys...); tag != nil && !strings.Contains(n.Value, "@") && (v.t.Tagged ||
			strings.Contains(value(tag), "@")) {
			return []slot{{digest: tag, key: keyOf(resolve(parent), tag), tagged: true}}
		}
		return []slot{{whole: n}}
	}
	return nil
}

func (v values) mapping(n *yaml.Node, named bool) (slot, bool) {
	repository, digest, tag := first(n, repositoryKeys...), first(n, digestKeys...), first(n, tagKeys...)
	switch {
	case repository == nil && (!named || digest == nil):
		return slot{}, false
	case repository != nil && !SameRepository(v.registry(n, value(repository)), v.t.Image):
		return slot{}, false
	case tag != nil && (v.t.Tagged || strings.Contains(value(tag), "@sha256:")):
		return slot{digest: tag, key: keyOf(n, tag), tagged: true}, true
	case digest != nil:
		key := keyOf(n, digest)
		return slot{digest: digest, key: key, bare: key.Value != "digest"}, true
	case value(repository) != "" && keyOf(n, repository).Value == "repository" || tag != nil:
		return slot{after: repository, key: keyOf(n, repository), flow: flow(n)}, true
	}
	return slot{}, false
}

// registry puts the registry in front of a repository that is written without.
func (v values) registry(n *yaml.Node, repository string) string {
	if SameRepository(repository, v.t.Image) {
		return repository
	}
	registry := value(first(n, "registry"))
	for _, at := range globalRegistry {
		registry = cmp.Or(registry, value(follow(v.root, strings.Split(at, "."))))
	}
	if registry = strings.TrimSuffix(registry, "/"); registry == "" {
		return repository
	}
	return registry + "/" + repository
}

// first is the first of the keys that a mapping has a text under.
func first(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if v := get(n, key); scalar(v) {
			return v
		}
	}
	return nil
}

func follow(n *yaml.Node, at []string) *yaml.Node {
	for _, step := range at {
		if n = get(n, step); n == nil {
			return nil
		}
	}
	return n
}

func parent(root *yaml.Node, at []string) *yaml.Node { return follow(root, at[:len(at)-1]) }

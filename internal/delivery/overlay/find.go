package overlay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// located is where a file names the image. A file that does not name it has no
// slots; missing says so, and insert, if not nil, says where it could.
type located struct {
	slots   []slot
	insert  *insertion
	missing error
	refused error // why nothing can be written, although the file names the image
}

// add adds slots, each place of the file once: an alias leads to what another place names.
func (l *located) add(slots ...slot) {
	for _, s := range slots {
		same := func(other slot) bool {
			return other.whole == s.whole && other.digest == s.digest && other.at() == s.at()
		}
		if !slices.ContainsFunc(l.slots, same) {
			l.slots = append(l.slots, s)
		}
	}
}

func locate(files map[string][]byte, file string, form Form, t Target) (located, error) {
	documents, err := parse(file, files[file])
	if form == Helm && errors.Is(err, errEmpty) { // everything is left to the chart
		documents, err = []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}}, nil
	}
	if err != nil {
		return located{}, err
	}
	if form == Kustomize || form == Helm {
		documents = filled(documents)
	}
	if (form == Kustomize || form == Helm) && len(documents) != 1 {
		return located{}, outcome.Usagef("%s: %d YAML documents in one file; want one", file, len(documents))
	}
	switch form {
	case Kustomize:
		return findKustomize(file, documents[0], t), nil
	case Helm:
		return findHelm(files, file, documents[0], t)
	case Application:
		return findApplications(file, documents, t), nil
	default:
		return findManifests(file, documents, t), nil
	}
}

func parse(file string, data []byte) ([]*yaml.Node, error) {
	if limit.UTF16(data) {
		return nil, outcome.Usagef("%s: the file is written in UTF-16: save it as UTF-8", file)
	}
	if bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")) {
		return nil, outcome.Usagef("%s: it is a pointer of Git LFS, and what it stands for is not in the repository: commit the file itself",
			file)
	}
	read, err := limit.Documents(file, data)
	if err != nil {
		return nil, err
	}
	var documents []*yaml.Node
	for _, document := range read {
		if len(document.Content) == 1 {
			documents = append(documents, document.Content[0])
		}
	}
	if !slices.ContainsFunc(documents, holds) {
		return nil, outcome.Usagef("%s: %w", file, errEmpty)
	}
	return documents, nil
}

var errEmpty = errors.New("the file is empty")

// holds reports whether a document is more than lines of dashes and comments.
func holds(document *yaml.Node) bool { return document.Tag != "!!null" || document.Value != "" }

// filled leaves out documents at the end that hold nothing: a file may end in a line of dashes.
func filled(documents []*yaml.Node) []*yaml.Node {
	for len(documents) > 1 && !holds(documents[len(documents)-1]) {
		documents = documents[:len(documents)-1]
	}
	return documents
}

func missing(file string, at *yaml.Node, key string, t Target, found []string) error {
	line := 1
	if at != nil {
		line = at.Line
	}
	there := "nothing"
	if len(found) > 0 {
		there = strings.Join(found, ", ")
	}
	return outcome.Usagef("%s:%d: no image %q under %s:\nfound: %s. Add an entry, or correct the application's image or overlay in "+
		"waybill.yaml",
		file, line, t.Image.Name(), key, there)
}

// formOf tells the form of a file by what it holds: objects, or Helm values. An empty one
// beside a chart leaves every value to that.
func formOf(files map[string][]byte, t Target) Form {
	file := t.Path
	documents, err := parse(file, files[file])
	if errors.Is(err, errEmpty) && files[path.Join(ChartOf(files, t), "Chart.yaml")] != nil {
		return Helm
	}
	if err != nil {
		return Manifest
	}
	form := Helm
	for _, d := range documents {
		kind := value(get(d, "kind"))
		switch {
		case strings.HasPrefix(value(get(d, "apiVersion")), "argoproj.io/") && (kind == "Application" || kind == "ApplicationSet"):
			return Application
		case kind != "" || get(d, "apiVersion") != nil || d.Kind != yaml.MappingNode:
			form = Manifest
		}
	}
	if base := path.Base(file); form == Helm && !strings.HasSuffix(base, ".yaml") && !strings.HasSuffix(base, ".yml") {
		return Manifest
	}
	return form
}

// repositoryOf cuts tag and digest off an image.
func repositoryOf(image string) string {
	repository, _ := imageref.Split(image)
	return repository
}

// SameRepository reports whether text names the repository, in any spelling
// that container engines take: acme/api, docker.io/acme/api, index.docker.io/acme/api
// and registry-1.docker.io/acme/api are one.
func SameRepository(text string, repository name.Repository) bool {
	if text == repository.Name() {
		return true
	}
	parsed, err := imageref.ParseLocal(text)
	return err == nil && parsed.Name() == imageref.Canonical(repository).Name()
}

// get finds a mapping's value; nil when there is none.
func get(n *yaml.Node, key string) *yaml.Node {
	_, v := entry(n, key)
	return v
}

// entry finds a mapping's key and value, its own or what it merges (<<); nil when there is
// none.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if k, v = own(n, key); v != nil {
		return k, v
	}
	for _, merged := range merges(n) {
		if k, v = entry(merged, key); v != nil {
			return k, v
		}
	}
	return nil, nil
}

// own finds a key that is written in the mapping itself.
func own(n *yaml.Node, key string) (k, v *yaml.Node) {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// merges are the mappings that a mapping takes keys from which it does not have itself, the
// first one first. https://yaml.org/type/merge.html
func merges(n *yaml.Node) []*yaml.Node {
	_, v := own(n, "<<")
	switch v = resolve(v); {
	case v == nil:
		return nil
	case v.Kind == yaml.SequenceNode:
		return v.Content
	}
	return []*yaml.Node{v}
}

func items(n *yaml.Node) []*yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func value(n *yaml.Node) string {
	if n = resolve(n); n == nil {
		return ""
	}
	return n.Value
}

// scalar reports whether a node is a text, and no mapping or list.
func scalar(n *yaml.Node) bool {
	n = resolve(n)
	return n != nil && n.Kind == yaml.ScalarNode
}

func flow(n *yaml.Node) bool { return n != nil && n.Style&yaml.FlowStyle != 0 }

// onlyDigest parses both sides and refuses a change of anything but the digest:
// the guard against a slot that was located wrongly.
func onlyDigest(before, after map[string][]byte, p Place, t Target, ref imageref.Ref) error {
	file, form := p.File, p.Form
	cannot := func(err error) error { return fmt.Errorf("%s cannot be changed byte by byte: %w", file, err) }
	was, err := locate(before, file, form, t)
	if err != nil {
		return err
	}
	now, err := locate(after, file, form, t)
	if err == nil && len(now.slots) == 0 {
		err = now.missing
	}
	if err != nil {
		return cannot(err)
	}
	for _, s := range now.slots {
		place, err := s.place(file, form, t)
		if err != nil {
			return cannot(err)
		}
		if place.Ref != ref || place.Tag != "" {
			return cannot(fmt.Errorf("it names %s afterwards, not %s", cmp.Or(place.Ref.String(), place.Tag), ref))
		}
	}
	same := false
	if len(was.slots) == 0 {
		same, err = was.insert.explains(before[file], after[file], t, ref)
	} else {
		same = rest(before[file], file, was.slots) == rest(after[file], file, now.slots)
	}
	if err == nil && !same {
		err = fmt.Errorf("more than the digest would differ; put the image on lines of its own")
	}
	if err != nil {
		return cannot(err)
	}
	return nil
}

// rest spells out a file's content without the slots' own digests and tags.
func rest(data []byte, file string, slots []slot) string {
	documents, err := parse(file, data)
	if err != nil {
		return err.Error()
	}
	skip := map[[2]int]bool{}
	for _, s := range slots {
		for _, n := range []*yaml.Node{s.whole, s.digest, s.tag} {
			if n != nil {
				skip[[2]int{n.Line, n.Column}] = true
			}
		}
	}
	skipped := func(n *yaml.Node) bool { return skip[[2]int{n.Line, n.Column}] && n.Kind == yaml.ScalarNode }
	var out strings.Builder
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if skipped(n) {
			return
		}
		if n.Kind == yaml.MappingNode {
			out.WriteString("{")
			for i := 0; i+1 < len(n.Content); i += 2 {
				if !skipped(n.Content[i+1]) {
					fmt.Fprintf(&out, "%q:", n.Content[i].Value)
					walk(n.Content[i+1])
				}
			}
			out.WriteString("}")
			return
		}
		fmt.Fprintf(&out, "%d %q %q %q[", n.Kind, n.Tag, n.Anchor, n.Value)
		for _, c := range n.Content {
			walk(c)
		}
		out.WriteString("]")
	}
	for _, d := range documents {
		walk(d)
	}
	return out.String()
}

// decoded is the content of a file with one document.
func decoded(data []byte) (v any, err error) {
	err = yaml.Unmarshal(data, &v)
	return v, err
}

// explains reports whether the insertion is all that tells after from before.
func (i *insertion) explains(before, after []byte, t Target, ref imageref.Ref) (bool, error) {
	was, err := decoded(before)
	if err != nil {
		return false, err
	}
	now, err := decoded(after)
	if err != nil {
		return false, err
	}
	return reflect.DeepEqual(i.apply(was, t, ref), now), nil
}

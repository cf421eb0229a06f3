// Package admission judges rendered manifests by the admission policies that
// a config repository itself holds, so that a pull request is red before the
// cluster refuses what it merged.
//
// It evaluates ValidatingAdmissionPolicies and their bindings as the API server
// does: in the server's own CEL environment, after the defaults that the server
// would fill in, as creation or, where the object is there already, as update.
// What only a cluster knows (who asks, what they may do, labels of a namespace
// that is not in the repository, parameters that are not) is never taken for
// allowed: it is a Gap, or where a policy might apply, it applies.
//
// It does not type-check expressions against schemas, render kustomizations of
// policies, or know mutating webhooks. It reads nothing but what it is given.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Set is the policies of one commit, with what they need to be evaluated.
type Set struct {
	policies map[string]*policy
	bindings []binding
	world    *world
	// definitions are the policies of all files. Where several have one name,
	// policies has the last.
	definitions []*policy
	// Problems are files that hold policies and cannot be read, and expressions
	// that do not compile.
	Problems []Problem
}

// Problem is a policy that cannot be used, at its place.
type Problem struct {
	File    string
	Line    int
	Message string
}

// world is what else the repository says of the cluster.
type world struct {
	namespaces map[string]map[string]any // objects by name
	params     []map[string]any
	spaces     []object       // the namespaces of all files
	objects    []object       // the params, with their files
	plurals    map[string]crd // by group/kind
}

// object is one object in one file.
type object struct {
	file    string
	content map[string]any
}

type crd struct {
	plural     string
	namespaced bool
}

const (
	group       = "admissionregistration.k8s.io"
	policyKind  = "ValidatingAdmissionPolicy"
	bindingKind = "ValidatingAdmissionPolicyBinding"
)

// dirs are where policies are looked for.
var dirs = [...]string{"platform/", "clusters/"}

// Reads reports whether a file of that name can hold anything that Load takes.
func Reads(name string) bool { return isManifest(name) }

// Load finds the policies, bindings, namespaces, parameters and custom resource
// definitions in the files of a commit: plain manifests below platform/ and
// clusters/.
func Load(files map[string][]byte) *Set {
	s := &Set{policies: make(map[string]*policy), world: &world{namespaces: make(map[string]map[string]any), plurals: make(map[string]crd)}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !isManifest(name) {
			continue
		}
		documents, err := parse(name, files[name])
		if err != nil {
			// Values and templates of charts are no manifests, and none of our business
			// unless a policy is in them.
			if bytes.Contains(files[name], []byte("kind: "+policyKind)) {
				s.Problems = append(s.Problems, Problem{
					File:    name,
					Message: "holds an admission policy and cannot be read as a manifest, so nothing is judged by it: " + err.Error(),
				})
			}
			continue
		}
		for _, d := range documents {
			s.take(name, d)
		}
	}
	s.compile()
	return s
}

func (s *Set) compile() {
	byName := func(a, b *policy) int { return strings.Compare(a.Metadata.Name, b.Metadata.Name) }
	slices.SortStableFunc(s.definitions, byName)
	s.definitions = slices.DeleteFunc(s.definitions, func(p *policy) bool {
		err := p.compile()
		if err != nil {
			s.Problems = append(s.Problems, Problem{File: p.file, Line: p.line,
				Message: fmt.Sprintf("the policy %s does not compile, and the cluster would not take it: %v", p.Metadata.Name, err)})
		}
		return err != nil
	})
	clear(s.policies)
	for _, p := range s.definitions {
		s.policies[p.Metadata.Name] = p
	}
}

// Empty reports whether there is nothing to judge by.
func (s *Set) Empty() bool { return len(s.policies) == 0 || len(s.bindings) == 0 }

func isManifest(name string) bool {
	if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" {
		return false
	}
	return slices.ContainsFunc(dirs[:], func(d string) bool { return strings.HasPrefix(name, d) })
}

func (s *Set) take(file string, d document) {
	kind, _ := d.content["kind"].(string)
	version, _ := d.content["apiVersion"].(string)
	name := textAt(d.content, "metadata", "name")
	switch {
	case strings.HasPrefix(version, group+"/") && kind == policyKind:
		p := &policy{manifest: manifest{file: file, line: d.line}}
		if err := into(d.content, p); err != nil {
			s.Problems = append(s.Problems, Problem{
				File: file, Line: d.line, Message: fmt.Sprintf("the policy %s cannot be read: %v", name, err),
			})
			return
		}
		s.definitions = append(s.definitions, p)
	case strings.HasPrefix(version, group+"/") && kind == bindingKind:
		b := binding{manifest: manifest{file: file, line: d.line}}
		if err := into(d.content, &b); err != nil {
			s.Problems = append(s.Problems, Problem{
				File: file, Line: d.line, Message: fmt.Sprintf("the binding %s cannot be read: %v", name, err),
			})
			return
		}
		s.bindings = append(s.bindings, b)
	case version == "v1" && kind == "Namespace":
		s.world.namespaces[name] = d.content
		s.world.spaces = append(s.world.spaces, object{file, d.content})
	case strings.HasPrefix(version, "apiextensions.k8s.io/") && kind == "CustomResourceDefinition":
		s.world.plurals[textAt(d.content, "spec", "group")+"/"+textAt(d.content, "spec", "names", "kind")] = crd{
			plural: textAt(d.content, "spec", "names", "plural"), namespaced: textAt(d.content, "spec", "scope") == "Namespaced",
		}
	case kind != "" && name != "":
		s.world.params = append(s.world.params, d.content)
		s.world.objects = append(s.world.objects, object{file, d.content})
	}
}

// document is one YAML document and the line of its kind.
type document struct {
	content map[string]any
	line    int
}

func parse(file string, data []byte) ([]document, error) {
	nodes, err := limit.Documents(file, data)
	if err != nil {
		return nil, err
	}
	var documents []document
	for _, node := range nodes {
		if len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
			continue
		}
		var content map[string]any
		if err := node.Decode(&content); err != nil {
			return nil, err
		}
		d := document{line: node.Content[0].Line}
		for i := 0; i+1 < len(node.Content[0].Content); i += 2 {
			if key := node.Content[0].Content[i]; key.Value == "kind" {
				d.line = key.Line
			}
		}
		d.content, _ = render.Normal(content).(map[string]any)
		documents = append(documents, d)
	}
	return documents, nil
}

func into(content map[string]any, to any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// at is the value at a path of keys; nil where there is none.
func at(v any, keys ...string) any {
	for _, key := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func textAt(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

func labels(v any, keys ...string) map[string]string {
	m, _ := at(v, keys...).(map[string]any)
	out := make(map[string]string, len(m))
	for key, value := range m {
		out[key], _ = value.(string)
	}
	return out
}

// Locate finds the objects in a file of manifests, by KIND/NAME: the line of the
// kind. A file that cannot be read has none.
func Locate(file string, data []byte) map[string]int {
	documents, err := parse(file, data)
	if err != nil {
		return nil
	}
	lines := make(map[string]int, len(documents))
	for _, d := range documents {
		key := textAt(d.content, "kind") + "/" + textAt(d.content, "metadata", "name")
		if _, twice := lines[key]; !twice {
			lines[key] = d.line
		}
	}
	return lines
}

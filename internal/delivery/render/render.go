// Package render turns overlays into the objects that Argo CD would apply,
// Kustomize and Helm in-process, and tells two sets of objects apart.
//
// It works on the files of one commit and reads nothing else: no disk, no
// network, no cluster. A base that is not in the repository is refused, because
// what it holds can change without a commit. Nothing is executed: exec plugins,
// container functions and Helm inflation inside Kustomize are off.
package render

import (
	"context"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Object is one rendered Kubernetes object.
type Object struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Content    map[string]any
}

// ID names an object within a cluster, without its version.
func (o Object) ID() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		group = ""
	}
	return group + "/" + o.Kind + "/" + o.Namespace + "/" + o.name()
}

// name is the object's name, or what the cluster is to make one of.
func (o Object) name() string {
	if metadata, ok := o.Content["metadata"].(map[string]any); ok && o.Name == "" {
		if prefix, ok := metadata["generateName"].(string); ok {
			return prefix + "*"
		}
	}
	return o.Name
}

// String names an object for people.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.name()
	}
	return o.Kind + " " + o.Namespace + "/" + o.name()
}

// Renderer renders the overlays of one commit. It is safe for concurrent use.
type Renderer struct {
	files map[string][]byte
	fs    *tree

	mu      sync.Mutex
	checked map[string]visit // directories whose references were looked at
}

// New makes a renderer of files, which must not change afterwards.
func New(files map[string][]byte) *Renderer {
	return &Renderer{files: files, fs: newTree(files), checked: make(map[string]visit)}
}

// Files are those that are rendered.
func (r *Renderer) Files() map[string][]byte { return r.files }

// With renders the same files with one of them changed.
func (r *Renderer) With(name string, data []byte) *Renderer {
	files := maps.Clone(r.files)
	files[name] = data
	if !r.fs.isFile(name) {
		return New(files)
	}
	fs := &tree{files: files, dirs: r.fs.dirs, read: make(map[string]bool)} // no directory comes or goes
	return &Renderer{files: files, fs: fs, checked: make(map[string]visit)}
}

// Read reports whether what was rendered so far comes from the file.
func (r *Renderer) Read(file string) bool { return r.fs.wasRead(file) }

// App renders an application in one environment. Rendering that takes too long
// is given up with a limit.Exceeded.
func (r *Renderer) App(ctx context.Context, app config.App, env string) ([]Object, error) {
	return limit.Do(ctx, fmt.Sprintf("rendering %s in %s", app.Name, env), func() ([]Object, error) { return r.app(app, env) })
}

func (r *Renderer) app(app config.App, env string) ([]Object, error) {
	helm := app.Helm(env)
	target := overlay.Target{Path: app.Overlay(env), Image: app.Image, Values: helm.Image, Chart: helm.Chart}
	file, form, err := overlay.Find(r.files, target)
	if err != nil {
		return nil, err
	}
	switch form {
	case overlay.Kustomize:
		return r.Kustomize(path.Dir(file))
	case overlay.Helm:
		helm.Chart = overlay.ChartOf(r.files, target)
		return r.Helm(helm, file)
	default:
		return r.Manifests(file)
	}
}

func init() { jsonpatch.AccumulatedCopySizeLimit = maxLoadBytes } // "copy" doubles a document with each step

// Kustomize renders the kustomization in a directory.
func (r *Renderer) Kustomize(dir string) ([]Object, error) {
	if err := r.Local(dir); err != nil {
		return nil, err
	}
	defer r.alone(dir)()
	kustomizer := krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionUnspecified,
		LoadRestrictions: types.LoadRestrictionsNone, // everything in r.fs is of this commit
		PluginConfig:     types.DisabledPluginConfig(),
	})
	resources, err := kustomizer.Run(r.fs, "/"+dir)
	if err != nil {
		return nil, r.reason("render "+dir, err, r.inputs(dir)...)
	}
	return r.kustomizeObjects(dir, resources)
}

// schemaLock guards the schema that Kustomize merges patches by, which is one for the
// whole process: a kustomization that sets it is rendered alone, and leaves nothing of
// it behind for others.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/openapi/
var schemaLock sync.RWMutex

// alone waits until the kustomization of a directory may be rendered, and returns what
// ends that.
func (r *Renderer) alone(dir string) func() {
	r.mu.Lock()
	sets := r.checked[dir].schema
	r.mu.Unlock()
	if !sets {
		schemaLock.RLock()
		return schemaLock.RUnlock
	}
	schemaLock.Lock()
	return func() {
		openapi.ResetOpenAPI()
		schemaLock.Unlock()
	}
}

func (r *Renderer) kustomizeObjects(dir string, resources resmap.ResMap) ([]Object, error) {
	var objects []Object
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, r.reason("render "+dir, err, r.inputs(dir)...)
		}
		objects = append(objects, flat(content)...)
	}
	return objects, nil
}

// Manifests reads the objects of a file of plain manifests.
func (r *Renderer) Manifests(file string) ([]Object, error) {
	data, _ := r.fs.get(file)
	return r.parseManifests(file, string(data))
}

func (r *Renderer) parseManifests(source, text string) ([]Object, error) {
	if err := limit.YAML(source, []byte(text)); err != nil {
		return nil, err
	}
	documents, err := Split(source, text)
	if err != nil {
		return nil, r.reason("read "+source, err, text)
	}
	var objects []Object
	for _, document := range documents {
		var content map[string]any
		if err := yaml.Unmarshal([]byte(document), &content); err != nil {
			return nil, r.reason("read "+source, err, text)
		}
		if len(content) == 0 {
			continue
		}
		if kind, _ := content["kind"].(string); kind == "" {
			return nil, fmt.Errorf("read %s: a document without kind", source)
		}
		objects = append(objects, flat(content)...)
	}
	return objects, nil
}

// Split parts a text where Kubernetes' own readers do: at lines that begin with
// three dashes. Those readers take the first document of a part and pass over what
// follows, or take objects in JSON one after another. So a part that holds more than
// one document is refused, and so is a line of dashes that says more than a comment.
// https://github.com/kubernetes/apimachinery/blob/master/pkg/util/yaml/decoder.go
func Split(source, text string) ([]string, error) {
	parts := strings.Split("\n"+text, "\n---")
	for i, part := range parts {
		line, rest, _ := strings.Cut(part, "\n")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return nil, fmt.Errorf("%s: a line of dashes says more than a comment: write what follows it on a line of its own", source)
		}
		documents, err := limit.Documents(source, []byte(rest))
		if err != nil {
			return nil, err
		}
		if len(documents) > 1 {
			return nil, fmt.Errorf("%s: several documents follow each other without a line of dashes between them", source)
		}
		parts[i] = rest
	}
	return parts, nil
}

// flat takes the objects out of a list, as kubectl and Argo CD do: whatever its
// kind, an object whose items are a list of objects is one.
func flat(content map[string]any) []Object {
	items, isList := content["items"].([]any)
	if !isList || len(items) == 0 {
		return []Object{object(content)}
	}
	var objects []Object
	for _, item := range items {
		inner, _ := item.(map[string]any)
		if kind, _ := inner["kind"].(string); kind == "" {
			return []Object{object(content)}
		}
		objects = append(objects, flat(inner)...)
	}
	return objects
}

func object(content map[string]any) Object {
	o := Object{Content: content}
	o.APIVersion, _ = content["apiVersion"].(string)
	o.Kind, _ = content["kind"].(string)
	if metadata, ok := content["metadata"].(map[string]any); ok {
		o.Name, _ = metadata["name"].(string)
		o.Namespace, _ = metadata["namespace"].(string)
	}
	return o
}

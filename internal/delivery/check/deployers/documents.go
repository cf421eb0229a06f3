package deployers

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Values is the kind that stands for a document that is no manifest: values of a
// chart, most of the time.
const Values = "values"

// Documents reads the documents of a file, plain manifests and others.
func Documents(file string, data []byte) ([]render.Object, error) {
	parts, err := render.Split(file, string(data))
	if err != nil {
		return nil, err
	}
	var all []render.Object
	for _, document := range parts {
		objects, err := render.New(map[string][]byte{file: []byte(document)}).Manifests(file)
		if err != nil {
			var content any
			if err := limit.YAML(file, []byte(document)); err != nil {
				return nil, err
			}
			if err := yaml.Unmarshal([]byte(document), &content); err != nil {
				return nil, err
			}
			objects = []render.Object{{Kind: Values, Content: map[string]any{Values: content}}}
		}
		all = append(all, objects...)
	}
	return all, nil
}

// documentsOf reads the documents of a file, and what deployers hold as text. An
// error says that something of it cannot be read, although a cluster may.
func documentsOf(file string, data []byte) ([]render.Object, error) {
	objects, err := Documents(file, data)
	return opened(objects), err
}

// IsManifest reports whether a deployer may take a file for a manifest, by its name.
func IsManifest(file string) bool {
	return file != config.FileName && slices.Contains([]string{".yaml", ".yml", ".json", ""}, path.Ext(file))
}

// Manifests reads plain manifests, kustomizations as if they were some, and
// values. What cannot be read is left out: whoever judges the file says so.
func Manifests(file string, data []byte) []render.Object {
	if slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, path.Base(file)) &&
		!bytes.Contains(append([]byte("\n"), data...), []byte("\nkind:")) {
		data = append([]byte("kind: Kustomization\n"), data...)
	}
	if IsSourceFile(file) {
		data = []byte("kind: Application\nspec:\n  source:\n    path: .\n    " + strings.ReplaceAll(string(data), "\n", "\n    "))
	}
	objects, err := documentsOf(file, data)
	if err != nil {
		return nil
	}
	// Workflows are no values, and a directory that is deployed can hold them.
	if strings.HasPrefix(file, ".github/") || strings.HasPrefix(file, "../") {
		objects = slices.DeleteFunc(objects, func(o render.Object) bool { return o.Kind == Values })
	}
	return objects
}

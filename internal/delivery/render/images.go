package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Image is an image that an object names.
type Image struct {
	Text   string // as it is written, or as its parts would be: REPOSITORY:TAG@DIGEST
	Field  string // spec.template.spec.containers[api].image
	Object Object
}

// Fields says of which fields of custom resources hold images, and which do not
// although their names say so. Each is KIND:PATH, such as
// CronWorkflow:spec.steps[].runner; * is any kind, [] every element.
type Fields struct {
	Add    []string
	Ignore []string
	Texts  bool // whether texts that are manifests are searched too
}

// Images lists the images that objects name, in order, each once.
func Images(objects []Object) []string {
	var images []string
	for _, image := range FindImages(objects, Fields{}) {
		if !slices.Contains(images, image.Text) {
			images = append(images, image.Text)
		}
	}
	return images
}

// FindImages finds every place of the objects that names an image. Objects of
// any kind are searched:
//
//  1. Every field that is called image, or ends in Image, imageName, imageRef
//     and the like: a text, or a mapping that holds reference, or repository or
//     name beside tag or digest. This finds containers of every sort, image
//     volumes, and custom resources.
//  2. Every list or mapping that is called images, or ends in Images.
//  3. Every text that is REPOSITORY@sha256:DIGEST as a whole, wherever it
//     stands, and every variable RELATED_IMAGE_….
//  4. The fields that fields adds.
//  5. If fields asks for it, all of these in every text that is a manifest, or
//     several: of a ConfigMap, of a workflow that creates objects, and so on.
//
// The data of ConfigMaps and Secrets otherwise, and the schemas of custom resource
// definitions, are text for somebody else and are left out.
func FindImages(objects []Object, fields Fields) []Image {
	var images []Image
	for _, o := range objects {
		f := finder{object: o, fields: fields, seen: make(map[string]bool)}
		f.configured()
		if o.Kind != "CustomResourceDefinition" {
			f.walk(o.Content, "", "")
		}
		images = append(images, f.images...)
	}
	return images
}

type finder struct {
	object Object
	fields Fields
	seen   map[string]bool // fields that were taken or are to be ignored
	images []Image
}

var (
	pinned   = regexp.MustCompile(`^(?:oci://|docker://|[A-Za-z0-9._/-]+=)?([^\s@=]+@sha256:[0-9a-fA-F]{64})$`)
	variable = regexp.MustCompile(`\$\(|\$\{|\{\{`)
	imageKey = regexp.MustCompile(`(?i)image[-_]?(name|ref|reference|ur[il]|repository)?$`)
	version  = regexp.MustCompile(`^[^\s/]+(/[^\s/]+)*$`)
)

// add takes a text that stands where an image is meant.
func (f *finder) add(field, text string) {
	text = strings.TrimSpace(text)
	for _, scheme := range []string{"oci://", "docker://", "registry://"} {
		text = strings.TrimPrefix(text, scheme)
	}
	if text == "" || f.seen[field] || strings.Contains(text, "://") {
		return
	}
	f.seen[field] = true
	f.images = append(f.images, Image{Text: text, Field: field, Object: f.object})
}

func (f *finder) walk(v any, at, key string) {
	switch v := v.(type) {
	case string:
		f.manifest(at, v)
		if !strings.Contains(v, "@sha256:") {
			return
		}
		if m := pinned.FindStringSubmatch(v); m != nil {
			f.add(at, m[1])
		}
	case []any:
		at := elements(at, v)
		for i, e := range v {
			f.walk(e, at[i], key)
		}
	case map[string]any:
		if name, _ := v["name"].(string); strings.HasPrefix(name, "RELATED_IMAGE_") {
			f.text(join(at, "value"), v["value"])
		}
		for _, k := range sortedKeys(v) {
			if at == "" && f.isText(k) {
				f.texts(v[k], k)
				continue
			}
			f.field(v[k], join(at, k), k)
			f.walk(v[k], join(at, k), k)
		}
	}
}

// isText reports whether the field holds text for somebody else.
func (f *finder) isText(key string) bool {
	return (f.object.Kind == "ConfigMap" || f.object.Kind == "Secret") && slices.Contains([]string{"data", "stringData", "binaryData"}, key)
}

// texts looks for manifests among the entries of a ConfigMap or Secret.
func (f *finder) texts(v any, at string) {
	entries, _ := v.(map[string]any)
	for _, k := range sortedKeys(entries) {
		text, _ := entries[k].(string)
		f.manifest(join(at, k), text)
	}
}

func (f *finder) manifest(at, text string) {
	if f.fields.Texts {
		for _, inner := range manifestsIn(text) {
			f.walk(inner, at, "")
		}
	}
}

// manifestsIn are the objects of a text that is a manifest, of YAML or JSON.
func manifestsIn(text string) []map[string]any {
	if !strings.Contains(text, "apiVersion") || !strings.Contains(text, "kind") || limit.YAML("", []byte(text)) != nil {
		return nil
	}
	parts, err := Split("", text)
	if err != nil {
		return nil
	}
	var found []map[string]any
	for _, part := range parts {
		var content map[string]any
		if yaml.Unmarshal([]byte(part), &content) == nil && content["apiVersion"] != nil && content["kind"] != nil {
			found = append(found, content)
		}
	}
	return found
}

func (f *finder) field(v any, at, key string) {
	if f.seen[at] {
		return
	}
	switch {
	case key == "image":
		f.image(v, at, false)
	case imageKey.MatchString(key):
		f.image(v, at, true)
	case strings.HasSuffix(strings.ToLower(key), "images"):
		switch v := v.(type) {
		case []any:
			at := elements(at, v)
			for i, e := range v {
				f.image(e, at[i], true)
			}
		case map[string]any:
			for _, k := range sortedKeys(v) {
				f.image(v[k], join(at, k), true)
			}
		}
	}
}

// image takes a value that is called an image. One that is only named like
// one, such as bootImage, must look like one too.
func (f *finder) image(v any, at string, only bool) {
	switch v := v.(type) {
	case string:
		if _, after, ok := strings.Cut(v, "="); ok && only { // NAME=IMAGE, as Kustomize has it
			v = after
		}
		if only && !strings.ContainsAny(v, "/:@") && !variable.MatchString(v) ||
			only && !variable.MatchString(v) && !version.MatchString(v) {
			return
		}
		f.add(at, v)
	case map[string]any:
		f.parts(v, at)
	}
}

// parts joins an image that is written in parts.
func (f *finder) parts(v map[string]any, at string) {
	part := func(keys ...string) string {
		for _, key := range keys {
			if text, ok := v[key].(string); ok && text != "" {
				return text
			}
		}
		return ""
	}
	if reference := part("reference"); reference != "" { // an image volume
		f.add(join(at, "reference"), reference)
		return
	}
	repository := part("repository", "newName", "name")
	tag, digest := part("tag", "newTag"), part("digest", "sha256")
	if repository == "" || tag == "" && digest == "" && part("repository", "newName") == "" {
		return
	}
	if registry := part("registry"); registry != "" {
		repository = registry + "/" + repository
	}
	if tag != "" {
		repository += ":" + tag
	}
	if digest != "" {
		repository += "@" + imageref.Algorithm + strings.TrimPrefix(digest, imageref.Algorithm)
	}
	f.add(at, repository)
}

func (f *finder) text(at string, v any) {
	if text, ok := v.(string); ok {
		f.add(at, text)
	}
}

// packages are images of well-known kinds under another name.
// https://docs.crossplane.io/latest/packages/providers/
// https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
// https://docs.kubewarden.io/reference/CRDs
// https://kubevirt.io/user-guide/storage/containerized_data_importer/
var packages = []string{
	"Provider:spec.package", "Function:spec.package", "Configuration:spec.package", "WasmPlugin:spec.url",
	"ClusterAdmissionPolicy:spec.module", "AdmissionPolicy:spec.module", "DataVolume:spec.source.registry.url",
}

// configured takes what the configuration names, and passes over what it says
// is no image.
func (f *finder) configured() {
	for _, field := range append(slices.Clone(packages), f.fields.Add...) {
		f.each(field, func(at string, v any) { f.text(at, v) })
	}
	for _, field := range f.fields.Ignore {
		f.each(field, func(at string, _ any) { f.seen[at] = true })
	}
}

// each calls found for every value of the object that KIND:PATH names.
func (f *finder) each(field string, found func(at string, v any)) {
	kind, steps, _ := strings.Cut(field, ":")
	if kind != "*" && kind != f.object.Kind {
		return
	}
	var follow func(v any, at string, steps []string)
	follow = func(v any, at string, steps []string) {
		if len(steps) == 0 {
			found(at, v)
			return
		}
		key, lists := strings.CutSuffix(steps[0], "[]")
		m, _ := v.(map[string]any)
		inner, ok := m[key]
		if !ok {
			return
		}
		at = join(at, key)
		if !lists {
			follow(inner, at, steps[1:])
			return
		}
		list, _ := inner.([]any)
		places := elements(at, list)
		for i, e := range list {
			follow(e, places[i], steps[1:])
		}
	}
	follow(f.object.Content, "", strings.Split(steps, "."))
}

var simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// elements names the elements of a list, by their names where no other has the
// same one.
func elements(at string, list []any) []string {
	own, named := names(list)
	out := make([]string, len(list))
	for i := range list {
		if named && simpleName.MatchString(own[i]) {
			out[i] = fmt.Sprintf("%s[%s]", at, own[i])
		} else {
			out[i] = fmt.Sprintf("%s[%d]", at, i)
		}
	}
	return out
}

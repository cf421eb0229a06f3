// Package overlay reads and changes the one place in a config repository that
// names an application's image in one environment.
//
// A change replaces the bytes of the scalar that holds the digest, or inserts
// one line where there is none, and nothing else: comments, order, quoting,
// anchors, line endings and a missing final newline stay. A file that already
// names the digest yields no edit. After every edit the result is parsed again
// and must differ from what was there in that scalar alone.
//
// It knows four forms: Kustomize's images, Helm values, Argo CD Applications,
// and plain manifests. It does not render; see internal/delivery/render.
package overlay

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Form of an overlay.
type Form string

// The forms of overlay.
const (
	Kustomize   Form = "kustomize"
	Helm        Form = "helm"
	Application Form = "application" // argoproj.io Application
	Manifest    Form = "manifest"
)

// kustomizeNames are the names Kustomize accepts, in its order.
// https://kubectl.docs.kubernetes.io/references/kustomize/glossary/#kustomization
var kustomizeNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

const valuesName = "values.yaml"

// Target says where an application's image is named.
type Target struct {
	Path   string          // directory or file in the repository
	Image  name.Repository // the image's repository
	Values string          // dotted path of repository and digest in Helm values; empty is "image"
}

// Place is where a digest is, or would be, written.
type Place struct {
	Form Form
	File string
	Line int          // from 1; 0 when nothing names a digest yet
	Ref  imageref.Ref // what is deployed; zero when the file names no digest
	Tag  string       // the tag that stands where a digest should; empty without one
}

// Edit is one changed line. Old is empty for an inserted one.
type Edit struct {
	File     string
	Line     int
	Old, New string
}

// Result is an edited file.
type Result struct {
	Place  Place // as it was before
	Before []byte
	After  []byte
	Edits  []Edit // empty when the digest stood there already
}

// Candidates lists the files that may be an overlay's, in the order in which
// they are looked for.
func Candidates(t Target) []string {
	candidates := []string{t.Path}
	for _, base := range append(slices.Clone(kustomizeNames), valuesName) {
		candidates = append(candidates, path.Join(t.Path, base))
	}
	return candidates
}

// Find locates the file of an overlay and its form.
func Find(files map[string][]byte, t Target) (string, Form, error) {
	if _, ok := files[t.Path]; ok {
		form := Manifest
		if isApplication(files[t.Path]) {
			form = Application
		}
		return t.Path, form, nil
	}
	for _, base := range kustomizeNames {
		if _, ok := files[path.Join(t.Path, base)]; ok {
			return path.Join(t.Path, base), Kustomize, nil
		}
	}
	if file := path.Join(t.Path, valuesName); files[file] != nil {
		return file, Helm, nil
	}
	return "", "", outcome.Usagef("%s: no overlay there: looked for %s, %s. Make it, or set the application's overlay in waybill.yaml",
		t.Path, strings.Join(kustomizeNames, ", "), valuesName)
}

// Read finds what the overlay names now.
func Read(files map[string][]byte, t Target) (Place, error) {
	file, form, err := Find(files, t)
	if err != nil {
		return Place{}, err
	}
	slot, err := find(file, form, files[file], t)
	if err != nil {
		return Place{}, err
	}
	return slot.place(file, form, t)
}

// Set changes the overlay to name ref's digest. ref must lie in the target's
// repository.
func Set(files map[string][]byte, t Target, ref imageref.Ref) (Result, error) {
	if ref.Repository() != t.Image.Name() {
		return Result{}, outcome.Usagef("%s is not in %s, the application's repository in waybill.yaml", ref, t.Image.Name())
	}
	file, form, err := Find(files, t)
	if err != nil {
		return Result{}, err
	}
	before := files[file]
	slot, err := find(file, form, before, t)
	if err != nil {
		return Result{}, err
	}
	place, err := slot.place(file, form, t)
	if err != nil {
		return Result{}, err
	}
	result := Result{Place: place, Before: before, After: before}
	if place.Ref == ref && place.Tag == "" {
		return result, nil
	}
	result.After, err = slot.write(before, ref)
	if err != nil {
		return Result{}, fmt.Errorf("%s:%d: %w", file, max(place.Line, 1), err)
	}
	if err := sameButImage(file, form, before, result.After, t, ref); err != nil {
		return Result{}, err
	}
	result.Edits = edits(file, before, result.After)
	return result, nil
}

// edits lists the lines that differ. Set changes or inserts single lines only,
// so walking both from the front is enough.
func edits(file string, before, after []byte) []Edit {
	old, changed := strings.SplitAfter(string(before), "\n"), strings.SplitAfter(string(after), "\n")
	var list []Edit
	inserted := len(changed) - len(old)
	for i, j := 0, 0; j < len(changed); j++ {
		switch {
		case i < len(old) && old[i] == changed[j]:
			i++
		case inserted > 0 && (i >= len(old) || slices.Contains(changed[j+1:], old[i])):
			list = append(list, Edit{File: file, Line: j + 1, New: strings.TrimRight(changed[j], "\r\n")})
			inserted--
		default:
			before, after := strings.TrimRight(old[i], "\r\n"), strings.TrimRight(changed[j], "\r\n")
			if before != after { // else only a line ending was added
				list = append(list, Edit{File: file, Line: j + 1, Old: before, New: after})
			}
			i++
		}
	}
	return list
}

// Package overlay reads and changes the one place in a config repository that
// names an application's image in one environment.
//
// A change replaces the bytes of the scalars that hold the digest, or inserts
// the lines that are missing, and nothing else: comments, order, quoting,
// anchors, line endings and a missing final newline stay. A file that already
// names the digest yields no edit. After every edit the result is parsed again
// and must differ from what was there in those scalars alone.
//
// It knows four forms: Kustomize's images, Helm values, Argo CD Applications,
// and plain manifests. It does not render; see internal/delivery/render.
package overlay

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
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
	Chart  string          // directory of the chart that Helm values are for
	// Apart says that the overlay names other images of the application too: without
	// Values, only what names the repository is this one's.
	Apart bool

	// Names are the spellings under which rendered objects name the image, for an
	// entry that a kustomization does not have yet.
	Names []string
	// Tagged writes the digest into the tag of Helm values, TAG@DIGEST, for charts
	// that have no field for a digest.
	Tagged bool
}

const defaultValues = "image"

func (t Target) values() string {
	if t.Apart {
		return t.Values
	}
	return cmp.Or(t.Values, defaultValues)
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
		return t.Path, formOf(files, t), nil
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

// Read finds what the overlay names now. A kustomization that has no entry yet
// names nothing: the place has neither digest nor tag. Where several places of
// the file name the image, the first tag counts, else the first digest.
func Read(files map[string][]byte, t Target) (Place, error) {
	file, form, err := Find(files, t)
	if err != nil {
		return Place{}, err
	}
	l, err := locate(files, file, form, t)
	if err != nil {
		return Place{}, err
	}
	return l.place(file, form, t)
}

func (l located) place(file string, form Form, t Target) (Place, error) {
	if len(l.slots) == 0 {
		if l.refused != nil {
			return Place{}, l.refused
		}
		if l.insert == nil {
			return Place{}, l.missing
		}
		return Place{Form: form, File: file}, nil
	}
	var first Place
	for i, s := range l.slots {
		place, err := s.place(file, form, t)
		if err != nil {
			return Place{}, err
		}
		if i == 0 || place.Tag != "" && first.Tag == "" || first.Ref.IsZero() && first.Tag == "" {
			first = place
		}
	}
	return first, nil
}

// Set changes the overlay to name ref's digest in every place of its file that
// names the image. ref must lie in the target's repository.
func Set(files map[string][]byte, t Target, ref imageref.Ref) (Result, error) {
	if ref.Repository() != t.Image.Name() {
		return Result{}, outcome.Usagef("%s is not in %s, the application's repository in waybill.yaml", ref, t.Image.Name())
	}
	file, form, err := Find(files, t)
	if err != nil {
		return Result{}, err
	}
	l, err := locate(files, file, form, t)
	if err != nil {
		return Result{}, err
	}
	if err := l.writable(t); err != nil {
		return Result{}, err
	}
	place, err := l.place(file, form, t)
	if err != nil {
		return Result{}, err
	}
	result := Result{Place: place, Before: files[file]}
	if result.After, err = l.write(files[file], file, form, t, ref); err != nil {
		return Result{}, fmt.Errorf("%s:%d: %w", file, max(place.Line, 1), err)
	}
	if bytes.Equal(result.Before, result.After) {
		return result, nil
	}
	after := maps.Clone(files)
	after[file] = result.After
	if err := onlyDigest(files, after, Place{File: file, Form: form}, t, ref); err != nil {
		return Result{}, err
	}
	result.Edits = edits(file, result.Before, result.After)
	return result, nil
}

// writable says why nothing can be written; nil if it can.
func (l located) writable(t Target) error {
	switch {
	case l.refused != nil:
		return l.refused
	case len(l.slots) > 0:
		return nil
	case l.insert == nil:
		return l.missing
	}
	if err := l.insert.possible(t); err != nil {
		return outcome.Usagef("%w. No line is inserted for it: %w", l.missing, err)
	}
	return nil
}

// write changes every place that does not name ref already, from the back of
// the file to its front, so that what was located before stays where it is.
func (l located) write(data []byte, file string, form Form, t Target, ref imageref.Ref) ([]byte, error) {
	if len(l.slots) == 0 {
		return l.insert.write(data, t, ref)
	}
	slots := slices.Clone(l.slots)
	slices.SortStableFunc(slots, func(a, b slot) int { return cmp.Or(b.at().Line-a.at().Line, b.at().Column-a.at().Column) })
	for _, s := range slots {
		place, err := s.place(file, form, t)
		if err != nil {
			return nil, err
		}
		if place.Ref == ref && place.Tag == "" {
			continue
		}
		if data, err = s.write(data, ref); err != nil {
			return nil, err
		}
	}
	return data, nil
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

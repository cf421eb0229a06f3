package configuration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// LockFile is where terraform names its providers, in the root's directory.
const LockFile = ".terraform.lock.hcl"

// Locked is an entry of a lock file.
type Locked struct {
	Source  string // HOST/NAMESPACE/TYPE
	Version string
	Hashes  []string // sorted
	Place
}

// ReadLockFile reads the lock file of a root. Without one it gives os.ErrNotExist.
func ReadLockFile(dir string) ([]Locked, error) {
	name := filepath.Join(dir, LockFile)
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", LockFile)
	}
	data, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	file, diagnostics := parseFile(data, name, false)
	if diagnostics.HasErrors() {
		return nil, errors.Join(diagnostics.Errs()...)
	}
	content, _, diagnostics := file.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("provider", "source")}})
	if diagnostics.HasErrors() {
		return nil, errors.Join(diagnostics.Errs()...)
	}
	var locked []Locked
	for _, b := range content.Blocks {
		l := Locked{Source: b.Labels[0], Place: place(b.DefRange)}
		inner, _, _ := b.Body.PartialContent(&hcl.BodySchema{Attributes: attributes("version", "hashes")})
		l.Version, _, _ = attribute(inner, "version")
		if a := inner.Attributes["hashes"]; a != nil {
			hashes, _ := hcl.ExprList(a.Expr)
			for _, h := range hashes {
				value, _ := h.Value(nil)
				text := "" // it is no text
				if value.Type() == cty.String && value.IsKnown() && !value.IsNull() {
					text = value.AsString()
				}
				l.Hashes = append(l.Hashes, text)
			}
			slices.Sort(l.Hashes)
		}
		locked = append(locked, l)
	}
	return locked, nil
}

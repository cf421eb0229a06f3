package build

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// WriteLayout writes an index or image to an OCI image layout, which is made if
// it is not there. What the layout holds already stays; the same content stands in
// it once however often it is written.
func WriteLayout(dir string, m made, annotations Annotations) error {
	path, err := layout.FromPath(dir)
	if err != nil {
		if path, err = layout.Write(dir, empty.Index); err != nil {
			return fmt.Errorf("write the OCI layout %s: %w", dir, err)
		}
	}
	beside := layout.WithAnnotations(annotations.Of(LevelIndexDescriptor, Platform{}))
	var digest v1.Hash
	if m.plain != nil {
		if digest, err = m.plain.Digest(); err == nil {
			err = path.ReplaceImage(m.plain, match.Digests(digest), beside)
		}
	} else if digest, err = m.index.Digest(); err == nil {
		err = path.ReplaceIndex(m.index, match.Digests(digest), beside)
	}
	if err != nil {
		return fmt.Errorf("write the OCI layout %s: %w", dir, err)
	}
	return nil
}

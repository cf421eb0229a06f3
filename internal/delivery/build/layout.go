package build

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// WriteLayout writes an index to an OCI image layout, which is made if it is
// not there. What the layout holds already stays; the same index stands in it
// once however often it is written.
func WriteLayout(dir string, index v1.ImageIndex, annotations Annotations) error {
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("compute the digest of the index: %w", err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		if path, err = layout.Write(dir, empty.Index); err != nil {
			return fmt.Errorf("write the OCI layout %s: %w", dir, err)
		}
	}
	beside := layout.WithAnnotations(annotations.Of(LevelIndexDescriptor, Platform{}))
	if err := path.ReplaceIndex(index, match.Digests(digest), beside); err != nil {
		return fmt.Errorf("write the OCI layout %s: %w", dir, err)
	}
	return nil
}

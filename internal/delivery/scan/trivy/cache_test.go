//go:build goexperiment.jsonv2

package trivy

import (
	"context"
	"errors"
	"slices"
	"testing"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

func TestLayerCache(t *testing.T) {
	t.Parallel()
	c := newLayerCache(0, 0)
	_, first, err := c.MissingBlobs(t.Context(), "image-1", []string{"base", "base", "one"})
	if err != nil || !slices.Equal(first, []string{"base", "one"}) {
		t.Fatalf("the first reads %q, %v", first, err)
	}
	_, second, err := c.MissingBlobs(t.Context(), "image-2", []string{"base", "two"})
	if err != nil || !slices.Equal(second, []string{"two"}) {
		t.Fatalf("the second reads %q, %v", second, err)
	}
	failed := errors.New("the first cannot read base")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(failed)
	if err := c.wait(ctx, []string{"base"}); !errors.Is(err, failed) {
		t.Errorf("got %v, want why nobody reads the layer", err)
	}
	waited := make(chan error)
	go func() { waited <- c.wait(t.Context(), []string{"base", "two"}) }()
	for _, layer := range []string{"two", "base"} {
		select {
		case err := <-waited:
			t.Fatalf("did not wait for %s: %v", layer, err)
		default:
		}
		if err := c.PutBlob(t.Context(), layer, ftypes.BlobInfo{SchemaVersion: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

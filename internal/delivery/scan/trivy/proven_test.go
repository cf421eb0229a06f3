//go:build goexperiment.jsonv2

package trivy

import (
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// A configuration that names fewer layers than the manifest has would hide one, where
// the others were read for another platform; one that names more is none either.
func TestEveryLayerIsNamed(t *testing.T) {
	t.Parallel()
	made, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := made.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := imageref.Parse("ghcr.io/acme/app@sha256:" + strings.Repeat("1", 64))
	if err != nil {
		t.Fatal(err)
	}
	all := config.RootFS.DiffIDs
	for says, diffIDs := range map[string][]v1.Hash{
		"": all, "the manifest has 2 layers, and the configuration names 1": all[:1],
		"the manifest has 2 layers, and the configuration names 3": append(all[:2:2], all[0]),
		"the manifest has 2 layers, and the configuration names 0": {},
	} {
		changed := config.DeepCopy()
		changed.RootFS.DiffIDs = diffIDs
		one, err := mutate.ConfigFile(made, changed)
		if err != nil {
			t.Fatal(err)
		}
		image := newImage(ref, one, exchange.Limits{ImageBytes: 1 << 20}, new(atomic.Int64), newProven())
		layers, err := made.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for k, l := range layers { // as if another platform had them
			digest, err := l.Digest()
			if err != nil {
				t.Fatal(err)
			}
			image.proven.add(digest, all[k])
		}
		if err := image.prove(); (err != nil) != (says != "") || err != nil && err.Error() != says {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

package history

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// The guard after rendering lets a deployer hand on the digest that is wanted, and nothing
// else; what is no deployer hands on nothing.
func TestTheGuardOfWhatIsHandedOn(t *testing.T) {
	t.Parallel()
	ref, err := imageref.Parse("ghcr.io/acme/api@sha256:" + strings.Repeat("2", 64))
	if err != nil {
		t.Fatal(err)
	}
	other := "sha256:" + strings.Repeat("3", 64)
	for name, c := range map[string]struct {
		form             overlay.Form
		object, old, now string
		allowed          bool
	}{
		"an empty digest":      {overlay.Application, "Application argocd/a", "", ref.Digest(), true},
		"a tag with a digest":  {overlay.Manifest, "HelmRelease a", "v1@" + other, "2@" + ref.Digest(), true},
		"another digest":       {overlay.Application, "ApplicationSet a", "", other, false},
		"another field":        {overlay.Manifest, "HelmRelease a", "1", "2", false},
		"an object that runs":  {overlay.Manifest, "Pod a", "", ref.Digest(), false},
		"what a chart renders": {overlay.Helm, "Application a", "", ref.Digest(), false},
	} {
		changes := []render.Change{{Object: c.object, Kind: render.Changed, Fields: []render.Field{{Path: "x", Old: &c.old, New: &c.now}}}}
		err := onlyImages(changes, []target{{form: c.form, ref: ref}})
		if c.allowed && err != nil || !c.allowed && (err == nil || !strings.Contains(err.Error(), "would also change x of "+c.object)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

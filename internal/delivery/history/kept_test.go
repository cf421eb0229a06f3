package history_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// What stands beside a set is an image of the application's own, in any spelling, by a
// digest that can run and that nothing else accounts for.
func TestBeside(t *testing.T) {
	t.Parallel()
	app := shop(t, "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps:\n"+
		"  shop: {images: {api: docker.io/acme/api, worker: ghcr.io/acme/worker}}\n")
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	named, err := imageref.Parse("docker.io/acme/api@" + digest("a"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(history.Digests)
	known.Named(named)
	known.Found([]render.Image{{Text: "ghcr.io/acme/worker:v1@" + digest("b")}, {Text: "ghcr.io/acme/worker:v2"}})
	for image, want := range map[string]bool{
		"ghcr.io/acme/worker@" + digest("c"):           true,
		"ghcr.io/acme/worker:v3@" + digest("c"):        true,
		"acme/api@" + digest("c"):                      true, // as Docker and Kubernetes read it
		"registry-1.docker.io/acme/api@" + digest("c"): true,
		"ghcr.io/acme/worker@" + digest("b"):           false, // it ran before
		"docker.io/acme/api@" + digest("a"):            false, // it is named
		"ghcr.io/acme/worker@" + digest("0"):           false, // a placeholder
		"ghcr.io/acme/worker:v3":                       false,
		"ghcr.io/acme/worker@sha256:c":                 false,
		"ghcr.io/acme/other@" + digest("c"):            false,
		"ghcr.io/acme/worker/more@" + digest("c"):      false,
		"UPPER case @" + digest("c"):                   false,
	} {
		found := history.Beside(app, []render.Image{{Text: image}}, known)
		if got := len(found) == 1 && found[0].Text == image; got != want {
			t.Errorf("%s: beside the set is %v", image, found)
		}
	}
}

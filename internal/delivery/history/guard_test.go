package history_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// What the digest carries along is refused, also where a difference is not shown.
func TestTheGuardSeesWhatIsNotShown(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ resource, overlay, want string }{
		"a secret": {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: x@sha256}\n",
			"secretGenerator:\n  - {name: g, files: [kustomization.yaml]}\n", "Secret g-"},
		"a secret of the same name": {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
			"secretGenerator:\n  - {name: g, files: [kustomization.yaml], options: {disableNameSuffixHash: true}}\n",
			`would also change data["kustomization.yaml"] of Secret g`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.Files("demo-api")
			overlay := configrepotest.Overlay("demo-api", "dev")
			files[overlay] = strings.Replace(
				configrepotest.OverlayText("demo-api", demo(1).Digest()), "resources:\n", "resources:\n  - more.yaml\n", 1,
			) + test.overlay
			files["apps/demo-api/overlays/dev/more.yaml"] = test.resource
			data, app := load(t, files)
			_, err := history.Prepare(t.Context(), render.New(data), app, "dev", history.Set{demo(2)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// What an Argo CD Application hands to a chart or a kustomization may be written in every
// form that the overlay's edits know; beside them nothing may differ.
func TestTheGuardKnowsWhatApplicationsHandOn(t *testing.T) {
	t.Parallel()
	image, old := demo(2).Repository(), demo(1).Digest()
	for source, want := range map[string]string{
		"kustomize: {images: ['demo=" + image + ":v1']}":                                  "['demo=" + demo(2).String() + "']",
		"helm: {valuesObject: {image: {repository: " + image + ", digest: ''}}}":          "digest: '" + demo(2).Digest() + "'",
		"helm: {valuesObject: {image: {repository: " + image + ", tag: v1@" + old + "}}}": "@" + demo(2).Digest(),
		"helm: {valuesObject: {image: {repository: " + image + ", sha: ''}}}":             "sha: '" + demo(2).Hex() + "'",
		"helm: {parameters: [{name: image.repository, value: " + image + "}, {name: image.digest, value: ''}]}": "value: '" +
			demo(2).Digest() + "'",
	} {
		files := configrepotest.Files("demo-api")
		files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "  demo-api: {", "  demo-api: {overlay: 'argo/{env}.yaml', ", 1)
		files["argo/dev.yaml"] = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: demo}\nspec: {source: {" + source + "}}\n"
		data, app := load(t, files)
		change, err := history.Prepare(t.Context(), render.New(data), app, "dev", history.Set{demo(2)})
		if err != nil || !strings.Contains(string(change.After), want) || len(change.Objects) != 1 {
			t.Errorf("%s: %v, %+v\n%s", source, err, change.Objects, change.After)
		}
	}
}

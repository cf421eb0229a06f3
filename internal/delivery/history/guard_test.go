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

package check_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// A held digest is refused wherever it would newly be deployed, whatever the
// change makes of environments and names.
func TestHeldDigestsEnterNowhere(t *testing.T) {
	t.Parallel()
	config := configrepotest.Config("demo-api")
	replaced := func(old, by string) string {
		t.Helper()
		if !strings.Contains(config, old) {
			t.Fatalf("the configuration has no %q", old)
		}
		return strings.ReplaceAll(config, old, by)
	}
	template := newWorld(t)
	template.Write(t, "main", "hold", map[string]string{
		hold.Path("demo-api", "prod"): string(hold.Hold{
			App: "demo-api", Env: "prod", Reason: "errors", Digests: []string{demo(2).Digest()},
		}.File()),
	})
	second := replaced(
		"  demo-api: {", "  demo: {image: ghcr.io/acme/demo-api, source: acme/demo-api, overlay: \"second/{env}\"}\n  demo-api: {",
	)
	decoy := strings.ReplaceAll(at(2), "../../base", "../../apps/demo-api/base")
	first := "  - {name: dev, promotion: auto}\n"
	for what, test := range map[string]struct{ main, change map[string]string }{
		"a new first environment": {nil, map[string]string{
			"waybill.yaml":                           replaced(first, "  - {name: x1, promotion: auto}\n"+first),
			configrepotest.Overlay("demo-api", "x1"): at(2),
		}},
		"a new last environment": {nil, map[string]string{
			"waybill.yaml": replaced("apps:\n", "  - {name: x1}\napps:\n"), configrepotest.Overlay("demo-api", "x1"): at(2),
		}},
		"an earlier environment": {nil, map[string]string{dev: at(2)}},
		"its environment goes": {nil, map[string]string{
			"waybill.yaml": replaced("name: prod", "name: x1"), configrepotest.Overlay("demo-api", "x1"): at(2),
		}},
		"a new name for the image": {nil, map[string]string{"waybill.yaml": second, "second/dev/kustomization.yaml": decoy}},
		"a second name in the base": {
			map[string]string{"waybill.yaml": second}, map[string]string{"second/dev/kustomization.yaml": decoy},
		},
		"beside another's image": {nil, map[string]string{
			"apps/demo-api/overlays/dev/more.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(demo(2).String()) + "\n",
			dev:                                    strings.Replace(at(3), "resources:\n", "resources:\n  - more.yaml\n", 1),
		}},
		"an environment of the past": {
			map[string]string{
				hold.Path("demo-api", "prod"): "",
				hold.Path("demo-api", "old"): string(hold.Hold{
					App: "demo-api", Env: "old", Reason: "errors", Digests: []string{demo(2).Digest()},
				}.File()),
			},
			map[string]string{dev: at(2)},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if !strings.Contains(got, "refused hold: "+demo(2).Short()+": held since it was taken out of ") {
				t.Errorf("got %s", got)
			}
			if what == "a new first environment" && strings.Contains(got, "holds do not count") {
				t.Errorf("its holds count, and the finding says otherwise: %s", got)
			}
		})
	}
}

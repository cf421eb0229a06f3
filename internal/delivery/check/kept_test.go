package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// patched is an overlay of shop whose images are those of names, and in which a patch
// brings the worker.
func patched(names string, n int) string {
	return names + "patches:\n  - target: {kind: Deployment, name: worker}\n    patch: |-\n      - {op: replace, path: " +
		"/spec/template/spec/containers/0/image, value: \"ghcr.io/acme/shop-worker@" + worker(n).Digest() + "\"}\n"
}

// apiAlone names the api, and no worker.
func apiAlone(n int) string {
	text, _, _ := strings.Cut(both(n, n), "  - name: shop-worker")
	return text
}

// What a place runs of an application's images beside those that its overlay names is part
// of the set: a patch must not keep the worker of another release there unseen.
func TestASetIsAllThatIsRendered(t *testing.T) {
	t.Parallel()
	staging := configrepotest.Overlay("shop", "staging")
	for what, test := range map[string]struct{ stagingNow, prodNow, change, want string }{
		"a patch brings the worker, which the overlay does not name": {
			patched(apiAlone(3), 2), patched(apiAlone(1), 1), patched(apiAlone(3), 1),
			"refused order: api " + api(3).Short() + ": ran in staging, and never together with worker",
		},
		"a patch keeps the worker under another name": {
			both(3, 2), patched(both(1, 1), 1), patched(both(3, 2), 1),
			"refused order: worker " + worker(1).Short() + ": ran in staging, and never together with api " + api(3).Short(),
		},
		"a patch keeps the same worker in both": {
			patched(both(3, 2), 1), patched(both(1, 1), 1), patched(both(3, 2), 1), "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := several(t)
			w.Write(t, "main", "prod", map[string]string{shopProd: test.prodNow})
			w.Clock.Pass(time.Minute)
			w.Write(t, "main", "staging", map[string]string{staging: test.stagingNow})
			w.Clock.Pass(25 * time.Hour)
			w.Write(t, "change", "change", map[string]string{shopProd: test.change})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if !strings.Contains(got, test.want) || test.want == "" && got != "" {
				t.Errorf("no %q in\n%s", test.want, got)
			}
		})
	}
}

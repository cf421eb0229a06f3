package check_test

import (
	"strings"
	"testing"
)

// A set is judged as before where the same change takes its application away, calls it
// otherwise, or lets it have other images.
func TestASetOfAnApplicationThatGoes(t *testing.T) {
	t.Parallel()
	w := several(t)
	before := w.Text(t, "main", "waybill.yaml")
	const images = "images: {api: ghcr.io/acme/shop-api, worker: ghcr.io/acme/shop-worker}"
	for what, edit := range map[string][2]string{
		"another name":                 {"  shop:\n", "  shop2:\n    overlay: \"apps/shop/overlays/{env}\"\n"},
		"not in prod":                  {"  shop:\n", "  shop:\n    environments: [dev, staging]\n"},
		"from elsewhere":               {"  shop:\n", "  shop:\n    overlay: \"apps/shop2/{env}\"\n"},
		"gone":                         {"  shop:\n    " + images, "  other:\n    image: ghcr.io/acme/other"},
		"a part renamed":               {"api: ghcr.io/acme/shop-api", "front: ghcr.io/acme/shop-api"},
		"a part taken out":             {", worker: ghcr.io/acme/shop-worker", ""},
		"one image":                    {images, "image: ghcr.io/acme/shop-api"},
		"a part of another repository": {"worker: ghcr.io/acme/shop-worker", "worker: ghcr.io/acme/jobs"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			head := strings.Replace(before, edit[0], edit[1], 1)
			if head == before {
				t.Fatal("nothing is edited")
			}
			w := w.copy(t)
			w.images = severalImages()
			w.Write(t, "change", "change", map[string]string{"waybill.yaml": head, shopProd: both(3, 1)})
			if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(got, "never together with worker") {
				t.Errorf("%s", got)
			}
		})
	}
}

package configrepotest

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Several is a repository as Files makes it whose application shop has two images,
// shop-api and shop-worker, which move together. More applications can stand beside it.
func Several(apps ...string) map[string]string {
	files := Files(apps...)
	files["waybill.yaml"] = strings.Replace(Config(apps...), "apps:\n", "apps:\n  shop:\n    images: {api: ghcr.io/acme/shop-api, "+
		"worker: ghcr.io/acme/shop-worker}\n    source: acme/shop\n", 1)
	files["apps/shop/base/kustomization.yaml"] = "resources:\n  - api.yaml\n  - worker.yaml\n"
	files["apps/shop/base/api.yaml"] = Deployment("api", "shop-api")
	files["apps/shop/base/worker.yaml"] = Deployment("worker", "shop-worker")
	for _, env := range []string{"dev", "staging", "prod"} {
		files[Overlay("shop", env)] = SeveralText(Placeholder, Placeholder)
	}
	return files
}

// SeveralText names the digests of both images.
func SeveralText(api, worker string) string {
	return "resources:\n  - ../../base\nimages:\n  - name: shop-api\n    newName: ghcr.io/acme/shop-api\n    digest: " + api +
		"\n  - name: shop-worker\n    newName: ghcr.io/acme/shop-worker\n    digest: " + worker + "\n"
}

// DeploySeveral writes both images into an overlay of shop, as a person would.
func (r *Repo) DeploySeveral(t testing.TB, branch, env string, api, worker imageref.Ref) string {
	t.Helper()
	return r.Write(t, branch, "deploy", map[string]string{Overlay("shop", env): SeveralText(api.Digest(), worker.Digest())})
}

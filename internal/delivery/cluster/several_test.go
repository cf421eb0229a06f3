package cluster_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/cluster"
)

// The cluster asks the same of every image of an application.
func TestEveryImageOfAnApplication(t *testing.T) {
	t.Parallel()
	text := strings.Replace(file, "api: {image: ghcr.io/acme/api, source: acme/api}",
		"shop: {images: {api: ghcr.io/acme/shop-api, worker: ghcr.io/acme/shop-worker}}", 1)
	for _, kind := range []cluster.Kind{cluster.Kyverno, cluster.Admission} {
		result, err := cluster.Write(cluster.Request{Config: parse(t, text), Kind: kind, Name: "waybill"})
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range []string{"/acme/shop-api", "/acme/shop-worker"} {
			if !strings.Contains(result.YAML, image) {
				t.Errorf("%s: no %s in\n%s", kind, image, result.YAML)
			}
		}
	}
}

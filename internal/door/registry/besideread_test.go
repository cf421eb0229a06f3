package registry_test

import (
	"bytes"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Candidates are read smallest first, and large ones when all others are read, so that
// nobody keeps a reader from a good record by what is larger than it.
func TestSmallCandidatesAreReadFirst(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, path.Base(r.URL.Path))
		}
		return false
	})
	c := registry.New(registry.Options{})
	image := pushRandom(t, c, server.Host)
	digest := make(map[string]int)
	for _, size := range []int{3 << 20, 100, 2 << 20, 2000, 5 << 20, 30} { // large ones are beyond a mebibyte
		data := bytes.Repeat([]byte{'x'}, size)
		registrytest.Attach(t, c, image, registrytest.Attachment{MediaType: bundleType, Data: data})
		digest[imageref.DigestOf(data)] = size
	}
	mu.Lock()
	asked = nil
	mu.Unlock()
	beside, err := c.Beside(t.Context(), image, registry.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := beside.Referrers(t.Context(), bundleType, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	if err := beside.Read(t.Context(), blobs, func([]registry.Blob, []byte) error {
		mu.Lock()
		defer mu.Unlock()
		read++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, d := range asked {
		if size, ours := digest[d]; ours {
			sizes = append(sizes, size)
		}
	}
	if len(sizes) == 6 {
		slices.Sort(sizes[:3]) // small ones are read at the same time
	}
	if want := []int{30, 100, 2000, 2 << 20, 3 << 20, 5 << 20}; read != 6 || !slices.Equal(sizes, want) {
		t.Errorf("read %d, in the order %v, want %v", read, sizes, want)
	}
}

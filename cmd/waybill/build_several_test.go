package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// One build gives the same index to each repository. A second one of a registry
// mounts what the first has, and every one gets a record about itself.
func TestBuildIntoSeveralRepositories(t *testing.T) {
	t.Parallel()
	dir, _ := sourceTree(t)
	var mu sync.Mutex
	var mounts []string
	first := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/acme/copy/blobs/") {
			w.WriteHeader(http.StatusNotFound) // this registry has one store for all repositories
			return true
		}
		if from := r.URL.Query().Get("from"); from != "" && strings.HasPrefix(r.URL.Path, "/v2/acme/copy/") {
			mu.Lock()
			defer mu.Unlock()
			mounts = append(mounts, from)
		}
		return false
	})
	second := registrytest.New(t, nil)
	names := []string{first.Host + "/acme/app", first.Host + "/acme/copy", second.Host + "/mirror/app"}
	output := filepath.Join(t.TempDir(), "output")
	code, images, words := call(t, map[string]string{"GITHUB_OUTPUT": output}, "build", "--context", dir,
		"--image", strings.Join(names, ","), "--image", names[0])
	if code != outcome.Done {
		t.Fatalf("exit code %d: %s", code, words)
	}
	var told []build.Pushed
	if err := json.Unmarshal([]byte(parseOutputs(t, output)["images"]), &told); err != nil {
		t.Fatal(err)
	}
	list := strings.Split(images, "\n")
	if len(list) != len(names) || len(told) != len(names) {
		t.Fatalf("stdout is %q, the output images %v", images, told)
	}
	client := registry.New(registry.Options{})
	_, digest, _ := strings.Cut(list[0], "@")
	for i, name := range names {
		if list[i] != name+"@"+digest || told[i].Image != list[i] || !strings.HasPrefix(told[i].Record, name+"@") {
			t.Errorf("in %s: %s, %+v", name, list[i], told[i])
		}
		ref, err := imageref.Parse(list[i])
		if err != nil {
			t.Fatal(err)
		}
		if found, err := client.Platforms(t.Context(), ref); err != nil || len(found) != 2 {
			t.Errorf("%s has the platforms %v, %v", ref, found, err)
		}
		record, err := imageref.Parse(told[i].Record)
		if err != nil {
			t.Fatal(err)
		}
		documents, err := client.Documents(t.Context(), record, evidence.ArtifactBuild)
		if err != nil || len(documents) != 1 || !strings.Contains(string(documents[0].Data), `"image": "`+list[i]+`"`) {
			t.Errorf("the record %s is %v, %v", record, documents, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(mounts) == 0 || mounts[0] != "acme/app" {
		t.Errorf("the second repository of the registry mounted from %q", mounts)
	}
}

// Where one repository of several fails, its index is not there, the message
// names those that have the image, and no output names any.
func TestBuildThatReachesSomeRepositories(t *testing.T) {
	t.Parallel()
	dir, _ := sourceTree(t)
	whole := registrytest.New(t, nil)
	broken := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		http.Error(w, `{"errors":[{"code":"DENIED"}]}`, http.StatusForbidden)
		return true
	})
	output := filepath.Join(t.TempDir(), "output")
	code, images, words := call(t, map[string]string{"GITHUB_OUTPUT": output}, "build", "--context", dir,
		"--image", whole.Host+"/acme/app", "--image", broken.Host+"/acme/app")
	start := "error: the image is whole in " + whole.Host + "/acme/app@sha256:"
	if code != outcome.Broken || images != "" || !strings.Contains(words, start) ||
		!strings.Contains(words, "without a record, and in no other repository: run build again: registry "+broken.Host+": push ") {
		t.Fatalf("exit code %d, stdout %q: %s", code, images, words)
	}
	_, after, _ := strings.Cut(words, start)
	for host, there := range map[string]bool{whole.Host: true, broken.Host: false} {
		ref, err := imageref.Parse(host + "/acme/app@sha256:" + after[:64])
		if err != nil {
			t.Fatal(err)
		}
		_, err = registry.New(registry.Options{}).Index(t.Context(), ref)
		if (err == nil) != there || err != nil && !registry.IsNotFound(err) {
			t.Errorf("%s: %v, want it there: %v", ref, err, there)
		}
	}
}

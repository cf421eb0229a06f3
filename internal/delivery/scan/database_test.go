package scan

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
)

var built = time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)

type databaseWorld struct {
	server  *registrytest.Server
	client  *registry.Client
	options DatabaseOptions
	blobs   *atomic.Int64 // downloads
}

func newDatabaseWorld(t *testing.T) databaseWorld {
	t.Helper()
	blobs := new(atomic.Int64)
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			blobs.Add(1)
		}
		return false
	})
	return databaseWorld{server, registry.New(registry.Options{}), DatabaseOptions{
		Repository: server.Host + "/trivy-db:2", CacheDir: t.TempDir(), MaxAge: 24 * time.Hour, Now: built.Add(time.Hour),
	}, blobs}
}

func (w databaseWorld) push(t *testing.T, d vulndb.Database) imageref.Ref {
	t.Helper()
	repository, err := imageref.ParseRepository(w.server.Host + "/trivy-db")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := vulndb.Push(t.Context(), w.client, repository, d)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestOpenDatabase(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	ref := w.push(t, vulndb.Database{UpdatedAt: built})
	for range 2 {
		d, err := OpenDatabase(t.Context(), w.client, w.options)
		if err != nil {
			t.Fatal(err)
		}
		if d.Digest != ref.Digest() || d.Repository != ref.Repository() || d.Version != 2 || !d.UpdatedAt.Equal(built) {
			t.Errorf("got %+v", d.Database)
		}
		for _, file := range []string{databaseFile, metadataFile} {
			if _, err := os.Stat(filepath.Join(d.Dir, file)); err != nil {
				t.Error(err)
			}
		}
	}
	if n := w.blobs.Load(); n != 1 {
		t.Errorf("downloaded %d blobs, want the one once", n)
	}
	w.options.Repository = ref.String()
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err != nil {
		t.Errorf("by digest: %v", err)
	}
}

func TestOpenDatabaseFollowsTheTag(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built.Add(-time.Hour)})
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err != nil {
		t.Fatal(err)
	}
	newer := w.push(t, vulndb.Database{UpdatedAt: built})
	d, err := OpenDatabase(t.Context(), w.client, w.options)
	if err != nil || d.Digest != newer.Digest() {
		t.Errorf("got %s, %v, want the newer %s", d.Digest, err, newer.Digest())
	}
	w.options.Offline = true
	if d, err = OpenDatabase(t.Context(), w.client, w.options); err != nil || d.Digest != newer.Digest() {
		t.Errorf("offline: got %s, %v, want the newer %s", d.Digest, err, newer.Digest())
	}
}

// A repository that cannot be read is passed over for the next one, and for what
// is cached as long as that is young enough. Both are said.
func TestOpenDatabaseWhereARepositoryIsInTrouble(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built})
	var troubled atomic.Bool
	other := newDatabaseWorld(t)
	other.server.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if troubled.Load() && strings.Contains(r.URL.Path, "/manifests/") {
			rw.Header().Set("Retry-After", "86400") // more than anybody waits
			rw.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}
	cached := other.push(t, vulndb.Database{UpdatedAt: built.Add(-time.Minute)})
	var said strings.Builder
	other.options.Warn = func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }
	if _, err := OpenDatabase(t.Context(), w.client, other.options); err != nil || said.Len() != 0 {
		t.Fatalf("without trouble: %v, %q", err, said.String())
	}
	troubled.Store(true)

	d, err := OpenDatabase(t.Context(), w.client, other.options)
	if err != nil || d.Digest != cached.Digest() || !strings.Contains(said.String(), "429") ||
		!strings.Contains(said.String(), "going on with the database of 2026-11-20 06:11 UTC that is cached") {
		t.Errorf("cached: got %s, %v, and it says %q", d.Digest, err, said.String())
	}
	said.Reset()
	for _, separator := range []string{",", "\n", ", "} {
		both := other.options
		both.Repository = both.Repository + separator + w.options.Repository
		d, err := OpenDatabase(t.Context(), w.client, both)
		if err != nil || d.Repository != w.server.Host+"/trivy-db" || !strings.Contains(said.String(), "trying "+w.options.Repository) {
			t.Errorf("two repositories: got %s, %v, and it says %q", d.Repository, err, said.String())
		}
	}
	for what, change := range map[string]func(*DatabaseOptions){
		"too old":         func(o *DatabaseOptions) { o.Now = built.Add(25 * time.Hour) },
		"nothing cached":  func(o *DatabaseOptions) { o.CacheDir = t.TempDir() },
		"any age allowed": func(o *DatabaseOptions) { o.MaxAge = 0 },
	} {
		options := other.options
		change(&options)
		if _, err := OpenDatabase(t.Context(), w.client, options); err == nil || !strings.Contains(err.Error(), "429") {
			t.Errorf("%s: got %v, want the trouble", what, err)
		}
	}
	if _, err := OpenDatabase(t.Context(), w.client, DatabaseOptions{Repository: " , "}); err == nil ||
		!strings.Contains(err.Error(), "names no repository") {
		t.Errorf("no repository: got %v", err)
	}
}

func TestDatabaseOfTheFuture(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built.AddDate(10, 0, 0)})
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err == nil ||
		!strings.Contains(err.Error(), "says that it was built 2036-11-20T06:12:00Z") {
		t.Errorf("got %v", err)
	}
}

func TestOpenDatabaseAtOnce(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := OpenDatabase(t.Context(), w.client, w.options); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	left, err := filepath.Glob(filepath.Join(w.options.CacheDir, "trivy-db", ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind %q, %v", left, err)
	}
}

func TestOpenDatabaseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, w *databaseWorld)
		want    string
	}{
		"too old": {func(t *testing.T, w *databaseWorld) {
			w.push(t, vulndb.Database{UpdatedAt: built})
			w.options.Now = built.Add(25 * time.Hour)
		}, "was built 2026-11-20T06:12:00Z, it is now 2026-11-21T07:12:00Z: older than --db-max-age 24h0m0s allows"},
		"another schema": {func(t *testing.T, w *databaseWorld) {
			ref := w.push(t, vulndb.Database{UpdatedAt: built, Version: 1})
			w.options.Repository = ref.String()
		}, "has schema version 1, only 2 can be read"},
		"no database": {func(t *testing.T, w *databaseWorld) {
			repository, err := imageref.ParseRepository(w.server.Host + "/trivy-db")
			if err != nil {
				t.Fatal(err)
			}
			ref, err := w.client.PushImage(t.Context(), repository, empty.Image)
			if err != nil {
				t.Fatal(err)
			}
			w.options.Repository = ref.String()
		}, "is no vulnerability database of Trivy's"},
		"unknown repository": {func(*testing.T, *databaseWorld) {}, "find the vulnerability database: registry 127.0.0.1"},
		"offline, never fetched": {func(t *testing.T, w *databaseWorld) {
			w.push(t, vulndb.Database{UpdatedAt: built})
			w.options.Offline = true
		}, "is cached in"},
		"offline by digest, never fetched": {func(t *testing.T, w *databaseWorld) {
			w.options.Repository = w.push(t, vulndb.Database{UpdatedAt: built}).String()
			w.options.Offline = true
		}, "run once without --offline"},
		"not a reference": {
			func(_ *testing.T, w *databaseWorld) { w.options.Repository = "Not A Reference" }, `--db-repository "Not":`,
		},
		"no repository": {func(_ *testing.T, w *databaseWorld) { w.options.Repository = " , " }, "--db-repository names no repository"},
		"an address": {
			func(_ *testing.T, w *databaseWorld) { w.options.Repository = "https://ghcr.io/x/db:2" }, "leave out what is before the host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDatabaseWorld(t)
			test.prepare(t, &w)
			_, err := OpenDatabase(t.Context(), w.client, w.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			usage := strings.HasPrefix(test.want, "--db-repository") || strings.HasPrefix(test.want, "leave")
			if usage != (outcome.Code(err) == outcome.Usage) {
				t.Errorf("%v ends with %d", err, outcome.Code(err))
			}
		})
	}
}

// A repository without a tag means the one of the schema, as for Trivy.
func TestOpenDatabaseWithoutTag(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built})
	w.options.Repository = w.server.Host + "/trivy-db"
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err != nil {
		t.Error(err)
	}
}

func TestOpenDatabaseThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	image, err := w.client.Image(t.Context(), w.push(t, vulndb.Database{UpdatedAt: built}))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	w.server.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		rw.Header().Set("Content-Length", strconv.FormatInt(manifest.Layers[0].Size, 10))
		_, _ = rw.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")) // the start of an archive, then the end of the connection
		return true
	}
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err == nil ||
		!strings.Contains(err.Error(), "unpack the vulnerability database") {
		t.Fatalf("got %v, want that it cannot be unpacked", err)
	}
	w.server.Before = nil
	if _, err := OpenDatabase(t.Context(), w.client, w.options); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestOldDatabasesAreRemoved(t *testing.T) {
	t.Parallel()
	w := newDatabaseWorld(t)
	w.push(t, vulndb.Database{UpdatedAt: built.Add(-2 * time.Hour)})
	open := func(now time.Time) string {
		t.Helper()
		w.options.Now = now
		d, err := OpenDatabase(t.Context(), w.client, w.options)
		if err != nil {
			t.Fatal(err)
		}
		return d.Dir
	}
	first := open(built)
	leftover := filepath.Join(filepath.Dir(first), ".new-1")
	if err := os.Mkdir(leftover, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(leftover, built, built); err != nil {
		t.Fatal(err)
	}
	w.push(t, vulndb.Database{UpdatedAt: built})
	second := open(built.Add(20 * time.Hour))
	for _, dir := range []string{first, second, leftover} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("gone too early: %v", err)
		}
	}
	if err := os.Chtimes(filepath.Join(filepath.Dir(first), lastDir), built, built); err != nil {
		t.Fatal(err)
	}
	if again := open(built.Add(24 * time.Hour)); again != second {
		t.Errorf("got %s, want %s", again, second)
	}
	for _, dir := range []string{first, leftover} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
	w.options.Offline = true
	if again := open(built.Add(24 * time.Hour)); again != second {
		t.Errorf("offline: got %s, want %s", again, second)
	}
}

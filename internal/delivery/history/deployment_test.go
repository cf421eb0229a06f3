package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func load(t *testing.T, files map[string]string) (map[string][]byte, config.App) {
	t.Helper()
	data := map[string][]byte{}
	for name, text := range files {
		data[name] = []byte(text)
	}
	cfg, err := history.Load(&configrepo.Snapshot{Files: data})
	if err != nil {
		t.Fatal(err)
	}
	app, err := cfg.App("demo-api")
	if err != nil {
		t.Fatal(err)
	}
	return data, app
}

func TestLoadWithoutConfiguration(t *testing.T) {
	t.Parallel()
	for dir, says := range map[string]string{
		"":       "no waybill.yaml at its root: waybill init config writes a first one",
		"deploy": "no waybill.yaml in deploy: if deploy/shop/waybill.yaml is meant, give --path deploy/shop",
	} {
		s := &configrepo.Snapshot{Dir: dir, Files: map[string][]byte{}}
		if dir != "" {
			s.Files["shop/waybill.yaml"] = nil
		}
		if _, err := history.Load(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", dir, err)
		}
	}
	if _, err := history.Load(&configrepo.Snapshot{}); err == nil {
		t.Errorf("got %v", err)
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	overlay := configrepotest.Overlay("demo-api", "dev")
	running := configrepotest.OverlayText("demo-api", demo(1).Digest())
	// Copies the image into an annotation.
	replacement := "replacements:\n  - source: {kind: Deployment, fieldPath: spec.template.spec.containers.0.image}\n    targets:\n " +
		"     - select: {kind: Deployment}\n        fieldPaths: [metadata.annotations.image]\n        options: {create: true}\n"
	// A ConfigMap that holds the overlay itself has another name with each digest.
	generator := "configMapGenerator:\n  - name: release\n    files: [kustomization.yaml]\n"
	for what, test := range map[string]struct {
		overlay string
		base    string // deployment.yaml; empty as it is
		more    map[string]string
		want    string // error; empty is none
		edits   int
	}{
		"a newer digest":           {overlay: running, edits: 1},
		"the digest that is there": {overlay: configrepotest.OverlayText("demo-api", demo(2).Digest())},
		"a digest that is copied":  {overlay: running + replacement, edits: 1},
		"a replacement that brings another image": {
			overlay: strings.Replace(running, "resources:\n", "resources:\n  - images.yaml\n", 1) +
				"replacements:\n  - source: {kind: ConfigMap, fieldPath: data.api}\n    targets:\n      - select: {kind: Deployment}\n" +
				"        fieldPaths: [spec.template.spec.containers.0.image]\n",
			more: map[string]string{"apps/demo-api/overlays/dev/images.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: images}\n" +
				"data:\n  api: " + demo(1).String() + "\n"},
			want: "stands in line 5 of apps/demo-api/overlays/dev/images.yaml, and a replacement or a patch takes it from there",
		},
		"a name that follows the digest": {overlay: running + generator, want: "changing the digest would"},
		"an image that nothing takes": {
			overlay: running, base: configrepotest.Deployment("demo-api", "ghcr.io/acme/other:v1"),
			want: "nothing takes it from there",
		},
		"an overlay without the image": {
			overlay: "resources:\n  - ../../base\n", want: "apps/demo-api/overlays/dev/kustomization.yaml",
		},
		"a base that is not there": {overlay: strings.ReplaceAll(running, "../../base", "../../nothing"), want: "nothing"},
		"a tag that becomes the digest": {
			overlay: "resources:\n  - ../../base\nimages:\n  - name: demo-api\n    newName: ghcr.io/acme/demo-api\n    newTag: v1\n",
			edits:   1,
		},
		"a placeholder becomes the digest": {overlay: configrepotest.OverlayText("demo-api", configrepotest.Placeholder), edits: 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			changed := configrepotest.With(map[string]string{overlay: test.overlay}, test.more)
			if test.base != "" {
				changed["apps/demo-api/base/deployment.yaml"] = test.base
			}
			files, app := load(t, configrepotest.With(configrepotest.Files("demo-api"), changed))
			change, err := history.Prepare(t.Context(), render.New(files), app, "dev", history.Set{demo(2)})
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(change.Edits) != test.edits || strings.Contains(string(files[overlay]), demo(2).Digest()) != (test.edits == 0) {
				t.Errorf("got edits %+v, want %d, and the files as they were", change.Edits, test.edits)
			}
			if test.edits > 0 && len(change.Objects) != 1 {
				t.Errorf("rendered difference: %+v", change.Objects)
			}
		})
	}
}

func TestPrepareRefusesAnotherRepository(t *testing.T) {
	t.Parallel()
	files, app := load(t, configrepotest.Files("demo-api"))
	_, err := history.Prepare(t.Context(), render.New(files), app, "dev", history.Set{evidencetest.Ref("demo-web", 1)})
	if err == nil || !strings.Contains(err.Error(), "is not in ghcr.io/acme/demo-api") {
		t.Errorf("got %v", err)
	}
}

func periods(t *testing.T, r *configrepotest.Repo, env string) []string {
	t.Helper()
	_, app := load(t, configrepotest.Files("demo-api"))
	var got []string
	for p, err := range history.History(t.Context(), r, history.Where{Rev: "main", App: app, Env: env}) {
		if err != nil {
			t.Fatal(err)
		}
		until := "now"
		if !p.Until.IsZero() {
			until = fmt.Sprint(p.Until.Sub(configrepotest.Start))
		}
		got = append(got, fmt.Sprintf("%s %s to %s", p.Ref.Short(), p.Since.Sub(configrepotest.Start), until))
	}
	return got
}

func TestHistory(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		deploy := func(n int) { r.Clock.Pass(time.Hour); r.Deploy(t, "main", "dev", "demo-api", demo(n)) }
		deploy(1)
		r.Clock.Pass(time.Hour)
		r.Write(
			t, "main", "replicas",
			map[string]string{
				configrepotest.Overlay("demo-api", "dev"): configrepotest.OverlayText("demo-api", demo(1).Digest()) +
					"replicas: [{name: demo-api, count: 2}]\n",
			},
		)
		deploy(2)
		r.Clock.Pass(time.Hour)
		r.Write(t, "main", "broken", map[string]string{configrepotest.Overlay("demo-api", "dev"): "images: [\n"})
		deploy(1)
		placeholder := "sha256:000000000000"
		want := []string{
			demo(1).Short() + " 5h0m0s to now", // the broken hour counts for no digest
			demo(2).Short() + " 3h0m0s to 4h0m0s",
			demo(1).Short() + " 1h0m0s to 3h0m0s", // whatever else changed meanwhile
			placeholder + " 0s to 1h0m0s",
		}
		if diff := cmp.Diff(want, periods(t, r, "dev")); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

// What comes by merge runs from the merge on, however old its commits are.
func TestHistoryCountsFromTheMerge(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		r.Clock.Pass(time.Hour)
		side := r.Deploy(t, "waybill/staging/demo-api", "staging", "demo-api", demo(1))
		r.Clock.Pass(48 * time.Hour)
		main := r.Write(t, "main", "meanwhile", map[string]string{"README.md": "read\n"})
		r.Clock.Pass(time.Hour)
		tree, _, _ := strings.Cut(r.Git(t, "merge-tree", "--write-tree", main, side), "\n")
		r.Git(t, "update-ref", "refs/heads/main", r.Git(t, "commit-tree", tree, "-p", main, "-p", side, "-m", "Merge"))
		want := []string{demo(1).Short() + " 50h0m0s to now", "sha256:000000000000 0s to 50h0m0s"}
		if diff := cmp.Diff(want, periods(t, r, "staging")); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

// A commit can claim any time, but not to be older than what it stands on.
func TestHistoryIsNotBackdated(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	r.Clock.Pass(10 * time.Hour)
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	r.Clock.Pass(-1000 * time.Hour)
	r.Deploy(t, "main", "dev", "demo-api", demo(2))
	if got := periods(t, r, "dev")[0]; got != demo(2).Short()+" 10h0m0s to now" {
		t.Errorf("got %s", got)
	}
}

// counting says which commits are read.
type counting struct {
	history.Reader
	read []string
}

func (c *counting) File(ctx context.Context, rev, path string) ([]byte, error) {
	c.read = append(c.read, rev)
	return c.Reader.File(ctx, rev, path)
}

func TestFindTrustsNoTrailer(t *testing.T) {
	t.Parallel()
	_, app := load(t, configrepotest.Files("demo-api"))
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	bump := func(claimed, n int) string {
		r.Clock.Pass(time.Hour)
		message := history.Message{Verb: "bump", Apps: []string{"demo-api"}, Env: "dev", Images: history.Set{demo(claimed)}}.String()
		return r.Write(
			t, "main", message,
			map[string]string{configrepotest.Overlay("demo-api", "dev"): configrepotest.OverlayText("demo-api", demo(n).Digest())},
		)
	}
	bump(1, 1)
	liar := bump(9, 2) // says 9, brings 2
	for n := 3; n <= 5; n++ {
		bump(n, n)
	}
	find := func(ref imageref.Ref) (history.Period, bool, *counting) {
		repo := &counting{Reader: r}
		p, found, err := history.Find(t.Context(), repo, history.Where{Rev: "main", App: app, Env: "dev"}, ref)
		if err != nil {
			t.Fatal(err)
		}
		return p, found, repo
	}
	p, found, repo := find(demo(1))
	if !found || p.Length(r.Clock.Now()) != time.Hour {
		t.Errorf("the first: found %v, %+v", found, p)
	}
	if len(repo.read) > 4 { // candidates of the path, and the one that says 1
		t.Errorf("commits that say to have brought another were read: %v", repo.read)
	}
	if _, found, _ := find(demo(9)); found {
		t.Errorf("a digest that only a trailer names was found at %s", liar)
	}
	if p, found, _ := find(demo(5)); !found || !p.Until.IsZero() {
		t.Errorf("the newest: found %v, %+v", found, p)
	}
}

// A digest runs in a place from when waybill.yaml has the place, not from when the
// file named it first.
func TestRanBeginsWithThePlace(t *testing.T) {
	t.Parallel()
	files := configrepotest.Files("demo-api")
	_, app := load(t, files)
	declared, overlay := files["waybill.yaml"], configrepotest.Overlay("demo-api", "dev")
	files["waybill.yaml"] = configrepotest.Config("demo-web")
	r := configrepotest.Local(t, files)
	write := func(file, text string) {
		r.Clock.Pass(time.Hour)
		r.Write(t, "main", "a change", map[string]string{file: text})
	}
	write(overlay, configrepotest.OverlayText("demo-api", demo(1).Digest()))
	write(overlay, configrepotest.OverlayText("demo-api", demo(2).Digest()))
	ran := func(n int) (history.Period, bool) {
		p, found, err := history.Ran(t.Context(), r, history.Where{Rev: "main", App: app, Env: "dev"}, demo(n))
		if err != nil {
			t.Fatal(err)
		}
		return p, found
	}
	if p, found := ran(2); found {
		t.Errorf("without the place: %+v", p)
	}
	write("waybill.yaml", declared)
	write("waybill.yaml", declared+"# more\n")
	r.Clock.Pass(time.Hour)
	if p, found := ran(1); found {
		t.Errorf("ended before the place was there: %+v", p)
	}
	if p, found := ran(2); !found || p.Length(r.Clock.Now()) != 2*time.Hour {
		t.Errorf("ran for %s, want the two hours since the place is there: %v", p.Length(r.Clock.Now()), found)
	}
	write(overlay, configrepotest.OverlayText("demo-api", demo(3).Digest()))
	r.Clock.Pass(time.Hour)
	if p, found := ran(3); !found || p.Length(r.Clock.Now()) != time.Hour {
		t.Errorf("came to the place: ran for %s, %v", p.Length(r.Clock.Now()), found)
	}
	if p, found := ran(2); !found || p.Length(r.Clock.Now()) != 3*time.Hour {
		t.Errorf("left the place: ran for %s, want three hours: %v", p.Length(r.Clock.Now()), found)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	text := history.Message{
		Verb: "bump", Apps: []string{"demo-api"}, Env: "dev", Images: history.Set{demo(2)}, Previous: history.Set{demo(1)},
		Sources: []string{"acme/demo-api@abc"},
		Reason:  "because\n\nWaybill-App: evil\nof it", Run: "https://github.com/acme/config/actions/runs/1\nWaybill-App: evil",
	}.String()
	want := "bump demo-api in dev to " + demo(2).Short() + "\n\nbecause Waybill-App: evil of it\n\nWaybill-Verb: bump\nWaybill-App: " +
		"demo-api\nWaybill-Environment: dev\nWaybill-Image: " + demo(2).String() +
		"\nWaybill-Previous: " + demo(1).String() + "\nWaybill-Source: acme/demo-api@abc\nWaybill-Run: " +
		"https://github.com/acme/config/actions/runs/1 Waybill-App: evil\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{history.TrailerApp: "demo-api", history.TrailerImage: demo(2).String(), "Waybill-None": ""} {
		if got := history.Trailer(text, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := history.Trailer("subject\n\nWaybill-App: in the body\n\nSigned-off-by: Ada", history.TrailerApp); got != "" {
		t.Errorf("a line of the body was read as a trailer: %q", got)
	}
}

func TestRace(t *testing.T) {
	t.Parallel()
	tries := 0
	attempts, err := history.Race(t.Context(), nil, func() error {
		if tries++; tries < 3 {
			return fmt.Errorf("commit: %w", configrepo.ErrMoved)
		}
		return nil
	})
	if err != nil || attempts != 3 {
		t.Errorf("got %d attempts, %v", attempts, err)
	}
	broken := errors.New("broken")
	if attempts, err := history.Race(t.Context(), nil, func() error { return broken }); attempts != 1 || !errors.Is(err, broken) {
		t.Errorf("other trouble: got %d attempts, %v", attempts, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := history.Race(ctx, nil, func() error { cancel(); return configrepo.ErrMoved }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
}

// moved is a repository whose server says by which move each commit came.
type moved struct {
	history.Reader
	moves []string // newest first
}

func (m moved) Log(ctx context.Context, rev, path string, limit int) ([]configrepo.Entry, error) {
	entries, err := m.Reader.Log(ctx, rev, path, limit)
	for i := range min(len(entries), len(m.moves)) {
		entries[i].Move = m.moves[i]
	}
	return entries, err
}

// A digest ran if the branch stood at it, however shortly; what came and went by one
// move did not, however far apart its commits are dated.
func TestFindGoesByMoves(t *testing.T) {
	t.Parallel()
	_, app := load(t, configrepotest.Files("demo-api"))
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	for n, pass := range []time.Duration{time.Hour, time.Hour, time.Hour, 0} {
		r.Clock.Pass(pass)
		r.Deploy(t, "main", "dev", "demo-api", demo(n+1))
	}
	for n, want := range map[int]bool{1: true, 2: false, 3: true, 4: true} {
		repo := moved{r, []string{"d", "c", "c", "a"}}
		_, found, err := history.Find(t.Context(), repo, history.Where{Rev: "main", App: app, Env: "dev"}, demo(n))
		if err != nil || found != want {
			t.Errorf("%d: found %v, %v, want %v", n, found, err, want)
		}
	}
	var listed []imageref.Ref
	for p, err := range history.History(
		t.Context(), moved{r, []string{"d", "c", "c", "a"}}, history.Where{Rev: "main", App: app, Env: "dev"},
	) {
		if err != nil {
			t.Fatal(err)
		}
		if history.Runs(p.Ref) {
			listed = append(listed, p.Ref)
		}
	}
	if !slices.Equal(listed, []imageref.Ref{demo(4), demo(3), demo(1)}) {
		t.Errorf("the history lists %v", listed)
	}
}

package audit

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// world is a repository in which two signed digests and one without any signature came
// to staging, with what is needed to audit it.
type world struct {
	repo   *configrepotest.Repo
	client *registry.Client
	signer *sigstore.Signer
	public []byte
	images []imageref.Ref // 0 and 1 are signed
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{client: registry.New(registry.Options{})}
	var key *sigstore.Key
	w.signer, key = signer(t)
	var err error
	if w.public, err = key.PublicKeyPEM(); err != nil {
		t.Fatal(err)
	}
	repository := registrytest.New(t, nil).Host + "/acme/demo-api"
	files := configrepotest.Files("demo-api")
	for name, data := range files {
		files[name] = strings.ReplaceAll(data, "ghcr.io/acme/demo-api", repository)
	}
	files["waybill.yaml"] = "apiVersion: waybill.dev/v1\nenvironments:\n  - {name: dev, promotion: auto}\n" +
		"  - {name: staging, promotion: pull-request, soak: 30m}\napps:\n  demo-api: {image: " + repository + "}\n" +
		"policy:\n  require: [signature]\n  keys: [" + string(mustJSON(t, string(w.public))) + "]\n"
	delete(files, configrepotest.Overlay("demo-api", "prod"))
	w.repo = configrepotest.Local(t, files)
	for n := range 3 {
		index, err := random.Index(64, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		place, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := w.client.PushIndex(t.Context(), place, index)
		if err != nil {
			t.Fatal(err)
		}
		w.images = append(w.images, ref)
		if n < 2 {
			w.sign(t, ref)
		}
	}
	return w
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func signer(t *testing.T) (*sigstore.Signer, *sigstore.Key) {
	t.Helper()
	key, _ := sigstoretest.NewKey(t, "")
	s, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

func (w *world) verifier(t *testing.T) *sigstore.Verifier {
	t.Helper()
	v, err := sigstore.NewVerifier(sigstore.VerifierOptions{Keys: [][]byte{w.public}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) sign(t *testing.T, ref imageref.Ref) {
	t.Helper()
	deps := collect.Deps{Registry: w.client, Verifier: w.verifier(t)}
	_, err := sign.Run(t.Context(), sign.Deps{
		Registry: w.client, Signer: w.signer, Verifier: deps.Verifier,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return collect.Collect(ctx, deps, ref)
		},
	}, sign.Options{Image: ref, Format: sign.Both})
	if err != nil {
		t.Fatal(err)
	}
}

// deploy brings image n to an environment by a commit of Waybill, or by hand.
func (w *world) deploy(t *testing.T, env string, n int, verb, why string) {
	t.Helper()
	text := configrepotest.OverlayText("demo-api", w.images[n].Digest())
	text = strings.ReplaceAll(text, "ghcr.io/acme/demo-api", w.images[n].Repository())
	message := why
	if verb != "" {
		message = history.Message{Verb: verb, Apps: []string{"demo-api"}, Env: env, Images: history.Set{w.images[n]}, Reason: why}.String()
	}
	w.repo.Write(t, "main", message, map[string]string{configrepotest.Overlay("demo-api", env): text})
	w.repo.Clock.Pass(time.Hour)
}

// audit makes and signs the audit of staging.
func (w *world) audit(t *testing.T, since time.Time) *Archive {
	t.Helper()
	work, err := Begin(t.Context(), w.repo, Request{
		Repository: "acme/config", Branch: "main", Env: "staging", Since: since, Until: w.repo.Clock.Now(), Now: w.repo.Clock.Now(),
		Version: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := work.Gather(t.Context(), Sources{
		Signer: w.signer, Verifier: w.verifier(t), Registry: func(string) *registry.Client { return w.client },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) resign(t *testing.T, a *Archive) {
	t.Helper()
	delete(a.files, signatureFile)
	if err := a.Sign(t.Context(), w.signer); err != nil {
		t.Fatal(err)
	}
}

func (w *world) verify(t *testing.T, a *Archive) (Verified, error) {
	t.Helper()
	return Verify(t.Context(), a, Trust{Keys: [][]byte{w.public}, Version: "1"})
}

// made is an audit with a known history: an ordinary promotion, another one too early,
// a digest without signature by hand, and back.
func made(t *testing.T) (*world, *Archive) {
	t.Helper()
	w := newWorld(t)
	begin := w.repo.Clock.Now()
	w.deploy(t, "dev", 0, history.Bump, "")
	w.deploy(t, "staging", 0, history.Promote, "")
	w.repo.Write(t, "main", "too early", map[string]string{
		configrepotest.Overlay("demo-api", "dev"): strings.ReplaceAll(
			configrepotest.OverlayText("demo-api", w.images[1].Digest()), "ghcr.io/acme/demo-api", w.images[1].Repository(),
		),
	})
	w.repo.Clock.Pass(time.Minute)
	w.deploy(t, "staging", 1, history.Promote, "the customer waits")
	w.deploy(t, "staging", 2, "", "Fix it\n\nno time to build")
	w.deploy(t, "staging", 0, history.RollBack, "it broke")
	return w, w.audit(t, begin)
}

func TestAuditSaysWhatHappened(t *testing.T) {
	t.Parallel()
	w, a := made(t)
	v, err := w.verify(t, a)
	if err != nil || len(v.Problems) > 0 {
		t.Fatal(err, v.Problems)
	}
	var got []string
	for _, d := range v.Document.Deployments {
		n := slices.Index(w.images, d.ref())
		records := 0
		if d.Proof != nil {
			records = len(d.Proof.Records)
		}
		got = append(got, strings.Join([]string{d.Kind, string(rune('0' + n)), d.Verdict, string(rune('0' + records)), d.Reason}, " "))
	}
	want := []string{
		"deploy 0 allowed 2 ", "deploy 1 pending 2 the customer waits", "deploy 2 refused 0 no time to build",
		"takeback 0 allowed 2 it broke",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if d := v.Document.Deployments[1]; !strings.Contains(d.BreakGlass, "soak: ") {
		t.Errorf("that it came too early is not said: %q", d.BreakGlass)
	}
	if d := v.Document.Deployments[2]; !strings.Contains(d.BreakGlass, "signature: ") || !strings.Contains(d.BreakGlass, "order: ") {
		t.Errorf("that it went round the rules is not said: %q", d.BreakGlass)
	}
	gaps := strings.Join(v.Document.Gaps, "\n")
	for _, gap := range []string{
		"read from a directory", w.images[2].String() + ", which ran of demo-api, has no signed record", "terraform",
	} {
		if !strings.Contains(gaps, gap) {
			t.Errorf("the gap %q is not said:\n%s", gap, gaps)
		}
	}
	page := string(a.files[pageFile])
	for _, said := range []string{"Reason given: no time to build", "the customer waits", w.images[2].String(), "default-src 'none'"} {
		if !strings.Contains(page, said) {
			t.Errorf("the page does not say %q", said)
		}
	}
}

// A deployment is judged by what was known then: a signature and a scan that came later
// do not count.
func TestWhatCameLaterDoesNotCount(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse("waybill.yaml", []byte(configrepotest.Config("demo-api")))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for what, test := range map[string]struct {
		image evidencetest.Image
		want  evidence.State
	}{
		"before": {evidencetest.Image{App: "demo-api", N: 1, At: at.Add(-time.Hour)}, evidence.Met},
		"later":  {evidencetest.Image{App: "demo-api", N: 1, At: at.Add(time.Hour), Built: at.Add(-time.Hour)}, evidence.Refused},
	} {
		d := Deployment{App: "demo-api", Step: report.Step{Image: evidencetest.Ref("demo-api", 1), Since: at}}
		w := d.asOf(test.image.Evidence(), cfg, "staging", "")
		if w.Decision.State() != test.want || (len(w.Records) == 0) != (test.want == evidence.Refused) {
			t.Errorf("%s: %s\n%s", what, w.Decision.State(), w.Text())
		}
	}
	// A key vouches for no time: then the scan says when it was made.
	e := evidencetest.Image{App: "demo-api", N: 1, At: at.Add(time.Hour), Key: "sha256:1"}.Evidence()
	d := Deployment{App: "demo-api", Step: report.Step{Image: evidencetest.Ref("demo-api", 1), Since: at}}
	for _, p := range d.asOf(e, cfg, "staging", "").Problems {
		if p.Kind == evidence.Scan {
			t.Errorf("a scan that was made later is looked at: %s", p.Detail)
		}
	}
}

// An archive goes through a file and a directory as it is.
func TestArchiveIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	w, a := made(t)
	for _, form := range []string{"audit.tar", "audit"} {
		path := filepath.Join(t.TempDir(), form)
		if err := a.Write(path); err != nil {
			t.Fatal(err)
		}
		read, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := w.verify(t, read); err != nil || len(v.Problems) > 0 || v.Bundles != 6 {
			t.Errorf("%s: %d bundles, %v %v", form, v.Bundles, err, v.Problems)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Write(full); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a directory with files: %v", err)
	}
}

// What was changed after the signature is refused.
func TestChangedArchiveIsRefused(t *testing.T) {
	t.Parallel()
	w, a := made(t)
	other, key := signer(t)
	public, err := key.PublicKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	bundle := a.anyBundle()
	for what, test := range map[string]struct {
		change func(t *testing.T, files map[string][]byte)
		says   string
	}{
		"a line of JSON": {func(_ *testing.T, f map[string][]byte) {
			f[documentFile] = bytes.Replace(f[documentFile], []byte(`"refused"`), []byte(`"allowed"`), 1)
		}, "audit.json was changed, or added"},
		"a page":             {func(_ *testing.T, f map[string][]byte) { f[pageFile] = []byte("all is well") }, "audit.html was changed"},
		"a bundle taken out": {func(_ *testing.T, f map[string][]byte) { delete(f, bundle) }, "was taken out"},
		"a file more":        {func(_ *testing.T, f map[string][]byte) { f[bundles+digest([]byte("x"))] = []byte("x") }, "or added"},
		"no signature":       {func(_ *testing.T, f map[string][]byte) { delete(f, signatureFile) }, "not signed"},
		"a broken one":       {func(_ *testing.T, f map[string][]byte) { f[signatureFile] = []byte("{}") }, "does not hold"},
		"somebody else's": {func(t *testing.T, f map[string][]byte) {
			if err := (&Archive{files: f}).Sign(t.Context(), other); err != nil {
				t.Fatal(err)
			}
		}, "does not hold: signed with a key that is not among those given"},
		"of an image": {func(_ *testing.T, f map[string][]byte) { f[signatureFile] = f[bundle] }, "what is signed is no audit"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(a.files)
			test.change(t, files)
			_, err := w.verify(t, &Archive{files: files})
			if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it refused: %s", err, test.says)
			}
		})
	}
	if _, err := Verify(t.Context(), a, Trust{Keys: [][]byte{w.public}, Signer: "somebody"}); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "not by somebody") {
		t.Errorf("another signer: %v", err)
	}
	if _, err := Verify(t.Context(), a, Trust{Keys: [][]byte{public}}); outcome.Code(err) != outcome.Refused {
		t.Errorf("another key: %v", err)
	}
}

// anyBundle is a Sigstore bundle of the archive.
func (a *Archive) anyBundle() string {
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		if strings.HasPrefix(name, bundles) && bytes.Contains(a.files[name], []byte("dsseEnvelope")) {
			return name
		}
	}
	return ""
}

// Whoever may sign an audit cannot make it say what the bundles do not.
func TestLyingAuditIsFoundOut(t *testing.T) {
	t.Parallel()
	w, whole := made(t)
	deployment := func(change func(list []Deployment) []Deployment) func(*Archive, *Document) {
		return func(_ *Archive, doc *Document) { doc.Deployments = change(doc.Deployments) }
	}
	for what, test := range map[string]struct {
		change func(a *Archive, doc *Document)
		says   string
	}{
		"a verdict": {deployment(func(l []Deployment) []Deployment {
			l[2].Verdict = Allowed
			return l
		}), "by its evidence and rules it is refused"},
		"break-glass": {deployment(func(l []Deployment) []Deployment { l[2].BreakGlass = ""; return l }), "went round a rule is not said"},
		"a verdict without evidence": {deployment(func(l []Deployment) []Deployment {
			l[2].Proof, l[2].Verdict = nil, Allowed
			return l
		}), "is said to be allowed, without evidence"},
		"a signer": {deployment(func(l []Deployment) []Deployment {
			l[0].Proof.Waybill.Signer = &evidence.Signer{Identity: "the chief"}
			return l
		}), "is not what its bundles say"},
		"bundles of another image": {deployment(func(l []Deployment) []Deployment {
			l[2].Proof.Records = l[0].Proof.Records
			return l
		}), "a bundle of " + w.images[2].String() + " does not hold"},
		"another manifest": {deployment(func(l []Deployment) []Deployment {
			l[2].Proof.Manifest = l[0].Proof.Manifest
			return l
		}), "is of another image"},
		"parts of another image": {deployment(func(l []Deployment) []Deployment {
			l[2].Proof.Manifests = append(slices.Clone(l[2].Proof.Manifests), w.images[0].Digest())
			return l
		}), "it does not hold " + w.images[0].Digest()},
		"a deployment left out": {deployment(func(l []Deployment) []Deployment {
			return slices.Delete(l, 2, 3)
		}), "ran until another came"},
		"the last one left out": {deployment(func(l []Deployment) []Deployment {
			return l[:3]
		}), "what replaced " + w.images[2].String() + " is missing"},
		"a period cut short": {func(_ *Archive, doc *Document) { doc.Until = doc.Deployments[3].Since }, "did not run in the period"},
		"a bundle that is left out": {deployment(func(l []Deployment) []Deployment {
			l[0].Proof.Records = l[0].Proof.Records[:1]
			return l
		}), "is not what its bundles say"},
		"a record of terraform": {func(_ *Archive, doc *Document) {
			doc.Terraform = []Terraform{{File: doc.Deployments[0].Proof.Records[0].File, Type: terraformTypes + "apply/v1"}}
		}, "terraform"},
		"a file that nothing rests on": {func(a *Archive, _ *Document) {
			a.add(bundles, []byte("x"))
		}, "nothing in audit.json rests on it"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := &Archive{files: maps.Clone(whole.files)}
			var doc Document
			if err := json.Unmarshal(whole.files[documentFile], &doc); err != nil {
				t.Fatal(err)
			}
			test.change(a, &doc)
			if err := a.setDocument(doc); err != nil {
				t.Fatal(err)
			}
			w.resign(t, a)
			v, err := w.verify(t, a)
			if said := strings.Join(v.Problems, "\n"); err == nil && !strings.Contains(said, test.says) ||
				err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %s\nwant %s", err, said, test.says)
			}
		})
	}
	a := &Archive{files: maps.Clone(whole.files), Document: whole.Document}
	a.files[pageFile] = bytes.ReplaceAll(a.files[pageFile], []byte("refused"), []byte("allowed"))
	w.resign(t, a)
	if v, err := w.verify(t, a); err != nil || !slices.Contains(v.Problems, "audit.html does not say what audit.json says") {
		t.Errorf("another page: %v %v", err, v.Problems)
	}
}

// What no audit has is not read at all.
func TestHostileArchive(t *testing.T) {
	t.Parallel()
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
	for what, test := range map[string]struct {
		headers []tar.Header
		says    string
	}{
		"a path that leaves":   {[]tar.Header{file("../../etc/passwd")}, "which no audit has"},
		"an absolute path":     {[]tar.Header{file("/audit.json")}, "which no audit has"},
		"a link":               {[]tar.Header{{Name: documentFile, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, "no regular file"},
		"a device":             {[]tar.Header{{Name: documentFile, Typeflag: tar.TypeChar}}, "no regular file"},
		"a name twice":         {[]tar.Header{file(documentFile), file(documentFile)}, "audit.json twice"},
		"a bundle by a name":   {[]tar.Header{file(bundles + "mine.json")}, "which no audit has"},
		"a path with a detour": {[]tar.Header{file(bundles + "../audit.json")}, "which no audit has"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			w := tar.NewWriter(&out)
			for _, h := range test.headers {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "audit.tar")
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %s", err, test.says)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, documentFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a link in a directory: %v", err)
	}
	large := filepath.Join(t.TempDir(), "audit.tar")
	writeSparse(t, large, maxFile+1)
	if _, err := Open(large); outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("a huge file: %v", err)
	}
}

// writeSparse writes an archive of one file of zeros, without its end.
func writeSparse(t *testing.T, path string, size int64) {
	t.Helper()
	var out bytes.Buffer
	if err := tar.NewWriter(&out).WriteHeader(&tar.Header{Name: documentFile, Typeflag: tar.TypeReg, Size: size}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(out.Len())+size); err != nil {
		t.Fatal(err)
	}
}

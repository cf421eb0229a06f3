package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

const commit = "1111111111111111111111111111111111111111"

// job are the claims of the platform team's reusable workflow, run for the
// application.
func job() oidc.Claims {
	return oidc.Claims{
		Repository: "acme/demo-api", SHA: commit, Ref: "refs/heads/main", RunID: "7781", EventName: "push",
		WorkflowRef:    "acme/demo-api/.github/workflows/ci.yml@refs/heads/main",
		JobWorkflowRef: "acme/config/.github/workflows/deliver.yml@refs/heads/main",
	}
}

func policy(issuer string) evidence.Policy {
	return evidence.Policy{
		Require: evidence.Kinds(), Source: "acme/demo-api", MaxAge: 168 * time.Hour, Threshold: evidence.Threshold{Severity: evidence.High},
		Signers: []evidence.SignerRule{{
			Issuer: issuer, Workflow: "acme/config/.github/workflows/deliver.yml@refs/heads/main", Source: "acme/*",
		}},
	}
}

// image is a pushed index of two platforms.
type image struct {
	imageref.Ref
	platforms map[string]string
	client    *registry.Client
}

func push(t *testing.T, host string) image {
	t.Helper()
	im := image{platforms: make(map[string]string), client: registry.New(registry.Options{})}
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		platform, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := platform.Digest()
		if err != nil {
			t.Fatal(err)
		}
		im.platforms["linux/"+arch] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: platform, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	repository, err := name.NewRepository(host + "/acme/demo-api")
	if err != nil {
		t.Fatal(err)
	}
	im.Ref, err = im.client.PushIndex(t.Context(), repository, index)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func (im image) report(finished time.Time, findings ...evidence.Finding) *evidence.ScanReport {
	r := &evidence.ScanReport{
		Schema: evidence.ScanSchema, Image: im.String(), Scanner: evidence.Scanner{Name: "trivy", Version: "0.72.0"},
		Database:  evidence.Database{Repository: "db", Digest: "sha256:ab", Version: 2, UpdatedAt: finished.Add(-time.Hour)},
		StartedAt: finished.Add(-time.Minute), FinishedAt: finished,
	}
	for platform, digest := range im.platforms {
		r.Platforms = append(r.Platforms, evidence.PlatformScan{
			Platform: platform, Digest: digest, Findings: append([]evidence.Finding{}, findings...),
			Packages: []evidence.Package{{Name: "openssl", Version: "3.3.1", Type: "debian"}},
		})
	}
	return r
}

func (im image) options() sign.Options {
	sbom := fmt.Sprintf(
		`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":%q}},"components":[{"type":"library","purl":"pkg:deb/debian/openssl@3.3.1"}]}`,
		im.String(),
	)
	return sign.Options{
		Image: im.Ref, Format: sign.Bundle, SBOMs: []json.RawMessage{json.RawMessage(sbom)}, Scan: im.report(time.Now().Add(-time.Hour)),
		Build: &evidence.BuildRecord{
			Schema: evidence.BuildSchema, Image: im.String(), Digest: im.Digest(), Platforms: im.platforms, Engine: "assemble",
			Context:    ".",
			Dockerfile: evidence.Dockerfile{Path: "Dockerfile", Digest: "sha256:12"},
			BaseImages: []evidence.BaseImage{{Name: "gcr.io/distroless/static:nonroot", Digest: "sha256:" + strings.Repeat("2", 64)}},
			Source:     evidence.Source{Repository: "https://github.com/acme/demo-api", Commit: commit, Ref: "refs/heads/main"},
		},
		Builder: evidence.Builder{
			ID:           "https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main",
			InvocationID: "https://github.com/acme/demo-api/actions/runs/7781",
		},
	}
}

func mustVerifier(t *testing.T, o sigstore.VerifierOptions) *sigstore.Verifier {
	t.Helper()
	v, err := sigstore.NewVerifier(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signWith signs and gives the result.
func signWith(t *testing.T, im image, v *sigstore.Verifier, so sigstore.SignerOptions, o sign.Options) (sign.Result, error) {
	t.Helper()
	signer, err := sigstore.NewSigner(t.Context(), so)
	if err != nil {
		t.Fatal(err)
	}
	return signBy(t, im, v, signer, o)
}

func signBy(t *testing.T, im image, v *sigstore.Verifier, signer *sigstore.Signer, o sign.Options) (sign.Result, error) {
	t.Helper()
	return sign.Run(t.Context(), sign.Deps{Registry: im.client, Signer: signer, Verifier: v,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return collect.Collect(ctx, collect.Deps{Registry: im.client, Verifier: v}, ref)
		}}, o)
}

func judge(t *testing.T, im image, v *sigstore.Verifier, p evidence.Policy) evidence.Waybill {
	t.Helper()
	w, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: v}, im.Ref, p, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// refuses fails unless the rule refuses with a detail that holds text.
func refuses(t *testing.T, w evidence.Waybill, rule, text string) {
	t.Helper()
	if w.Decision.Allowed {
		t.Errorf("allowed; want %s refused for %q", rule, text)
		return
	}
	for _, r := range w.Decision.Reasons {
		if r.Rule == rule {
			if r.State != evidence.Refused || !strings.Contains(r.Detail, text) || r.Remedy == "" {
				t.Errorf("%s: got %+v, want it refused for %q, with a remedy", rule, r, text)
			}
			return
		}
	}
	t.Errorf("no reason for rule %s in %+v", rule, w.Decision.Reasons)
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	trust := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: s.TrustedRoot})
	keyless := func(claims oidc.Claims) sigstore.SignerOptions {
		return sigstore.SignerOptions{SigningConfig: s.SigningConfig, IDToken: s.IDToken(claims)}
	}

	t.Run("signed by the platform's workflow, on a runner that somebody registered", func(t *testing.T) {
		t.Parallel()
		im := push(t, host)
		claims := job()
		claims.RunnerEnvironment = "self-hosted"
		if _, err := signWith(t, im, trust, keyless(claims), im.options()); err != nil {
			t.Fatal(err)
		}
		refuses(t, judge(t, im, trust, policy(s.Issuer.URL())), "signature", "it was made on a self-hosted runner")
		own := policy(s.Issuer.URL())
		own.Signers[0].Runner = evidence.RunnerSelf
		if w := judge(t, im, trust, own); !w.Decision.Allowed {
			t.Errorf("where the policy says so: not allowed:\n%s", w.Text())
		}
	})

	t.Run("signed by the platform's workflow", func(t *testing.T) {
		t.Parallel()
		im := push(t, host)
		o := im.options()
		result, err := signWith(t, im, trust, keyless(job()), o)
		if err != nil {
			t.Fatal(err)
		}
		if result.LogIndex == nil {
			t.Error("no log index")
		}
		w := judge(t, im, trust, policy(s.Issuer.URL()))
		if !w.Decision.Allowed {
			t.Fatalf("not allowed:\n%s", w.Text())
		}
		want := evidence.Signer{
			Issuer: s.Issuer.URL(), Identity: "https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main",
			SourceRepository: "https://github.com/acme/demo-api", SourceCommit: commit, SourceRef: "refs/heads/main",
			RunURL: "https://github.com/acme/demo-api/actions/runs/7781/attempts/1", Trigger: "push", Runner: "github-hosted",
		}
		if w.Signer == nil || *w.Signer != want {
			t.Errorf("got signer %+v, want %+v", w.Signer, want)
		}
		if w.Source.Commit != commit || w.Packages != 1 || len(w.BaseImages) != 1 {
			t.Errorf("got %+v", w)
		}
		for _, r := range w.Records {
			if r.SignedAt.IsZero() || r.LogIndex == nil {
				t.Errorf("%s: nobody vouches for the time, or no log index: %+v", r.Kind, r)
			}
		}

		// The same job again leaves everything alone.
		again, err := signWith(t, im, trust, keyless(job()), o)
		if err != nil || len(again.Written) != 0 || len(again.Kept) != 4 {
			t.Errorf("signed again: %+v, %v", again, err)
		}
		if again.LogIndex == nil || *again.LogIndex != *result.LogIndex {
			t.Error("signed again: another log index")
		}
	})

	t.Run("a newer scan counts, the older stays", func(t *testing.T) {
		t.Parallel()
		im := push(t, host)
		o := im.options()
		o.Scan = im.report(
			time.Now().Add(-200*time.Hour),
			evidence.Finding{ID: "CVE-2026-1", Package: "openssl", Severity: evidence.High, FixedVersion: "2"},
		)
		if _, err := signWith(t, im, trust, keyless(job()), o); err != nil {
			t.Fatal(err)
		}
		w := judge(t, im, trust, policy(s.Issuer.URL()))
		refuses(t, w, "scan", "longer ago than the 7 d allowed")
		refuses(t, w, "scan", "1 high finding with a fix: CVE-2026-1 (openssl, fixed in 2)")
		o.Scan = im.report(time.Now().Add(-time.Hour))
		result, err := signWith(t, im, trust, keyless(job()), o)
		if err != nil || len(result.Written) != 1 {
			t.Fatalf("got %+v, %v; want the scan alone", result, err)
		}
		if w := judge(t, im, trust, policy(s.Issuer.URL())); !w.Decision.Allowed {
			t.Errorf("not allowed:\n%s", w.Text())
		}
	})

	for what, tc := range map[string]struct {
		change func(*oidc.Claims)
		detail string
	}{
		"another workflow": {
			func(c *oidc.Claims) { c.JobWorkflowRef = "acme/evil/.github/workflows/deliver.yml@refs/heads/main" },
			"its workflow is not acme/config/.github/workflows/deliver.yml@refs/heads/main",
		},
		"another branch of the workflow": {
			func(c *oidc.Claims) { c.JobWorkflowRef = "acme/config/.github/workflows/deliver.yml@refs/heads/evil" },
			"its workflow is not acme/config",
		},
		"another owner's repository": {
			func(c *oidc.Claims) { c.Repository = "evil/demo-api" }, "it ran for evil/demo-api, not acme/*",
		},
		"another application's repository": {
			func(c *oidc.Claims) { c.Repository = "acme/demo-web" },
			"it ran for acme/demo-web, and the application is built from acme/demo-api",
		},
	} {
		t.Run("signed by "+what, func(t *testing.T) {
			t.Parallel()
			im := push(t, host)
			claims := job()
			tc.change(&claims)
			o := im.options()
			o.Builder.ID = "https://github.com/" + claims.JobWorkflowRef
			if _, err := signWith(t, im, trust, keyless(claims), o); err != nil {
				t.Fatal(err)
			}
			w := judge(t, im, trust, policy(s.Issuer.URL()))
			for _, kind := range evidence.Kinds() {
				refuses(t, w, string(kind), tc.detail)
			}
			if w.Signer != nil || len(w.Records) != 0 {
				t.Errorf("the waybill rests on %+v, %+v", w.Signer, w.Records)
			}
		})
	}

	t.Run("another issuer", func(t *testing.T) {
		t.Parallel()
		im := push(t, host)
		if _, err := signWith(t, im, trust, keyless(job()), im.options()); err != nil {
			t.Fatal(err)
		}
		refuses(t, judge(t, im, trust, policy("https://token.actions.githubusercontent.com")), "signature", "its issuer is "+s.Issuer.URL())
	})

	t.Run("another trusted root", func(t *testing.T) {
		t.Parallel()
		im := push(t, host)
		if _, err := signWith(t, im, trust, keyless(job()), im.options()); err != nil {
			t.Fatal(err)
		}
		other := sigstoretest.Start(t)
		stranger := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: other.TrustedRoot})
		refuses(
			t, judge(t, im, stranger, policy(s.Issuer.URL())), "signature",
			"signature with the certificate of https://github.com/acme/config/",
		)

		// Signing against one Sigstore and reading back against another is no success.
		im = push(t, host)
		_, err := signWith(t, im, stranger, keyless(job()), im.options())
		if err == nil || !strings.Contains(err.Error(), "the new signature does not verify, so nothing was attached") {
			t.Errorf("got %v", err)
		}
	})
}

// cutAt is a registry that refuses referrers of the digest it holds.
func cutAt(t *testing.T) (*atomic.Value, *registrytest.Server) {
	t.Helper()
	cut := new(atomic.Value)
	cut.Store("")
	return cut, registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		digest := cut.Load().(string)
		if digest == "" || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte(`"subject":`)) || !bytes.Contains(body, []byte(digest)) {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func parseTime(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) }

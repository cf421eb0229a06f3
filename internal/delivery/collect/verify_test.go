package collect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// newKey makes a key and a policy that trusts it.
func newKey(t *testing.T, kind string) (*sigstore.Key, *sigstore.Verifier, evidence.Policy) {
	t.Helper()
	key, public := sigstoretest.NewKey(t, kind)
	p := policy("")
	p.Keys = []string{key.Fingerprint()}
	return key, mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{public}}), p
}

func TestEveryKindOfKeyInEveryForm(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	for _, kind := range []string{"ecdsa", "p384", "rsa", "ed25519"} {
		for _, format := range []string{sign.Bundle, sign.Legacy} {
			t.Run(kind+" "+format, func(t *testing.T) {
				t.Parallel()
				key, trust, p := newKey(t, kind)
				im := push(t, host)
				o := im.options()
				o.Format = format
				if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
					t.Fatal(err)
				}
				if w := judge(t, im, trust, p); !w.Decision.Allowed || w.Signer.Key != key.Fingerprint() {
					t.Errorf("not allowed:\n%s", w.Text())
				}
			})
		}
	}
}

// A key may be logged and stamped too; the log takes each kind of key in a way
// of its own.
func TestKeyWithLogAndTimestamp(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	for _, kind := range []string{"ecdsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			key, _, p := newKey(t, kind)
			public, err := key.PublicKeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			trust := mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{public}, TrustedRoot: s.TrustedRoot})
			im := push(t, host)
			result, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key, SigningConfig: s.SigningConfig}, im.options())
			if err != nil {
				t.Fatal(err)
			}
			if result.LogIndex == nil {
				t.Error("no log index")
			}
			w := judge(t, im, trust, p)
			if !w.Decision.Allowed {
				t.Fatalf("not allowed:\n%s", w.Text())
			}
			for _, r := range w.Records {
				if r.SignedAt.IsZero() || time.Since(r.SignedAt) > time.Hour {
					t.Errorf("%s: signed at %s", r.Kind, r.SignedAt)
				}
			}
		})
	}
}

// tamper attaches what change makes of a valid bundle, in its place.
func tamper(t *testing.T, host string, change func(t *testing.T, bundle map[string]any)) (image, *sigstore.Verifier, evidence.Policy) {
	t.Helper()
	key, trust, p := newKey(t, "ecdsa")
	from, to := push(t, host), push(t, host)
	if _, err := signWith(t, from, trust, sigstore.SignerOptions{Key: key}, from.options()); err != nil {
		t.Fatal(err)
	}
	found, err := from.client.Attached(t.Context(), from.Ref, sigstore.MediaTypeBundlePrefix)
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		var b map[string]any
		if err := json.Unmarshal(found[i].Data, &b); err != nil {
			t.Fatal(err)
		}
		change(t, b)
		if found[i].Data, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
		delete(found[i].Annotations, "dev.waybill.blob")
	}
	if err := sigstore.Attach(t.Context(), to.client, []imageref.Ref{to.Ref}, found); err != nil {
		t.Fatal(err)
	}
	return to, trust, p
}

func TestTamperedEvidenceCountsForNothing(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	for name, tc := range map[string]struct {
		change func(t *testing.T, bundle map[string]any)
		detail string
	}{
		"a statement about another image": {func(*testing.T, map[string]any) {}, "is about another image"},
		"a changed statement": {func(t *testing.T, b map[string]any) {
			envelope := b["dsseEnvelope"].(map[string]any)
			payload, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
			if err != nil {
				t.Fatal(err)
			}
			envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(
				payload, []byte(`"subject":[`), []byte(`"subject":[{"digest":{"sha256":"`+strings.Repeat("0", 64)+`"}},`), 1,
			))
		}, "the signature is wrong"},
		"another signature": {func(_ *testing.T, b map[string]any) {
			envelope := b["dsseEnvelope"].(map[string]any)
			envelope["signatures"].([]any)[0].(map[string]any)["sig"] = base64.StdEncoding.EncodeToString([]byte("nonsense"))
		}, "the signature is wrong"},
		"another payload type": {func(_ *testing.T, b map[string]any) {
			b["dsseEnvelope"].(map[string]any)["payloadType"] = "text/plain"
		}, "not an in-toto statement"},
		"no bundle at all": {func(_ *testing.T, b map[string]any) { delete(b, "verificationMaterial") }, "not a Sigstore bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im, trust, p := tamper(t, host, tc.change)
			w := judge(t, im, trust, p)
			for _, kind := range evidence.Kinds() {
				refuses(t, w, string(kind), tc.detail)
			}
		})
	}
}

// copyLegacy appends what the legacy tags beside from hold to those beside to.
func copyLegacy(t *testing.T, from, to image) {
	t.Helper()
	for _, tag := range []sigstore.LegacyTag{sigstore.LegacySignatures, sigstore.LegacyAttestations} {
		beside, err := from.client.Beside(t.Context(), from.Ref, registry.Bounds{})
		if err != nil {
			t.Fatal(err)
		}
		blobs, err := beside.Tagged(t.Context(), string(tag), tag.LayerType())
		if err != nil || len(blobs) == 0 {
			t.Fatal(len(blobs), err)
		}
		var mu sync.Mutex
		var layers []sigstore.Legacy
		if err := beside.Read(t.Context(), blobs, func(listed []registry.Blob, data []byte) error {
			mu.Lock()
			defer mu.Unlock()
			layers = append(layers, sigstore.NewLegacy(tag, bytes.Clone(data), listed[0].Annotations))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := sigstore.AppendLegacy(t.Context(), to.client, to.Ref, tag, layers); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLegacySignatureOfAnotherImage(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	from, to := push(t, host), push(t, host)
	o := from.options()
	o.Format = sign.Legacy
	if _, err := signWith(t, from, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
		t.Fatal(err)
	}
	copyLegacy(t, from, to)
	w := judge(t, to, trust, p)
	refuses(t, w, "signature", "a signature by key "+key.Fingerprint()+" is about another image: "+from.Digest())
	refuses(t, w, "scan", "is about another image")
}

// Trouble is an error: never a verdict, whichever request it hits.
func TestRegistryTroubleIsNoVerdict(t *testing.T) {
	t.Parallel()
	var failing atomic.Value
	failing.Store("none")
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		path := failing.Load().(string)
		if !strings.Contains(r.URL.Path, path) {
			return false
		}
		w.WriteHeader(http.StatusForbidden) // not retried, unlike 500
		return true
	})
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"the index": "/manifests/" + im.Digest(), "the referrers": "/referrers/", "a bundle": "/blobs/", "a legacy tag": ".sig",
	} {
		failing.Store(path)
		_, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: trust}, im.Ref, p, time.Now())
		if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "registry "+server.Host) {
			t.Errorf("%s: got %v, want an error that names the registry", what, err)
		}
	}
	failing.Store("none")
	if w := judge(t, im, trust, p); !w.Decision.Allowed {
		t.Errorf("not allowed after the trouble:\n%s", w.Text())
	}
}

func TestServerErrorIsNoVerdict(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if broken.Load() && strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	})
	_, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	broken.Store(true)
	_, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: trust}, im.Ref, p, time.Now())
	if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "500") {
		t.Errorf("got %v, want it broken by the 500", err)
	}
}

func TestTrustedRootTroubleIsNoVerdict(t *testing.T) {
	t.Parallel()
	if _, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: t.TempDir() + "/none.json"}); err == nil ||
		sigstore.IsUntrusted(err) {
		t.Errorf("got %v", err)
	}
}

func TestSigningRefusesWhatIsAboutAnotherImage(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, _ := newKey(t, "ecdsa")
	im, other := push(t, host), push(t, host)
	for name, change := range map[string]func(*sign.Options){
		"the scan report is about":   func(o *sign.Options) { o.Scan = other.options().Scan },
		"the build record is about":  func(o *sign.Options) { o.Build = other.options().Build },
		"the SBOM is about":          func(o *sign.Options) { o.SBOMs = other.options().SBOMs },
		"neither CycloneDX nor SPDX": func(o *sign.Options) { o.SBOMs = []json.RawMessage{json.RawMessage(`{}`)} },
	} {
		o := im.options()
		change(&o)
		_, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want it as wrong usage", name, err)
		}
	}
	if w := judge(t, im, trust, policy("")); len(w.Records) != 0 {
		t.Errorf("something was signed: %+v", w.Records)
	}
}

// A writer that loses an update of the fallback tag finds out, and writes again.
func TestLostUpdateOfTheFallbackTag(t *testing.T) {
	t.Parallel()
	var lost atomic.Int32
	var digest atomic.Value
	digest.Store("none")
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusNotFound) // no such API
			return true
		}
		tag := "/manifests/" + strings.Replace(digest.Load().(string), ":", "-", 1)
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, tag) && lost.Add(1) <= 2 {
			w.WriteHeader(http.StatusCreated) // said, and not done
			return true
		}
		return false
	})
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	digest.Store(im.Digest())
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	if lost.Load() < 3 {
		t.Fatal("no update was lost: the test shows nothing")
	}
	if w := judge(t, im, trust, p); !w.Decision.Allowed {
		t.Errorf("not allowed:\n%s", w.Text())
	}
}

// Without a log, cosign's legacy form works keyless too: the timestamp vouches.
func TestKeylessLegacyWithTimestampAlone(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	instance := s.Instance
	instance.LogURL = ""
	dir := t.TempDir()
	files := make(map[string]string)
	for name, make := range map[string]func() ([]byte, error){"config.json": instance.SigningConfig, "root.json": instance.TrustedRoot} {
		data, err := make()
		if err != nil {
			t.Fatal(err)
		}
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: files["root.json"]})
	im := push(t, registrytest.New(t, nil).Host)
	o := im.options()
	o.Format = sign.Both
	for range 2 {
		if _, err := signWith(
			t, im, trust, sigstore.SignerOptions{SigningConfig: files["config.json"], IDToken: s.IDToken(job())}, o,
		); err != nil {
			t.Fatal(err)
		}
	}
	w := judge(t, im, trust, policy(s.Issuer.URL()))
	if !w.Decision.Allowed || len(w.Records) != 4+4 { // a bundle and a legacy form of each
		t.Errorf("allowed %v with %d records:\n%s", w.Decision.Allowed, len(w.Records), w.Text())
	}
	for _, r := range w.Records {
		if r.SignedAt.IsZero() {
			t.Errorf("%s %s: nobody vouches for the time", r.Kind, r.Format)
		}
	}

	// Who trusts a log too wants to see it there.
	logged := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: s.TrustedRoot})
	refuses(t, judge(t, im, logged, policy(s.Issuer.URL())), "signature", "not enough verified log entries")

	im = push(t, im.Registry())
	o = im.options()
	o.Format = sign.Legacy
	if _, err := signWith(
		t, im, trust, sigstore.SignerOptions{SigningConfig: files["config.json"], IDToken: s.IDToken(job())}, o,
	); err != nil {
		t.Fatal(err)
	}
	c := newCosign(t)
	flags := []string{
		"--insecure-ignore-tlog", "--insecure-ignore-sct", "--use-signed-timestamps", "--new-bundle-format=false",
		"--timestamp-certificate-chain", s.TimestampChain, "--ca-roots", c.write("fulcio.pem", string(instance.FulcioChain)),
		"--certificate-oidc-issuer", s.Issuer.URL(), "--certificate-identity",
		"https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main", im.String(),
	}
	c.run(append([]string{"verify"}, flags...)...)
	c.run(append([]string{"verify-attestation", "--type", "vuln"}, flags...)...)
}

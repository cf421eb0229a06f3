package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// cosign runs the public command line.
type cosign struct {
	t    *testing.T
	path string
	home string
}

func newCosign(t *testing.T) cosign {
	t.Helper()
	return cosign{t: t, path: tooltest.Find(t, "cosign"), home: t.TempDir()}
}

func (c cosign) try(args ...string) (string, error) {
	var out bytes.Buffer // the error carries the end of stderr
	err := process.Command{
		Path: c.path, Args: args, Dir: c.home, Stdout: &out,
		// The proxy that is not there keeps it from asking the public instance.
		Env: []string{
			"HOME=" + c.home, "COSIGN_PASSWORD=secret", "COSIGN_YES=true", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1",
		},
	}.Run(c.t.Context())
	return out.String(), err
}

func (c cosign) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// key makes a key pair the way its users do, and loads it.
func (c cosign) key() (private, public string, key *sigstore.Key) {
	c.t.Helper()
	c.run("generate-key-pair")
	private, public = filepath.Join(c.home, "cosign.key"), filepath.Join(c.home, "cosign.pub")
	pem, err := os.ReadFile(private)
	if err != nil {
		c.t.Fatal(err)
	}
	if key, err = sigstore.LoadKey(pem, []byte("secret")); err != nil {
		c.t.Fatal(err)
	}
	if _, err := sigstore.LoadKey(pem, []byte("wrong")); err == nil {
		c.t.Error("a wrong password opens the key")
	}
	return private, public, key
}

func (c cosign) write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

var attestationTypes = map[evidence.Kind]string{evidence.Provenance: "slsaprovenance1", evidence.SBOM: "cyclonedx", evidence.Scan: "vuln"}

// registries are those that the stored forms have to work on.
func registries(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	r, err := dockerregistry.Start(t.Context(), tooltest.Find(t, "docker-registry"), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return map[string]string{"referrers API": registrytest.New(t, nil).Host, "fallback tag": r.Host}
}

func TestCosignVerifiesKeyless(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	trust := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: s.TrustedRoot})
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCosign(t)
			im := push(t, host)
			if _, err := signWith(
				t, im, trust, sigstore.SignerOptions{SigningConfig: s.SigningConfig, IDToken: s.IDToken(job())}, im.options(),
			); err != nil {
				t.Fatal(err)
			}
			identity := []string{
				"--new-bundle-format", "--trusted-root", s.TrustedRoot, "--use-signed-timestamps", "--insecure-ignore-sct",
				"--certificate-oidc-issuer", s.Issuer.URL(), "--certificate-identity",
				"https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main",
			}
			platform, err := im.At(im.platforms["linux/arm64"])
			if err != nil {
				t.Fatal(err)
			}
			for _, ref := range []string{im.String(), platform.String()} {
				c.run(append(append([]string{"verify"}, identity...), ref)...)
				for kind, name := range attestationTypes {
					out := c.run(append(append([]string{"verify-attestation", "--type", name}, identity...), ref)...)
					if n := strings.Count(out, `"payloadType"`); n != 1 {
						t.Errorf("%s: %d attestations, want 1", kind, n)
					}
				}
			}
			stranger := append(append([]string{"verify"}, identity[:len(identity)-1]...), "https://github.com/evil", im.String())
			if out, err := c.try(stranger...); err == nil {
				t.Errorf("cosign verifies for a stranger: %s", out)
			}
		})
	}
}

// GitHub's gh reads each record out of the registry: from the list of referrers, and
// where there is none from the fallback tag.
func TestGHVerifies(t *testing.T) {
	t.Parallel()
	gh := tooltest.Find(t, "gh")
	s := sigstoretest.Start(t)
	trust := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: s.TrustedRoot})
	data, err := os.ReadFile(s.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer // gh reads one root a line, and leaves out what no line ends
	if err := json.Compact(&line, data); err != nil {
		t.Fatal(err)
	}
	line.WriteString("\n")
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			roots := filepath.Join(home, "roots.jsonl")
			if err := os.WriteFile(roots, line.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			im := push(t, host)
			if _, err := signWith(
				t, im, trust, sigstore.SignerOptions{SigningConfig: s.SigningConfig, IDToken: s.IDToken(job())}, im.options(),
			); err != nil {
				t.Fatal(err)
			}
			verify := func(repository string, more ...string) error {
				args := []string{
					"attestation", "verify", "oci://" + im.String(), "--bundle-from-oci", "--repo", repository,
					"--signer-workflow", "acme/config/.github/workflows/deliver.yml",
					"--cert-oidc-issuer", s.Issuer.URL(), "--custom-trusted-root", roots,
				}
				return process.Command{
					Path: gh, Args: append(args, more...), Dir: home,
					Env: []string{"HOME=" + home, "GH_CONFIG_DIR=" + home, "GH_TOKEN=none"},
				}.Run(t.Context())
			}
			if err := verify("acme/demo-api"); err != nil {
				t.Errorf("provenance: %v", err)
			}
			for _, predicate := range []string{evidence.PredicateSignature, evidence.PredicateCycloneDX, evidence.PredicateScan} {
				if err := verify("acme/demo-api", "--predicate-type", predicate); err != nil {
					t.Errorf("%s: %v", predicate, err)
				}
			}
			if err := verify("acme/another"); err == nil {
				t.Error("gh verifies for another repository")
			}
		})
	}
}

func TestCosignVerifiesKey(t *testing.T) {
	t.Parallel()
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCosign(t)
			_, public, key := c.key()
			pem, err := key.PublicKeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			nothing, err := sigstore.Instance{}.TrustedRoot() // cosign wants one where a key needs none
			if err != nil {
				t.Fatal(err)
			}
			trust := mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{pem}})
			for _, format := range []string{sign.Bundle, sign.Legacy, sign.Both} {
				im := push(t, host)
				o := im.options()
				o.Format = format
				for range 2 {
					if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
						t.Fatalf("%s: %v", format, err)
					}
				}
				platform, err := im.At(im.platforms["linux/amd64"])
				if err != nil {
					t.Fatal(err)
				}
				for _, ref := range []string{im.String(), platform.String()} {
					for _, bundle := range []string{"true", "false"} {
						if format == sign.Bundle && bundle == "false" || format == sign.Legacy && bundle == "true" {
							continue
						}
						flags := []string{"--key", public, "--insecure-ignore-tlog", "--new-bundle-format=" + bundle}
						if format != sign.Legacy { // with bundles there cosign takes them whatever the flag says
							flags = append(flags, "--trusted-root", c.write("root.json", string(nothing)))
						}
						c.run(append(append([]string{"verify"}, flags...), ref)...)
						for kind, name := range attestationTypes {
							out := c.run(append(append([]string{"verify-attestation", "--type", name}, flags...), ref)...)
							if n := strings.Count(out, `"payloadType"`); n != 1 {
								t.Errorf("%s %s: %d attestations, want 1", format, kind, n)
							}
						}
					}
				}
				p := policy("")
				p.Keys = []string{key.Fingerprint()}
				if w := judge(t, im, trust, p); !w.Decision.Allowed {
					t.Errorf("%s: not allowed:\n%s", format, w.Text())
				}
				// The policy's fingerprint is enough: the public key is stored beside.
				if w := judge(t, im, mustVerifier(t, sigstore.VerifierOptions{}), p); !w.Decision.Allowed {
					t.Errorf("%s: not allowed by fingerprint:\n%s", format, w.Text())
				}
			}
		})
	}
}

func TestWaybillVerifiesCosign(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	for name, host := range registries(t) {
		t.Run(name+", keyless", func(t *testing.T) {
			t.Parallel()
			c := newCosign(t)
			im := push(t, host)
			token, err := s.IDToken(job())(context.Background(), sigstore.Audience)
			if err != nil {
				t.Fatal(err)
			}
			flags := []string{
				"--new-bundle-format", "--signing-config", s.SigningConfig, "--trusted-root", s.TrustedRoot, "--identity-token",
				c.write("token", token),
			}
			c.cosignSigns(im, flags)
			trust := mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: s.TrustedRoot})
			if w := judge(t, im, trust, policy(s.Issuer.URL())); !w.Decision.Allowed {
				t.Errorf("not allowed:\n%s", w.Text())
			}
		})
		t.Run(name+", key", func(t *testing.T) {
			t.Parallel()
			c := newCosign(t)
			private, _, key := c.key()
			pem, err := key.PublicKeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			trust := mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{pem}})
			p := policy("")
			p.Keys = []string{key.Fingerprint()}
			for _, bundle := range []string{"true", "false"} {
				im := push(t, host)
				c.cosignSigns(im, []string{"--key", private, "--tlog-upload=false", "--new-bundle-format=" + bundle})
				if w := judge(t, im, trust, p); !w.Decision.Allowed {
					t.Errorf("bundle %s: not allowed:\n%s", bundle, w.Text())
				}
				refuses(t, judge(t, im, mustVerifier(t, sigstore.VerifierOptions{}), p), "signature", "no public key was given")
			}
		})
	}
}

// cosignSigns signs the image and attests what Waybill would.
func (c cosign) cosignSigns(im image, flags []string) {
	c.t.Helper()
	c.run(append(append([]string{"sign"}, flags...), im.String())...)
	o := im.options()
	provenance, err := evidence.ProvenancePredicate(*o.Build, o.Builder)
	if err != nil {
		c.t.Fatal(err)
	}
	scan, err := evidence.ScanPredicate(*im.report(time.Now().Add(-time.Hour)), o.Builder)
	if err != nil {
		c.t.Fatal(err)
	}
	for kind, predicate := range map[evidence.Kind]string{
		evidence.Provenance: string(provenance), evidence.SBOM: string(o.SBOMs[0]), evidence.Scan: string(scan),
	} {
		file := c.write(string(kind)+".json", predicate)
		c.run(append(append([]string{"attest", "--predicate", file, "--type", attestationTypes[kind]}, flags...), im.String())...)
	}
}

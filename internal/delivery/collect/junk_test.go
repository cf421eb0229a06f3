package collect_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
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
	"github.com/waybill-dev/waybill/internal/outcome"
)

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaEmpty    = "application/vnd.oci.empty.v1+json"
	mediaSimple   = "application/vnd.dev.cosign.simplesigning.v1+json"
	mediaDSSE     = "application/vnd.dsse.envelope.v1+json"
)

// neighbour is somebody who may push beside an image, and nothing else.
type neighbour struct {
	registrytest.Repository
	im image
}

func (n neighbour) tag() string { return strings.Replace(n.im.Digest(), ":", "-", 1) }

// referrer attaches layers.
func (n neighbour) referrer(annotations map[string]string, layers ...map[string]any) map[string]any {
	return n.Manifest(map[string]any{
		"schemaVersion": 2, "mediaType": mediaManifest, "artifactType": sigstore.MediaTypeBundle,
		"config": n.Blob([]byte("{}"), mediaEmpty), "layers": layers,
		"annotations": annotations, "subject": map[string]any{"mediaType": mediaIndex, "digest": n.im.Digest(), "size": 1},
	}, mediaManifest, "")
}

func (n neighbour) legacy(suffix string, layers ...map[string]any) {
	n.Manifest(
		map[string]any{"schemaVersion": 2, "mediaType": mediaManifest, "config": n.Blob([]byte("{}"), mediaConfig), "layers": layers},
		mediaManifest, n.tag()+suffix,
	)
}

func (n neighbour) layer(content, mediaType string) map[string]any {
	l := n.Blob([]byte(content), mediaType)
	l["annotations"] = map[string]string{"dev.cosignproject.cosign/signature": "AAAA"}
	return l
}

func with(descriptor map[string]any, name string, value any) map[string]any {
	changed := make(map[string]any)
	for k, v := range descriptor {
		changed[k] = v
	}
	changed[name] = value
	return changed
}

func many(n int, layer map[string]any) []map[string]any {
	layers := make([]map[string]any, n)
	for i := range layers {
		layers[i] = layer
	}
	return layers
}

// foreign is a bundle by a certificate that somebody made for themselves.
func foreign(t *testing.T, identity, issuer string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(identity)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{uri}}
	if issuer != "" { // https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
		template.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"certificate":{"rawBytes":%q},"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AAAA"}]}},
"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`,
		sigstore.MediaTypeBundle, encode(der), encode(
			[]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"`+evidence.PredicateSignature+`"}`),
		))
}

// Nobody can make a well-signed image unverifiable by what they put beside it.
// The trusted root of the verifier is one that nobody could fetch here.
func TestJunkBesideAGoodImage(t *testing.T) {
	t.Parallel()
	key, _, p := newKey(t, "ecdsa")
	public, err := key.PublicKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	p.Keys = []string{key.Fingerprint()}
	trust := mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{public}, Trusts: p.Trusts, TUFCache: "/dev/null/none"})
	zero := "sha256:" + strings.Repeat("0", 64)
	for what, test := range map[string]struct {
		put     func(neighbour)
		problem string // that says what was found
	}{
		"nothing": {func(neighbour) {}, ""},
		"a blob that is said to have a terabyte": {func(n neighbour) {
			n.referrer(nil, with(n.Blob([]byte("{}"), sigstore.MediaTypeBundle), "size", 1<<40))
		}, "is said to have 1099511627776 bytes"},
		"a blob of a negative size": {
			func(n neighbour) { n.referrer(nil, with(n.Blob([]byte("{}"), sigstore.MediaTypeBundle), "size", -1)) },
			"is said to have -1 bytes",
		},
		"a blob that has more than it is said to have": {func(n neighbour) {
			n.referrer(nil, with(n.Blob([]byte(strings.Repeat("x", 100)), sigstore.MediaTypeBundle), "size", 10))
		}, "has more bytes than the 10 that it is said to have"},
		"a blob that is not there": {func(n neighbour) {
			n.referrer(nil, with(n.Blob([]byte("{}"), sigstore.MediaTypeBundle), "digest", zero))
		}, "which the registry does not have"},
		"a digest of another kind": {func(n neighbour) {
			n.referrer(nil, with(n.Blob([]byte("{}"), sigstore.MediaTypeBundle), "digest", "sha512:"+strings.Repeat("0", 128)))
		}, "which is no sha256 digest"},
		"a manifest of megabytes": {func(n neighbour) {
			n.referrer(map[string]string{"a": strings.Repeat("x", 2<<20)}, n.Blob([]byte("{}"), sigstore.MediaTypeBundle))
		}, "has more than 1048576 bytes"},
		"no bundle": {
			func(n neighbour) { n.referrer(nil, n.Blob([]byte("hello"), sigstore.MediaTypeBundle)) },
			"not a Sigstore bundle: it is not a JSON object",
		},
		"a bundle with a twin": {func(n neighbour) {
			n.referrer(nil, n.Blob([]byte(`{"dsseEnvelope":{},"dsseEnvelope":{}}`), sigstore.MediaTypeBundle))
		}, "stands twice in one object"},
		"deep JSON": {func(n neighbour) {
			n.referrer(nil, n.Blob([]byte(`{"a":`+strings.Repeat("[", 100_000)), sigstore.MediaTypeBundle))
		}, "is nested more than"},
		"a million empty log entries": {func(n neighbour) {
			n.referrer(nil, n.Blob(
				[]byte(`{"verificationMaterial":{"tlogEntries":[`+strings.Repeat("{},", 1_000_000)+`{}]}}`),
				sigstore.MediaTypeBundle,
			))
		}, "bytes beside its payload"},
		"a keyless bundle of a stranger": {func(n neighbour) {
			n.referrer(nil, n.Blob(
				foreign(
					n.T.(*testing.T), "https://github.com/evil/x/.github/workflows/a.yml@refs/heads/main",
					"https://token.actions.githubusercontent.com",
				),
				sigstore.MediaTypeBundle,
			))
		}, "as its signer does not count"},
		"a keyless bundle of nobody": {func(n neighbour) {
			n.referrer(nil, n.Blob(foreign(n.T.(*testing.T), "https://x", ""), sigstore.MediaTypeBundle))
		}, "the certificate names no OIDC issuer"},
		"the good bundles, listed with wrong sizes and keys": {func(n neighbour) {
			found, err := n.im.client.Attached(n.T.Context(), n.im.Ref, sigstore.MediaTypeBundlePrefix)
			if err != nil {
				n.T.Fatal(err)
			}
			for _, f := range found {
				for _, size := range []int{1, 1 << 40, registry.MaxAttachment} {
					n.referrer(
						map[string]string{sigstore.AnnotationPublicKey: "nonsense"},
						map[string]any{"mediaType": sigstore.MediaTypeBundle, "digest": f.Digest, "size": size},
					)
				}
			}
		}, "is said to have"},
		"an index as signatures": {func(n neighbour) {
			n.Manifest(map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": []any{}}, mediaIndex, n.tag()+".sig")
		}, ".sig holds no signatures"},
		"nonsense as attestations": {
			func(n neighbour) { n.Manifest([]byte("nonsense"), mediaManifest, n.tag()+".att") }, ".att holds no signatures",
		},
		"thousands of signatures": {
			func(n neighbour) { n.legacy(".sig", many(1500, n.layer("x", mediaSimple))...) },
			"signed with a key that is not among those given",
		},
		"thousands of attestations": {
			func(n neighbour) { n.legacy(".att", many(1500, n.layer("x", mediaDSSE))...) }, "the attestation is no envelope",
		},
		"a signature that is said to have a terabyte": {
			func(n neighbour) { n.legacy(".sig", with(n.layer("x", mediaSimple), "size", 1<<40)) },
			"is said to have 1099511627776 bytes",
		},
		"a signature that is not there": {
			func(n neighbour) { n.legacy(".sig", with(n.layer("x", mediaSimple), "digest", zero)) },
			"which the registry does not have",
		},
		"a signature with a certificate that is none": {func(n neighbour) {
			l := n.layer("x", mediaSimple)
			l["annotations"].(map[string]string)["dev.sigstore.cosign/certificate"] = "hello"
			n.legacy(".sig", l)
		}, "error during PEM decoding"},
		"a signature with a broken log entry": {func(n neighbour) {
			l := n.layer("x", mediaSimple)
			l["annotations"].(map[string]string)["dev.sigstore.cosign/bundle"] = "{"
			n.legacy(".sig", l)
		}, "read an annotation"},
		"a signature of a megabyte": {
			func(n neighbour) { n.legacy(".sig", n.layer(strings.Repeat("x", 1<<20), mediaSimple)) }, "at most 262144 are read",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			host := registrytest.New(t, nil).Host
			im := push(t, host)
			if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
				t.Fatal(err)
			}
			test.put(neighbour{registrytest.Repository{T: t, Host: host, Name: "acme/demo-api"}, im})
			w := judge(t, im, trust, p)
			if !w.Decision.Allowed {
				t.Fatalf("not allowed:\n%s", w.Text())
			}
			for _, problem := range w.Problems {
				if test.problem != "" && strings.Contains(problem.Detail, test.problem) {
					return
				}
			}
			if test.problem != "" || len(w.Problems) > 0 {
				t.Errorf("problems %v, want one that says %q", w.Problems, test.problem)
			}
		})
	}
}

// Where the registry has no list of referrers, anybody can overwrite the tag
// that stands for it: what else is good still counts.
func TestJunkInTheFallbackTag(t *testing.T) {
	t.Parallel()
	var tags sync.Map // path → what somebody made of it
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		content, ok := tags.Load(r.URL.Path)
		if !ok || r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", mediaIndex)
		fmt.Fprint(w, content)
		return true
	})
	key, trust, p := newKey(t, "ecdsa")
	gone := fmt.Sprintf(`{"mediaType":%q,"size":1,"digest":`, mediaManifest)
	for what, test := range map[string]struct{ content, problem string }{
		"an image":      {fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[]}`, mediaManifest), "is no list of referrers"},
		"no JSON":       {"nonsense", "is no list of referrers"},
		"megabytes":     {`{"x":"` + strings.Repeat("x", 17<<20) + `"}`, "has more than 16777216 bytes"},
		"an empty list": {`{"schemaVersion":2,"manifests":[]}`, ""},
		"digests of nothing": {
			`{"schemaVersion":2,"manifests":[` + gone + `"sha256:` + strings.Repeat("0", 64) + `"}]}`, "and does not have it",
		},
		"another digest": {
			`{"schemaVersion":2,"manifests":[` + gone + `"sha512:` + strings.Repeat("0", 128) + `"}]}`, "which is no sha256 digest",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			im := push(t, server.Host)
			o := im.options()
			o.Format = sign.Both
			if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
				t.Fatal(err)
			}
			n := neighbour{registrytest.Repository{T: t, Host: server.Host, Name: "acme/demo-api"}, im}
			tags.Store("/v2/acme/demo-api/manifests/"+n.tag(), test.content)
			w := judge(t, im, trust, p)
			if !w.Decision.Allowed || !strings.Contains(fmt.Sprint(w.Problems), test.problem) {
				t.Errorf("allowed %v, problems %v, want %q", w.Decision.Allowed, w.Problems, test.problem)
			}
			for _, r := range w.Records {
				if r.Format != "legacy" {
					t.Errorf("a %s record counts, and the tag that lists it is gone", r.Format)
				}
			}
		})
	}
}

// A list of candidates that is none, such as a proxy's page, hides what it should
// list: that is trouble, neither a refusal of a good image nor an approval of
// another.
func TestListsThatAreNone(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html><title>Log in</title>"
	type reply struct{ kind, body string }
	var replies sync.Map // path → reply
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		content, ok := replies.Load(r.URL.Path)
		if !ok || r.Method != http.MethodGet {
			return false
		}
		if content == nil {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		w.Header().Set("Content-Type", content.(reply).kind)
		fmt.Fprint(w, content.(reply).body)
		return true
	})
	key, trust, p := newKey(t, "ecdsa")
	const list, tag = "/referrers/", "/manifests/"
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[]}`, mediaManifest)
	for what, test := range map[string]struct {
		replies map[string]any // of the list and the tag
		want    string
	}{
		"a page at the list": {
			map[string]any{list: reply{"text/html", page}, tag: nil}, `with the type "text/html", which is no list of referrers`,
		},
		"an object at the list":  {map[string]any{list: reply{mediaIndex, "{}"}}, "the answer is no index"},
		"a list that breaks off": {map[string]any{list: reply{mediaIndex, `{"schemaVersion":2,"manifests":[`}}, "the answer is no index"},
		"a list without end": {
			map[string]any{list: reply{mediaIndex, `{"x":"` + strings.Repeat("x", 17<<20) + `"}`}}, "has more than 16777216 bytes",
		},
		"a page at the tag": {
			map[string]any{list: nil, tag: reply{"text/html", page}}, `is no list of referrers: it is of type "text/html"`,
		},
		"a page called an index": {map[string]any{list: nil, tag: reply{mediaIndex, page}}, "is no list of referrers"},
		"an image at the tag":    {map[string]any{list: nil, tag: reply{mediaManifest, manifest}}, "is no list of referrers"},
		"an object at the tag":   {map[string]any{list: nil, tag: reply{mediaIndex, "{}"}}, "is no list of referrers"},
		"a tag that breaks off": {
			map[string]any{list: nil, tag: reply{mediaIndex, `{"schemaVersion":2,"manifests":[`}}, "is no list of referrers",
		},
		"a tag without end": {
			map[string]any{list: nil, tag: reply{mediaIndex, `{"x":"` + strings.Repeat("x", 17<<20) + `"}`}},
			"has more than 16777216 bytes",
		},
		"a page at cosign's tag": {
			map[string]any{list: nil, tag: nil, tag + ".sig": reply{"text/html", page}},
			`.sig holds no signatures: it is of type "text/html"`,
		},
		"too much at cosign's": {
			map[string]any{list: nil, tag: nil, tag + ".att": reply{mediaManifest, `{"x":"` + strings.Repeat("x", 17<<20) + `"}`}},
			".att has more than 16777216 bytes",
		},
		"nothing, and no trouble": {map[string]any{list: nil, tag: nil}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			im := push(t, server.Host)
			if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
				t.Fatal(err)
			}
			n := neighbour{registrytest.Repository{T: t, Host: server.Host, Name: "acme/demo-api"}, im}
			for at, content := range test.replies {
				path := "/v2/acme/demo-api/referrers/" + im.Digest()
				if suffix, ok := strings.CutPrefix(at, tag); ok {
					path = "/v2/acme/demo-api/manifests/" + n.tag() + suffix
				}
				replies.Store(path, content)
			}
			w, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: trust}, im.Ref, p, time.Now())
			switch {
			case test.want == "" && (err != nil || w.Decision.State() != evidence.Refused):
				t.Errorf("got %v, %v, want a refusal", w.Decision, err)
			case test.want != "" && (outcome.Code(err) != outcome.Broken || err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want trouble with %q", err, test.want)
			}
		})
	}
}

// The content of a referrer decides what it is, not the type that a registry says.
func TestReferrerOfAnotherType(t *testing.T) {
	t.Parallel()
	var replies sync.Map // path → body
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		body, ok := replies.Load(r.URL.Path)
		if ok && r.Method == http.MethodGet {
			w.Header().Set(
				"Content-Type", map[bool]string{true: mediaIndex, false: "text/html"}[strings.Contains(r.URL.Path, "/referrers/")],
			)
			_, _ = w.Write(body.([]byte))
		}
		return ok
	})
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	found, err := im.client.Attached(t.Context(), im.Ref, sigstore.MediaTypeBundlePrefix)
	if err != nil {
		t.Fatal(err)
	}
	list := []any{}
	for _, f := range found {
		bundle := map[string]any{"mediaType": sigstore.MediaTypeBundle, "digest": f.Digest, "size": registry.MaxAttachment}
		body, _ := json.Marshal(map[string]any{"schemaVersion": 2, "layers": []any{bundle}}) // it does not say what it is
		digest := registrytest.Digest(body)
		replies.Store("/v2/acme/demo-api/manifests/"+digest, body)
		list = append(list, map[string]any{"mediaType": mediaManifest, "digest": digest, "size": len(body)})
	}
	index, _ := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": list})
	replies.Store("/v2/acme/demo-api/referrers/"+im.Digest(), index)
	if w := judge(t, im, trust, p); !w.Decision.Allowed {
		t.Errorf("not allowed:\n%s", w.Text())
	}
}

// More candidates than are read: enough that is good is enough, and without it
// there is no verdict, because what is missing may be among them.
func TestMoreCandidatesThanAreRead(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	im, unsigned := push(t, host), push(t, host)
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		for _, to := range []image{im, unsigned} {
			n := neighbour{registrytest.Repository{T: t, Host: host, Name: "acme/demo-api"}, to}
			n.referrer(nil, n.Blob(fmt.Appendf(nil, "junk %d", i), sigstore.MediaTypeBundle))
		}
	}
	for what, bounds := range map[string]registry.Bounds{
		"candidates": {Candidates: 10}, "bytes": {Bytes: 1}, "time": {Time: time.Nanosecond},
	} {
		_, err := collect.Verify(
			t.Context(), collect.Deps{Registry: im.client, Verifier: trust, Bounds: bounds}, unsigned.Ref, p, time.Now(),
		)
		if outcome.Code(err) != outcome.Broken || err == nil || !strings.Contains(err.Error(), "no verdict about") ||
			!strings.Contains(err.Error(), "were not read") {
			t.Errorf("%s: got %v, want no verdict", what, err)
		}
	}
	generous := registry.Bounds{Candidates: 34}
	if w, err := collect.Verify(
		t.Context(), collect.Deps{Registry: im.client, Verifier: trust, Bounds: generous}, im.Ref, p, time.Now(),
	); err != nil || !w.Decision.Allowed {
		t.Errorf("within the bounds: %v, %v", w.Decision, err)
	}
	p.Require, p.Source = []evidence.Kind{}, "" // whichever candidate is the one that is read
	if _, err := collect.Verify(
		t.Context(), collect.Deps{Registry: im.client, Verifier: trust, Bounds: registry.Bounds{Candidates: 1}}, im.Ref, p,
		time.Now(),
	); err != nil {
		t.Errorf("with enough that counts: %v", err)
	}
}

// A registry that does not give what it lists is in trouble: neither refused nor
// allowed, whatever else is there.
func TestTroubleWithACandidateIsNoVerdict(t *testing.T) {
	t.Parallel()
	var failing atomic.Value
	failing.Store(func(http.ResponseWriter, *http.Request) bool { return false })
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		return failing.Load().(func(http.ResponseWriter, *http.Request) bool)(w, r)
	})
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	n := neighbour{registrytest.Repository{T: t, Host: server.Host, Name: "acme/demo-api"}, im}
	junk := n.Blob([]byte("junk"), sigstore.MediaTypeBundle)
	referrer := n.referrer(nil, junk)
	for what, test := range map[string]struct {
		path, want string
		answer     func(http.ResponseWriter)
	}{
		"forbidden": {
			"/blobs/" + junk["digest"].(string), "not allowed to",
			func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		},
		"a server error": {
			"/manifests/" + referrer["digest"].(string), "500",
			func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		},
		"other bytes": {
			"/blobs/" + junk["digest"].(string), "content of digest sha256:", func(w http.ResponseWriter) { fmt.Fprint(w, "jun") },
		},
		"a body that breaks": {"/blobs/" + junk["digest"].(string), "EOF", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "4")
			fmt.Fprint(w, "j")
		}},
		"a list that is none": {"/referrers/", "the answer is no index", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", mediaIndex+"; charset=utf-8")
			fmt.Fprint(w, "[]")
		}},
	} {
		failing.Store(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, test.path) {
				return false
			}
			test.answer(w)
			return true
		})
		_, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: trust}, im.Ref, p, time.Now())
		if outcome.Code(err) != outcome.Broken || err == nil || !strings.Contains(err.Error(), "registry "+server.Host) ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want trouble with %q", what, err, test.want)
		}
	}
}

// Referrers come in pages, in whatever order, with parameters in their type.
func TestReferrersInPages(t *testing.T) {
	t.Parallel()
	var endless atomic.Bool
	var link atomic.Value // how the next page is named; empty is by its path
	link.Store("")
	pages := map[string][]map[string]any{}
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		listed, ok := pages[r.URL.Path]
		if !ok || r.Method != http.MethodGet {
			return false
		}
		var page int
		_, _ = fmt.Sscanf(r.URL.Query().Get("page"), "%d", &page)
		w.Header().Set("Content-Type", mediaIndex+"; charset=utf-8")
		if page+1 < len(listed) || endless.Load() {
			form := cmp.Or(link.Load().(string), "<"+r.URL.Path+`?page=%d>; rel="next"`)
			w.Header().Set("Link", fmt.Sprintf(form, page+1))
		}
		manifests := []map[string]any{}
		if page < len(listed) {
			manifests = listed[page : page+1]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": manifests})
		return true
	})
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	pages["/v2/acme/demo-api/referrers/"+im.Digest()] = listReferrers(t, server.Host, im)
	if w := judge(t, im, trust, p); !w.Decision.Allowed || len(w.Records) != 4 {
		t.Errorf("not allowed:\n%s", w.Text())
	}
	for what, next := range map[string]string{
		"a query alone":  `<?page=%d>; rel="next"`,
		"behind another": `<?page=0>; rel="first", <?page=%d>; rel="next"`,
	} {
		link.Store(next)
		if w := judge(t, im, trust, p); !w.Decision.Allowed || len(w.Records) != 4 {
			t.Errorf("%s: not allowed:\n%s", what, w.Text())
		}
	}
	link.Store(`</v2/_cursor/%d>; rel="next"`)
	if w, err := collect.Verify(t.Context(), collect.Deps{Registry: im.client, Verifier: trust}, im.Ref, p, time.Now()); err == nil ||
		!strings.Contains(err.Error(), `the next one is at "/v2/_cursor/1", which is no list of referrers`) {
		t.Errorf("a next page that is none: %v, %v", err, w.Decision)
	}
	link.Store("")
	endless.Store(true)
	w, err := collect.Verify(
		t.Context(), collect.Deps{Registry: im.client, Verifier: trust, Bounds: registry.Bounds{Candidates: 50}}, im.Ref, p,
		time.Now(),
	)
	if err != nil || !w.Decision.Allowed || !strings.Contains(w.Unread, "were not read") {
		t.Errorf("without end: %v, %v, %q", err, w.Decision, w.Unread)
	}
}

func listReferrers(t *testing.T, host string, im image) []map[string]any {
	t.Helper()
	response, err := http.Get("http://" + host + "/v2/acme/demo-api/referrers/" + im.Digest())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var index struct{ Manifests []map[string]any }
	if err := json.NewDecoder(response.Body).Decode(&index); err != nil || len(index.Manifests) == 0 {
		t.Fatal(index, err)
	}
	return index.Manifests
}

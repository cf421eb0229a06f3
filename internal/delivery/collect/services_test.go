package collect_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// behind is a Sigstore with a proxy in front of each service.
type behind struct {
	sigstoretest.Sigstore
	proxies map[string]*sigstoretest.Proxy
	config  string
	host    string
	trust   *sigstore.Verifier
	key     *sigstore.Key // nil signs keyless
	slept   atomic.Int64
	timeout time.Duration // of one request
}

const usual = 20 * time.Second // that one request may take

var services = []string{"certificate authority", "timestamp authority", "transparency log"}

// newBehind has a log only where that is what is tried: it takes a second for an entry.
func newBehind(t *testing.T, s sigstoretest.Sigstore, host, service string) *behind {
	t.Helper()
	b := &behind{Sigstore: s, host: host, timeout: usual, proxies: map[string]*sigstoretest.Proxy{
		"certificate authority": sigstoretest.NewProxy(t, s.Instance.FulcioURL),
		"timestamp authority":   sigstoretest.NewProxy(t, s.Instance.TimestampURL),
		"transparency log":      sigstoretest.NewProxy(t, s.Instance.LogURL),
	}}
	instance := s.Instance
	instance.FulcioURL, instance.TimestampURL = b.proxies["certificate authority"].URL, b.proxies["timestamp authority"].URL
	instance.LogURL = b.proxies["transparency log"].URL
	if service != "transparency log" {
		instance.LogURL = ""
	}
	b.config = string(must(instance.SigningConfig()))
	b.trust = mustVerifier(t, sigstore.VerifierOptions{TrustedRoot: string(must(instance.TrustedRoot()))})
	return b
}

// sign signs by two records, and gives what the command would end with.
func (b *behind) sign(t *testing.T, im image, o sign.Options) error {
	t.Helper()
	signer, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{
		SigningConfig: b.config, Key: b.key, IDToken: b.IDToken(job()), Timeout: b.timeout,
		Sleep: func(_ context.Context, d time.Duration) error { b.slept.Add(int64(d)); return nil },
	})
	if err == nil {
		_, err = signBy(t, im, b.trust, signer, o)
	}
	return err
}

// Whatever a service of Sigstore does wrong, and at whichever request: sign ends with an
// error that names the service, what came and what to do, nothing is attached, and signing
// again ends as if nothing had been wrong.
func TestServicesThatFail(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	const html = "<!DOCTYPE html><html><body>Sign in to the proxy</body></html>"
	const later, address = "run it again later", "see that the signing config has its address"
	const unusable = "gave an answer that cannot be used "
	says := sigstoretest.Says
	json := func(status int, body string) sigstoretest.Fault {
		return says(status, body, "Content-Type", "application/json")
	}
	for fault, tc := range map[string]struct {
		do   sigstoretest.Fault
		says string // beside the service
		more string
	}{
		"429 and a long wait": {says(429, "slow down", "Retry-After", "3600"),
			"answered 429 Too Many Requests", `"slow down", and asks to wait 1h0m0s; asked 1 time; ` + later},
		"429 again and again": {says(429, "", "Retry-After", "1"), "answered 429 Too Many Requests", "asked 4 times; " + later},
		"500":                 {says(500, `{"message":"no"}`), "answered 500 Internal Server Error", "asked 4 times; " + later},
		"503 until later": {says(503, "", "Retry-After", "Fri, 01 Jan 2999 00:00:00 GMT"),
			"answered 503 Service Unavailable", "and asks to wait"},
		"403":             {says(403, "who are you"), `answered 403 Forbidden, "text/plain; charset=utf-8": "who are you"`, address},
		"a redirect":      {says(307, "", "Location", "http://127.0.0.1:1/"), "answered 307 Temporary Redirect", address},
		"HTML":            {says(200, html, "Content-Type", "text/html"), unusable + `(200 OK, "text/html": "<!DOCTYPE html>`, later},
		"HTML, created":   {says(201, html, "Content-Type", "text/html"), unusable + "(201 Created", later},
		"an empty body":   {json(200, ""), unusable + "(200 OK", later},
		"created, empty":  {json(201, ""), unusable + "(201 Created", later},
		"an empty object": {json(201, "{}"), unusable + `(201 Created, "application/json": "{}")`, later},
		"no content":      {says(204, ""), "answered 204 No Content", address},
		"a body cut off":  {sigstoretest.CutsOff, "broke off its answer", "asked 4 times; " + later},
		"a lost answer":   {sigstoretest.Loses, "does not answer", "asked 4 times; " + later},
		"an endless body": {sigstoretest.IsEndless, "gave an answer of more than 1024 KiB", address},
	} {
		for _, service := range services {
			t.Run(fault+" of the "+service, func(t *testing.T) {
				t.Parallel()
				b := newBehind(t, s, host, service)
				proxy := b.proxies[service]
				b.fails(t, proxy, tc.do, "the "+service+" "+proxy.URL+" "+tc.says, tc.more)
			})
		}
	}
}

// fails signs an image, to no avail and with these words, at whichever request the fault
// begins, and then again without one.
func (b *behind) fails(t *testing.T, proxy *sigstoretest.Proxy, fault sigstoretest.Fault, says ...string) {
	t.Helper()
	im := push(t, b.host)
	o := im.options()
	o.SBOMs, o.Build = nil, nil // two records are enough
	for nth := 1; nth <= 2; nth++ {
		if nth > 1 && proxy == b.proxies["certificate authority"] {
			break // it is asked once
		}
		proxy.Break(nth, fault)
		err := b.sign(t, im, o)
		if outcome.Code(err) != outcome.Broken {
			t.Fatalf("from request %d on: exit code %d: %v", nth, outcome.Code(err), err)
		}
		for _, words := range says {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("from request %d on: got %v\nwant %s", nth, err, words)
			}
		}
		if len(err.Error()) > 1500 {
			t.Errorf("the error has %d characters", len(err.Error()))
		}
		for _, digest := range append(slices.Collect(maps.Values(im.platforms)), im.Digest()) {
			if found, err := im.client.Attached(t.Context(), must(im.At(digest)), ""); err != nil || len(found) > 0 {
				t.Errorf("from request %d on: half attached to %s: %v, %v", nth, digest, found, err)
			}
		}
	}
	proxy.Break(0, nil)
	if err := b.sign(t, im, o); err != nil {
		t.Fatalf("again: %v", err)
	}
	if w := judge(t, im, b.trust, policy(b.Issuer.URL())); records(w.Records) != "scan bundle, signature bundle" || len(w.Problems) > 0 {
		t.Errorf("again: %s, %v", records(w.Records), w.Problems)
	}
}

// No service is waited for without an end: the second attempt without an answer is the last.
// With a key no other service is asked, which could take as long on a busy machine.
func TestServicesThatHang(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	for what, fault := range map[string]sigstoretest.Fault{"no answer": sigstoretest.Hangs, "a slow body": sigstoretest.Drips} {
		for _, service := range services {
			t.Run(what+" of the "+service, func(t *testing.T) {
				t.Parallel()
				b := newBehind(t, s, host, service)
				if service != "certificate authority" {
					b.key, b.trust, _ = newKey(t, "ecdsa")
				}
				proxy := b.proxies[service]
				im := push(t, host)
				o := sign.Options{Image: im.Ref, Format: sign.Bundle}
				if service == "transparency log" {
					instance := s.Instance
					instance.TimestampURL, instance.LogURL = "", proxy.URL
					b.config = string(must(instance.SigningConfig()))
				}
				b.timeout = 300 * time.Millisecond
				proxy.Break(1, fault)
				err := b.sign(t, im, o)
				if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "the "+service+" "+proxy.URL) ||
					!strings.Contains(err.Error(), "asked 2 times; run it again later") {
					t.Errorf("got %v", err)
				}
				if found := must(im.client.Attached(t.Context(), im.Ref, "")); len(found) > 0 || proxy.Requests() != 2 {
					t.Errorf("asked %d times; half attached: %v", proxy.Requests(), found)
				}
				b.timeout = usual
				proxy.Break(0, nil)
				if err := b.sign(t, im, o); err != nil {
					t.Errorf("again: %v", err)
				}
			})
		}
	}
}

// What passes is tried again, after the time that the service asks for.
func TestServicesThatRecover(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	for fault, tc := range map[string]struct {
		do    sigstoretest.Fault
		times int
		sleep time.Duration
	}{
		"429":              {sigstoretest.Says(http.StatusTooManyRequests, "", "Retry-After", "7"), 1, 7 * time.Second},
		"503":              {sigstoretest.Says(http.StatusServiceUnavailable, "", "Retry-After", "40"), 1, 40 * time.Second},
		"a 499":            {sigstoretest.Says(499, `{"code":1, "message":"context canceled"}`), 1, 200 * time.Millisecond},
		"502, three times": {sigstoretest.Says(http.StatusBadGateway, ""), 3, time.Second},
		"no answer, once":  {sigstoretest.Hangs, 1, 200 * time.Millisecond},
		"cut off, once":    {sigstoretest.CutsOff, 1, 200 * time.Millisecond},
		"a lost answer":    {sigstoretest.Loses, 1, 200 * time.Millisecond},
	} {
		for _, service := range services {
			t.Run(fault+" of the "+service, func(t *testing.T) {
				t.Parallel()
				b := newBehind(t, s, host, service)
				b.proxies[service].Break(1, sigstoretest.Times(tc.times, tc.do))
				if fault == "no answer, once" {
					b.timeout = 3 * time.Second // the log takes one
				}
				im := push(t, host)
				o := im.options()
				o.SBOMs, o.Build = nil, nil
				if err := b.sign(t, im, o); err != nil {
					t.Fatal(err)
				}
				if slept := time.Duration(b.slept.Load()); slept < tc.sleep {
					t.Errorf("waited %s, want at least %s", slept, tc.sleep)
				}
				if w := judge(t, im, b.trust, policy(b.Issuer.URL())); records(w.Records) != "scan bundle, signature bundle" {
					t.Errorf("got %s", records(w.Records))
				}
			})
		}
	}
}

// An older answer is none to another question, although all that is in it is genuine.
func TestServicesThatReplay(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	host := registrytest.New(t, nil).Host
	for service, says := range map[string]string{
		"certificate authority": "gave a certificate of another key than it was asked for",
		"timestamp authority":   "gave a timestamp of another signature than it was asked for",
		"transparency log":      "gave a log entry of another signature than it was asked for",
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			b := newBehind(t, s, host, service)
			proxy := b.proxies[service]
			var older sigstoretest.Answer
			proxy.Break(1, sigstoretest.Keeps(&older))
			im := push(t, host)
			if err := b.sign(t, im, sign.Options{Image: im.Ref, Format: sign.Bundle}); err != nil {
				t.Fatal(err)
			}
			b.fails(t, proxy, sigstoretest.Replays(older), "the "+service+" "+proxy.URL+" "+says)
		})
	}
}

// A log's answer that lacks a part ends in an error or in an entry that verifies, and in no
// crash.
func TestLogThatLeavesPartsOut(t *testing.T) {
	t.Parallel()
	b := newBehind(t, sigstoretest.Start(t), registrytest.New(t, nil).Host, "transparency log")
	proxy := b.proxies["transparency log"]
	im := push(t, b.host)
	for _, part := range []string{
		"canonicalizedBody", "logId", "logId.keyId", "kindVersion", "inclusionProof", "inclusionProof.checkpoint", "inclusionProof.hashes",
	} {
		proxy.Break(1, func(w http.ResponseWriter, _ *http.Request, _ int, ask func() sigstoretest.Answer) {
			answer := ask()
			answer.Body = must(without(answer.Body, strings.Split(part, ".")))
			answer.Header.Del("Content-Length")
			answer.Write(w)
		})
		err := b.sign(t, im, sign.Options{Image: im.Ref, Format: sign.Bundle})
		if err == nil {
			t.Logf("without %s: signed, and verified", part)
			im = push(t, b.host)
			continue
		}
		if found := must(im.client.Attached(t.Context(), im.Ref, "")); outcome.Code(err) != outcome.Broken || len(found) > 0 {
			t.Errorf("without %s: %v; half attached: %v", part, err, found)
		}
	}
}

// without is a JSON object without one of its parts.
func without(object []byte, path []string) ([]byte, error) {
	var read map[string]json.RawMessage
	if err := json.Unmarshal(object, &read); err != nil {
		return nil, err
	}
	if len(path) == 1 {
		delete(read, path[0])
	} else if inner, err := without(read[path[0]], path[1:]); err != nil {
		return nil, err
	} else {
		read[path[0]] = inner
	}
	return json.Marshal(read)
}

// What something on the way repeats of the identity token is in no error.
func TestErrorsRepeatNoToken(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	b := newBehind(t, s, registrytest.New(t, nil).Host, "certificate authority")
	token := make(chan string, 10)
	b.proxies["certificate authority"].Break(1, func(w http.ResponseWriter, r *http.Request, _ int, _ func() sigstoretest.Answer) {
		token <- strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		http.Error(w, r.Header.Get("Authorization"), http.StatusForbidden)
	})
	im := push(t, b.host)
	err := b.sign(t, im, sign.Options{Image: im.Ref, Format: sign.Bundle})
	if err == nil || !strings.Contains(err.Error(), `"Bearer ***`) {
		t.Fatalf("got %v", err)
	}
	if part := (<-token)[:20]; strings.Contains(err.Error(), part) {
		t.Errorf("the token is in %v", err)
	}
}

// A log of Rekor v2 gives no entry twice, and keys of some kinds sign the same in the same
// way: a run that broke off after its entry was logged must not end every later one.
func TestAKeyThatSignsTheSameAgain(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	for _, kind := range []string{"rsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := newBehind(t, s, "", "transparency log")
			key, _, p := newKey(t, kind)
			trust := mustVerifier(t, sigstore.VerifierOptions{Keys: [][]byte{must(key.PublicKeyPEM())}, TrustedRoot: s.TrustedRoot})
			stop := new(atomic.Bool)
			server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
				if stop.Load() && r.Method != http.MethodGet && r.Method != http.MethodHead {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				return false
			})
			im := push(t, server.Host)
			o := im.options()
			stop.Store(true)
			if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key, SigningConfig: b.config}, o); err == nil ||
				!strings.Contains(err.Error(), "store the evidence") {
				t.Fatalf("got %v", err)
			}
			stop.Store(false)
			result, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key, SigningConfig: b.config}, o)
			if err != nil || result.LogIndex == nil {
				t.Fatalf("again: %+v, %v", result, err)
			}
			if w := judge(t, im, trust, p); !w.Decision.Allowed || len(w.Problems) > 0 {
				t.Errorf("again:\n%s", w.Text())
			}
		})
	}
}

package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const planJSON = `{"resource_changes":[{"address":"a","change":{"actions":["create"]}}],"output_changes":{}}`

func bundle(t testing.TB, binary []byte) seal.Bundle {
	t.Helper()
	changes, err := plan.ChangesDigest([]byte(planJSON))
	if err != nil {
		t.Fatal(err)
	}
	return seal.Bundle{
		Document: plan.Document{
			Version: plan.DocumentVersion, Repository: "acme/infra", Head: "h",
			Roots: []plan.RootRecord{{Dir: "infra/prod", Plan: plan.Digest(binary), Changes: changes}},
		},
		Created: now, Expires: now.Add(time.Hour), Roots: []seal.Root{{Binary: binary, JSON: []byte(planJSON)}},
	}
}

func key(t *testing.T) (seal.Identity, string) {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return k, k.Recipient().String()
}

func sealed(t *testing.T, b seal.Bundle, to ...string) []byte {
	t.Helper()
	recipients, err := seal.ParseRecipients(to)
	if err != nil {
		t.Fatal(err)
	}
	data, err := seal.Seal(b, recipients)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEveryRecipientOpens(t *testing.T) {
	t.Parallel()
	one, toOne := key(t)
	two, toTwo := key(t)
	b := bundle(t, []byte("binary plan"))
	data := sealed(t, b, toOne, toTwo)
	if bytes.Contains(data, []byte("binary plan")) || bytes.Contains(data, []byte("infra/prod")) {
		t.Error("the sealed plan can be read")
	}
	for _, k := range []seal.Identity{one, two} {
		got, err := seal.Open(data, []seal.Identity{k}, seal.Expect{Repository: "ACME/infra", Dirs: []string{"infra/prod"}, Now: now})
		if err != nil || string(got.Roots[0].Binary) != "binary plan" || string(got.Roots[0].JSON) != planJSON ||
			!got.Expires.Equal(b.Expires) {
			t.Errorf("%+v %v", got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k, to := key(t)
	other, _ := key(t)
	good := sealed(t, bundle(t, []byte("binary plan")), to)
	swapped := bundle(t, []byte("binary plan"))
	swapped.Roots[0].Binary = []byte("other plan")
	changed := bundle(t, []byte("binary plan"))
	changed.Roots[0].JSON = []byte(`{"resource_changes":[]}`)
	form := bundle(t, []byte("binary plan"))
	form.Document.Version++
	line, body, _ := bytes.Cut(good, []byte("\n"))
	at := func(i int) []byte { c := bytes.Clone(good); c[i] ^= 1; return c }
	for name, c := range map[string]struct {
		data   []byte
		key    seal.Identity
		expect seal.Expect
		want   seal.Reason
	}{
		"wrong key":            {good, other, seal.Expect{Now: now}, seal.WrongKey},
		"first byte":           {at(len(line) + 1), k, seal.Expect{Now: now}, seal.Altered},
		"byte in the middle":   {at(len(line) + len(body)/2), k, seal.Expect{Now: now}, seal.Altered},
		"last byte":            {at(len(good) - 1), k, seal.Expect{Now: now}, seal.Altered},
		"digest in the line":   {at(len(line) - 1), k, seal.Expect{Now: now}, seal.Altered},
		"truncated by a byte":  {good[:len(good)-1], k, seal.Expect{Now: now}, seal.Truncated},
		"the first line alone": {good[:len(line)+1], k, seal.Expect{Now: now}, seal.Truncated},
		"half a line":          {good[:len(line)-70], k, seal.Expect{Now: now}, seal.Truncated},
		"nothing":              {nil, k, seal.Expect{Now: now}, seal.Truncated},
		"another beginning":    {[]byte("waybill-sealed-plan/v2 1 a\n"), k, seal.Expect{Now: now}, seal.NotSealed},
		"something else":       {[]byte("PK\x03\x04 plan\n"), k, seal.Expect{Now: now}, seal.NotSealed},
		"a bare age file":      {body, k, seal.Expect{Now: now}, seal.NotSealed},
		"another fingerprint":  {good, k, seal.Expect{Now: now, Fingerprint: "aaaabbbbcccc"}, seal.OtherPlan},
		"another repository":   {good, k, seal.Expect{Now: now, Repository: "acme/other"}, seal.OtherRoot},
		"another root":         {good, k, seal.Expect{Now: now, Dirs: []string{"infra/dev"}}, seal.OtherRoot},
		"one root of two":      {good, k, seal.Expect{Now: now, Dirs: []string{"infra/prod", "infra/dev"}}, seal.OtherRoot},
		"expired":              {good, k, seal.Expect{Now: now.Add(time.Hour)}, seal.Expired},
		"binary plan swapped":  {sealed(t, swapped, to), k, seal.Expect{Now: now}, seal.Swapped},
		"changes swapped":      {sealed(t, changed, to), k, seal.Expect{Now: now}, seal.Swapped},
		"another form":         {sealed(t, form, to), k, seal.Expect{Now: now}, seal.Altered},
	} {
		_, err := seal.Open(c.data, []seal.Identity{c.key}, c.expect)
		var refusal *seal.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != c.want || outcome.Code(err) != outcome.Refused {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	// A digest that fits does not help: what age says decides.
	forged := bytes.Clone(body)
	forged[len(forged)-1] ^= 1
	_, err := seal.Open(
		fmt.Appendf(nil, "waybill-sealed-plan/v1 %d %s\n%s", len(forged), strings.TrimPrefix(plan.Digest(forged), "sha256:"), forged),
		[]seal.Identity{k}, seal.Expect{Now: now},
	)
	var refusal *seal.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != seal.Altered || !strings.Contains(err.Error(), "not authentic") {
		t.Errorf("a forged digest: %v", err)
	}
}

func TestKeysAppearInNoError(t *testing.T) {
	t.Parallel()
	if _, err := seal.ParseIdentities("AGE-SECRET-KEY-1SECRET"); err == nil || strings.Contains(err.Error(), "1SECRET") ||
		outcome.Code(err) != outcome.Usage {
		t.Errorf("%v", err)
	}
	if _, err := seal.ParseRecipients([]string{"age1x"}); outcome.Code(err) != outcome.Usage {
		t.Errorf("%v", err)
	}
	if _, err := seal.Seal(bundle(t, nil), nil); outcome.Code(err) != outcome.Usage {
		t.Errorf("sealed for nobody: %v", err)
	}
}

func TestStores(t *testing.T) {
	t.Parallel()
	client := registry.New(registry.Options{})
	for _, text := range []string{t.TempDir(), "oci://" + registrytest.New(t, nil).Host + "/plans"} {
		place, err := seal.ParsePlace(text)
		if err != nil {
			t.Fatal(err)
		}
		where, err := place.Save(t.Context(), client, seal.Kept{Fingerprint: "f", Sealed: []byte("sealed"), Claim: []byte("{}")})
		if err != nil || !strings.HasPrefix(where, text) {
			t.Fatalf("%s: %v", where, err)
		}
		ref, path, err := seal.ParseRef(where)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.Load(t.Context(), client, ref, path); err != nil || string(got) != "sealed" {
			t.Errorf("%s: %q %v", where, got, err)
		}
	}
	if _, _, err := seal.ParseRef("oci://ghcr.io/acme/plans:latest"); outcome.Code(err) != outcome.Usage {
		t.Errorf("a tag: %v", err)
	}
}

func BenchmarkSeal50MB(b *testing.B) {
	binary := make([]byte, 50<<20)
	_, _ = rand.Read(binary)
	k, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	bundle := seal.Bundle{Document: plan.Document{Version: 1, Roots: []plan.RootRecord{{}}}, Roots: []seal.Root{{Binary: binary}}}
	for b.Loop() {
		if _, err := seal.Seal(bundle, []seal.Recipient{k.Recipient()}); err != nil {
			b.Fatal(err)
		}
	}
}

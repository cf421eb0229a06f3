package seal_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// FuzzOpen alters the bytes of a sealed plan: nothing but the plan itself opens.
func FuzzOpen(f *testing.F) {
	k, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	good, err := seal.Seal(bundle(f, []byte("binary plan")), []seal.Recipient{k.Recipient()})
	if err != nil {
		f.Fatal(err)
	}
	line := bytes.IndexByte(good, '\n')
	for _, seed := range []struct {
		at, cut int
		put     []byte
	}{
		{0, 0, nil}, {0, 1, nil}, {line, 1, nil}, {line, 0, []byte(" x")}, {len(good), 0, []byte("x")},
		{line + 1, len(good), nil},
		{len(good) - 1, 1, []byte{0}}, {23, 1, []byte("-")}, {23, 3, []byte("99999999999999999999")},
		{0, len(good), []byte("waybill-sealed-plan/v1")},
	} {
		f.Add(seed.at, seed.cut, seed.put)
	}
	f.Fuzz(func(t *testing.T, at, cut int, put []byte) {
		at = min(max(at, 0), len(good))
		cut = min(max(cut, 0), len(good)-at)
		data := append(append(bytes.Clone(good[:at]), put...), good[at+cut:]...)
		b, err := seal.Open(data, []seal.Identity{k}, seal.Expect{Now: now})
		switch {
		case bytes.Equal(data, good):
			if err != nil || string(b.Roots[0].Binary) != "binary plan" {
				t.Errorf("the plan itself: %v", err)
			}
		case err == nil:
			// The line's own spaces do not count: what was sealed is still what opens.
			if !bytes.HasSuffix(data, good[line:]) {
				t.Errorf("altered at %d, and it opens", at)
			}
		default:
			refused(t, err)
		}
	})
}

// FuzzContents seals what somebody who knows a recipient would: the seal opens,
// and the contents must hold together.
func FuzzContents(f *testing.F) {
	k, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	b := bundle(f, []byte("binary plan"))
	fingerprint, err := b.Document.Fingerprint()
	if err != nil {
		f.Fatal(err)
	}
	head, err := json.Marshal(map[string]any{
		"fingerprint": fingerprint, "document": b.Document, "created": b.Created, "expires": b.Expires,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("waybill.json", head, "plan/0", b.Roots[0].Binary, "json/0", b.Roots[0].JSON)
	f.Add("waybill.json", head, "plan/0", []byte("another"), "json/0", b.Roots[0].JSON)
	f.Add("waybill.json", head, "plan/-1", []byte("x"), "json/1", []byte("x"))
	f.Add("plan/0", []byte("x"), "waybill.json", head, "../json/0", []byte("x"))
	f.Add("waybill.json", head, "else/0", b.Roots[0].JSON, "plan/0", b.Roots[0].Binary)
	f.Add("waybill.json", []byte(`{"document":{"roots":[{},{}]}}`), "plan/1", []byte("x"), "json/1", []byte("[[["))
	f.Fuzz(func(t *testing.T, name1 string, data1 []byte, name2 string, data2 []byte, name3 string, data3 []byte) {
		sealed, ok := archive(t, k, []file{{name1, data1}, {name2, data2}, {name3, data3}})
		if !ok {
			return
		}
		got, err := seal.Open(sealed, []seal.Identity{k}, seal.Expect{Now: now})
		if err != nil {
			refused(t, err)
			return
		}
		for i, root := range got.Document.Roots {
			changes, err := plan.ChangesDigest(got.Roots[i].JSON)
			if err != nil || changes != root.Changes || plan.Digest(got.Roots[i].Binary) != root.Plan {
				t.Errorf("root %d is not what its document says: %v", i, err)
			}
		}
		for _, name := range []string{name1, name2, name3} {
			if name != "waybill.json" && name != "plan/0" && name != "json/0" {
				t.Errorf("it opens although it holds %q", name)
			}
		}
	})
}

// What is sealed twice under one name, or under a name of nothing, is refused.
func TestContentsThatDoNotBelong(t *testing.T) {
	t.Parallel()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	head := []byte(`{"document":{"roots":[{}]}}`)
	for _, name := range []string{"plan/0", "json/0", "waybill.json", "else/0", "plan/1", "plan/00", "plan/-1", "plan", ""} {
		files := []file{{"waybill.json", head}, {name, []byte("x")}}
		if name == "plan/0" || name == "json/0" { // a second time
			files = append(files, files[1])
		}
		sealed, ok := archive(t, k, files)
		if !ok {
			t.Fatalf("no archive holds %q", name)
		}
		_, err := seal.Open(sealed, []seal.Identity{k}, seal.Expect{Now: now})
		if want := fmt.Sprintf("it holds %q, which does not belong there", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

type file struct {
	name string
	data []byte
}

// archive seals files for k as Seal does.
func archive(t *testing.T, k *age.X25519Identity, files []file) (sealed []byte, ok bool) {
	t.Helper()
	var inner, body bytes.Buffer
	w := tar.NewWriter(&inner)
	for _, file := range files {
		if err := w.WriteHeader(&tar.Header{Name: file.name, Mode: 0o600, Size: int64(len(file.data))}); err != nil {
			return nil, false // no archive can hold such a name
		}
		_, _ = w.Write(file.data)
	}
	_ = w.Close()
	encrypted, err := age.Encrypt(&body, k.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = encrypted.Write(inner.Bytes())
	_ = encrypted.Close()
	line := fmt.Appendf(nil, "waybill-sealed-plan/v1 %d %x\n", body.Len(), sha256.Sum256(body.Bytes()))
	return append(line, body.Bytes()...), true
}

func refused(t *testing.T, err error) {
	t.Helper()
	var refusal *seal.Refusal
	if !errors.As(err, &refusal) || refusal.Detail == "" || outcome.Code(err) != outcome.Refused {
		t.Errorf("not refused with a reason: %v", err)
	}
}

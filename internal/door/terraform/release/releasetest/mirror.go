// Package releasetest serves terraform releases in the form of HashiCorp's site,
// signed by a key of its own, on loopback.
package releasetest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// Mirror is a running mirror. What it serves can be spoiled before it is asked.
type Mirror struct {
	URL string
	Key string // armored public key
	// Requests counts them.
	Requests atomic.Int64

	t     testing.TB
	key   *openpgp.Entity
	files map[string][]byte // by path
}

// New starts a mirror without releases.
func New(t testing.TB) *Mirror {
	t.Helper()
	key, err := openpgp.NewEntity("Releases", "test", "releases@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m := &Mirror{Key: public.String(), t: t, key: key, files: make(map[string][]byte)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Requests.Add(1)
		data, ok := m.files[strings.TrimPrefix(r.URL.Path, "/mirror/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		switch path.Ext(r.URL.Path) {
		case ".json":
			w.Header().Set("Content-Type", "application/json")
		case ".zip":
			w.Header().Set("Content-Type", "application/zip")
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	m.URL = server.URL + "/mirror"
	return m
}

// Release adds a version whose archive holds this program.
func (m *Mirror) Release(version string, program []byte) {
	m.t.Helper()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.CreateHeader(&zip.FileHeader{Name: "terraform", Method: zip.Store})
	if err == nil {
		_, err = f.Write(program)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	name := m.Archive(version)
	m.files[name] = archive.Bytes()
	m.Sign(version, m.key)
	index := map[string]any{
		"name": "terraform", "version": version, "shasums": "terraform_" + version + "_SHA256SUMS",
		"shasums_signature": "terraform_" + version + "_SHA256SUMS.sig",
		"builds": []map[string]string{{
			"name": "terraform", "version": version, "os": runtime.GOOS, "arch": runtime.GOARCH, "filename": path.Base(name),
			"url": "https://releases.example.com/" + name,
		}},
	}
	one, err := json.Marshal(index)
	if err != nil {
		m.t.Fatal(err)
	}
	m.files["terraform/"+version+"/index.json"] = one
	all := struct {
		Name     string                     `json:"name"`
		Versions map[string]json.RawMessage `json:"versions"`
	}{"terraform", make(map[string]json.RawMessage)}
	if old := m.files["terraform/index.json"]; old != nil {
		if err := json.Unmarshal(old, &all); err != nil {
			m.t.Fatal(err)
		}
	}
	all.Versions[version] = one
	if m.files["terraform/index.json"], err = json.Marshal(all); err != nil {
		m.t.Fatal(err)
	}
}

// Archive is the path of a version's archive.
func (m *Mirror) Archive(version string) string {
	return fmt.Sprintf("terraform/%s/terraform_%s_%s_%s.zip", version, version, runtime.GOOS, runtime.GOARCH)
}

// Sign writes the checksums of a version, signed by a key; nil is the mirror's.
func (m *Mirror) Sign(version string, key *openpgp.Entity) {
	m.t.Helper()
	name := m.Archive(version)
	sums := fmt.Sprintf("%x  %s\n", sha256.Sum256(m.files[name]), path.Base(name))
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, key, strings.NewReader(sums), nil); err != nil {
		m.t.Fatal(err)
	}
	base := "terraform/" + version + "/terraform_" + version + "_SHA256SUMS"
	m.files[base], m.files[base+".sig"] = []byte(sums), signature.Bytes()
}

// Change replaces what is served at a path; nil takes it away.
func (m *Mirror) Change(name string, change func([]byte) []byte) {
	if data := change(m.files[name]); data != nil {
		m.files[name] = data
	} else {
		delete(m.files, name)
	}
}

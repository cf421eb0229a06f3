package release_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/release"
	"github.com/waybill-dev/waybill/internal/door/terraform/release/releasetest"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// saying is a program that says it is terraform of that version, and that it
// was run.
func saying(name, version, canary string) []byte {
	return fmt.Appendf(nil, "#!/bin/sh\ntouch %s\necho '%s v%s'\n", canary, name, version)
}

// world has a terraform 1.9.0 on PATH.
func world(t *testing.T, m *releasetest.Mirror) (*release.Chooser, string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "terraform"), saying("Terraform", "1.9.0", filepath.Join(bin, "there")), 0o755); err != nil {
		t.Fatal(err)
	}
	// A name is looked up on our own PATH, so tests name the program by it.
	return &release.Chooser{
		Program: filepath.Join(bin, "terraform"), Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: t.TempDir(), Mirror: m.URL,
		Key: m.Key,
	}, bin
}

func wish(constraints ...string) []release.Wish {
	var wishes []release.Wish
	for _, c := range constraints {
		wishes = append(wishes, release.Wish{Constraint: c, From: "waybill.yaml"})
	}
	return wishes
}

// What satisfies is used as it is, and nobody is asked for another.
func TestWhatIsThere(t *testing.T) {
	t.Parallel()
	m := releasetest.New(t)
	c, bin := world(t, m)
	for _, wishes := range [][]release.Wish{nil, wish("1.9.0"), wish("~> 1.9"), wish(">= 1.5", "< 2.0"), wish("= 1.9.0")} {
		if got, err := c.Choose(t.Context(), wishes); err != nil || got != c.Program {
			t.Errorf("%v: %q %v", wishes, got, err)
		}
	}
	if m.Requests.Load() > 0 {
		t.Error("the mirror was asked")
	}
	if err := os.Rename(filepath.Join(bin, "there"), filepath.Join(bin, "before")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Choose(t.Context(), wish("1.9.0")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "there")); err == nil {
		t.Error("it is asked for its version once for each root")
	}
	// A program that is named by its path is that program, or none.
	if _, err := c.Choose(t.Context(), wish("1.10.0")); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "is terraform 1.9.0, and the root asks for 1.10.0 (waybill.yaml)") {
		t.Errorf("another version: %v", err)
	}
	if _, err := c.Choose(t.Context(), wish("newest")); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), `"newest" is neither a version`) {
		t.Errorf("no version: %v", err)
	}
}

// What a plan was made with stays only while it would be chosen today.
func TestStays(t *testing.T) {
	t.Parallel()
	m := releasetest.New(t)
	there, _ := world(t, m) // 1.9.0, by its path
	absent, _ := world(t, m)
	absent.Absent = true
	for name, c := range map[string]struct {
		chooser *release.Chooser
		made    string
		wishes  []release.Wish
		want    bool
	}{
		"the one that is there":                     {there, "terraform 1.9.0", nil, true},
		"it satisfies":                              {there, "terraform 1.9.0", wish("~> 1.9"), true},
		"another one was there":                     {there, "terraform 1.8.0", nil, false},
		"another one satisfies":                     {there, "terraform 1.9.1", wish("~> 1.9"), false},
		"another program":                           {there, "opentofu 1.9.0", nil, false},
		"the one that is there is refused":          {there, "terraform 1.10.0", wish("1.10.0"), false},
		"none is there, and nobody asks":            {absent, "terraform 1.8.0", nil, true},
		"none is there, and it is asked for":        {absent, "terraform 1.8.0", wish("1.8.0"), true},
		"none is there, and it is one of the range": {absent, "terraform 1.8.0", wish(">= 1.5"), true},
		"none is there, and another is asked for":   {absent, "terraform 1.8.0", wish("1.8.1"), false},
		"two ask, and one asks for another":         {absent, "terraform 1.8.0", wish(">= 1.5", "1.8.1"), false},
		"a wish that is none":                       {there, "terraform 1.9.0", wish("newest"), false},
		"a version that is none":                    {there, "terraform of today", nil, false},
		"nothing":                                   {there, "", nil, false},
	} {
		if got, err := c.chooser.Stays(t.Context(), c.made, c.wishes); err != nil || got != c.want {
			t.Errorf("%s: %t %v", name, got, err)
		}
	}
	if m.Requests.Load() > 0 {
		t.Error("the mirror was asked")
	}
}

func install(t *testing.T, m *releasetest.Mirror, key string, constraints ...string) (string, error) {
	t.Helper()
	c := &release.Chooser{Program: "terraform", Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: t.TempDir(), Mirror: m.URL, Key: key}
	return c.Choose(t.Context(), wish(constraints...))
}

// The real terraform, from a mirror, verified.
func TestInstallTheRealOne(t *testing.T) {
	t.Parallel()
	real, err := os.ReadFile(tooltest.Find(t, "terraform"))
	if err != nil {
		t.Fatal(err)
	}
	version, err := terraform.Open(terraform.Options{
		Dir: t.TempDir(), DataDir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")},
	}).Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, number, _ := strings.Cut(version, " ")
	m := releasetest.New(t)
	m.Release(number, real)
	c := &release.Chooser{
		Program: "terraform", Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: t.TempDir(), Mirror: m.URL, Key: m.Key, Absent: true,
	}
	var said bytes.Buffer
	c.Say = func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }
	path, err := c.Choose(t.Context(), wish(number))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := terraform.Open(terraform.Options{
		Path: path, Dir: t.TempDir(), DataDir: t.TempDir(),
	}).Version(t.Context()); err != nil || got != version {
		t.Errorf("it is %q %v", got, err)
	}
	if !strings.Contains(said.String(), "checksum and signature are right") {
		t.Errorf("it says %q", said.String())
	}
	before := m.Requests.Load()
	if again, err := c.Choose(t.Context(), wish(number)); err != nil || again != path || m.Requests.Load() != before {
		t.Errorf("again: %q %v, %d requests", again, err, m.Requests.Load()-before)
	}
}

// The newest release that satisfies is taken; one before its time never.
func TestInstallByConstraint(t *testing.T) {
	t.Parallel()
	m := releasetest.New(t)
	for _, v := range []string{"0.13.1", "0.13.2", "0.13.3-rc1", "0.14.0"} {
		m.Release(v, saying("Terraform", v, filepath.Join(t.TempDir(), "ran")))
	}
	path, err := install(t, m, m.Key, "~> 0.13.0")
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); !strings.Contains(string(data), "v0.13.2") {
		t.Errorf("it is %s", data)
	}
}

// What a mirror must not do is refused, each with its reason, and nothing of it
// is run.
func TestMirrorIsNotBelieved(t *testing.T) {
	t.Parallel()
	other, err := openpgp.NewEntity("Somebody", "", "x@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	const v = "0.12.1"
	sums := "terraform/" + v + "/terraform_" + v + "_SHA256SUMS"
	for name, a := range map[string]struct {
		spoil func(m *releasetest.Mirror, canary string)
		says  string
		code  int
		runs  bool // it is signed: running it is what tells
	}{
		"another archive": {spoil: func(m *releasetest.Mirror, _ string) {
			m.Change(m.Archive(v), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, says: "the archive of terraform 0.12.1 (waybill.yaml) is not the one whose checksum is signed: nothing was run: checksum " +
			"mismatch", code: outcome.Refused},
		"a checksum that fits another archive": {spoil: func(m *releasetest.Mirror, _ string) {
			m.Change(m.Archive(v), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			signature := []byte{}
			m.Change(sums+".sig", func(b []byte) []byte { signature = b; return b })
			m.Sign(v, other)
			m.Change(sums+".sig", func([]byte) []byte { return signature })
		}, says: "are not signed by the key of HashiCorp's releases: nothing was run", code: outcome.Refused},
		"signed by somebody else": {
			spoil: func(m *releasetest.Mirror, _ string) { m.Sign(v, other) },
			says:  "the checksums of terraform 0.12.1 (waybill.yaml) are not signed by the key of HashiCorp's releases: nothing was run",
			code:  outcome.Refused,
		},
		"no signature": {
			spoil: func(m *releasetest.Mirror, _ string) { m.Change(sums+".sig", func([]byte) []byte { return nil }) },
			says:  "has no terraform 0.12.1 (waybill.yaml)", code: outcome.Refused,
		},
		"no such version": {spoil: func(m *releasetest.Mirror, _ string) {
			m.Change("terraform/"+v+"/index.json", func([]byte) []byte { return nil })
		}, says: "has no terraform 0.12.1 (waybill.yaml)", code: outcome.Refused},
		"another version in its place": {spoil: func(m *releasetest.Mirror, canary string) {
			m.Release("0.11.0", saying("Terraform", "0.11.0", canary))
			var old []byte
			m.Change("terraform/0.11.0/index.json", func(b []byte) []byte { old = b; return b })
			m.Change("terraform/"+v+"/index.json", func([]byte) []byte { return old })
		}, says: "gave terraform 0.11.0 for 0.12.1 (waybill.yaml): it is signed, and not what was asked for", code: outcome.Refused,
			runs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := releasetest.New(t)
			canary := filepath.Join(t.TempDir(), "ran")
			m.Release(v, saying("Terraform", v, canary))
			a.spoil(m, canary)
			_, err := install(t, m, m.Key, v)
			if outcome.Code(err) != a.code || !strings.Contains(err.Error(), a.says) {
				t.Errorf("%v, want %q", err, a.says)
			}
			if _, err := os.Stat(canary); (err == nil) != a.runs {
				t.Errorf("run: %v", err == nil)
			}
		})
	}
	// The key is HashiCorp's where none is given: this mirror's own counts for nothing.
	m := releasetest.New(t)
	m.Release(v, saying("Terraform", v, filepath.Join(t.TempDir(), "ran")))
	if _, err := install(t, m, "", v); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "not signed by the key of HashiCorp's releases") {
		t.Errorf("the mirror's own key: %v", err)
	}
	// What lies where it is installed is not taken for it.
	m.Change(m.Archive(v), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "terraform"), saying("Terraform", v, filepath.Join(dir, "ran")), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &release.Chooser{Program: "terraform", Dir: dir, Mirror: m.URL, Key: m.Key, Absent: true}
	if _, err := c.Choose(t.Context(), wish(v)); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "checksum mismatch") {
		t.Errorf("what lies there: %v", err)
	}
	for _, mirror := range []string{"file:///tmp", "mirror", "https://user:pass@example.com"} {
		c := &release.Chooser{Program: "terraform", Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: t.TempDir(), Mirror: mirror}
		if _, err := c.Choose(t.Context(), wish(v)); outcome.Code(err) != outcome.Usage {
			t.Errorf("%s: %v", mirror, err)
		}
	}
}

func TestTreeWishes(t *testing.T) {
	t.Parallel()
	top := filepath.Join(t.TempDir(), "repository")
	for name, text := range map[string]string{
		"../.terraform-version": "0.1.0\n", "other/main.tf": "", // not of this repository
		"infra/prod/main.tf":       "terraform {\n  required_version = \">= 1.5\"\n}\n",
		"modules/a/main.tf.json":   `{"terraform": {"required_version": "< 2"}}`,
		"infra/.terraform-version": "1.9.8\n", "infra/.opentofu-version": "1.10.0\n", "bad/.terraform-version": "latest:^1.9",
		"bad/main.tf": "",
	} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for program, want := range map[string]string{
		"terraform": "[{>= 1.5 required_version in infra/prod/main.tf:2} {< 2 required_version in modules/a/main.tf.json:1} " +
			"{1.9.8 infra/.terraform-version}]",
		"/opt/bin/tofu": "[{>= 1.5 required_version in infra/prod/main.tf:2} {< 2 required_version in modules/a/main.tf.json:1} " +
			"{1.10.0 infra/.opentofu-version}]",
	} {
		got, err := release.TreeWishes(top, "infra/prod", program, []string{"infra/prod", "modules/a"})
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v", program, got, err)
		}
	}
	if got, err := release.TreeWishes(top, "other", "terraform", []string{"other"}); err != nil || len(got) > 0 {
		t.Errorf("from outside of the repository: %v %v", got, err)
	}
	if _, err := release.TreeWishes(top, "bad", "terraform", []string{"bad"}); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), `bad/.terraform-version: "latest:^1.9" names no version`) {
		t.Errorf("no version: %v", err)
	}
}

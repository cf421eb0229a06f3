package build

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

func TestParseAnnotation(t *testing.T) {
	t.Parallel()
	arm64 := linux[1]
	for text, want := range map[string]Annotations{
		"manifest:k=v=w": {{Level: LevelManifest, Key: "k", Value: "v=w"}},
		"index,manifest-descriptor[linux/arm64]:k=v": {
			{Level: LevelIndex, Key: "k", Value: "v"}, {Level: LevelManifestDescriptor, Platform: arm64, Key: "k", Value: "v"},
		},
		"index-descriptor:k=": {{Level: LevelIndexDescriptor, Key: "k"}},
		"k=a:b":               {{Level: LevelManifest, Key: "k", Value: "a:b"}, {Level: LevelIndex, Key: "k", Value: "a:b"}},
	} {
		got, err := ParseAnnotation(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for text, says := range map[string]string{
		"k": "is not [LEVEL:]NAME=VALUE", "=v": "is not [LEVEL:]NAME=VALUE", "config:k=v": "unknown level",
		"index[linux/arm64]:k=v": "an index is of all platforms",
		"index[plan9/arm]:k=v":   "plan9", "manifest:=v": "is not",
	} {
		if _, err := ParseAnnotation(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func TestAnnotationLevels(t *testing.T) {
	t.Parallel()
	var images []Image
	for _, p := range linux {
		image, err := random.Image(10, 1)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, Image{Platform: p, Image: image})
	}
	annotations := Annotations{
		{Level: LevelManifest, Platform: linux[1], Key: "m", Value: "1"}, {Level: LevelIndex, Key: "i", Value: "2"},
		{Level: LevelManifestDescriptor, Key: "d", Value: "3"}, {Level: LevelIndexDescriptor, Key: "x", Value: "4"},
	}
	index, _, err := Index(images, annotations)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteLayout(dir, made{index: index}, annotations); err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	list, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	got = append(got, list.Manifests[0].Annotations, manifest.Annotations)
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Annotations, inner.Annotations)
	}
	want := []map[string]string{{"x": "4"}, {"i": "2"}, {"d": "3"}, nil, {"d": "3"}, {"m": "1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, big := filepath.Join(dir, "f"), filepath.Join(dir, "big")
	for name, size := range map[string]int{file: 1, big: maxSecret + 1} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := func(name string) string { return map[string]string{"ID": "value", "OTHER": "other"}[name] }
	for text, want := range map[string]Secret{
		"id=ID": {ID: "ID", Value: []byte("value")}, "id=x,env=OTHER": {ID: "x", Value: []byte("other")},
		"ID=x,src=" + file:              {ID: "x", File: file},
		"type=file,id=x,source=" + file: {ID: "x", File: file}, "type=env,id=x,src=OTHER": {ID: "x", Value: []byte("other")},
		"id=" + file: {ID: file, File: file},
	} {
		got, err := ParseSecret(text, env)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for text, says := range map[string]string{
		"id=x,src=a,source=b": "gives src twice", "id=x,id=y": "gives id twice", "id=x,env=A,env=B": "gives env twice",
		"src=a":            "has no id",
		"id=x,src=a,env=B": "src and env are both given", "id=x,type=dir": `unknown type "dir"`,
		"id=x,mode=1": `"mode" is no key of id, src, env and type`, "id": "has no =, or nothing behind it",
		"Token=hunter2": `"Token" is no key`, "hunter2": "has no =", `id="hunter2"`: "it is not id=ID",
		"id=x,type=hunter,hunter2": "unknown type",
		"id=x,env=":                "nothing behind it", "id=x": "variable x is empty", "id=x,type=file,env=OTHER": "type=file needs src",
		"id=x,src=" + big: "at most 512000 bytes",
		"id=x,src=" + dir: "is no file", "id=x,src=" + file + "none": "no such file",
	} {
		if _, err := ParseSecret(text, env); err == nil || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// Values may hold anything, several lines in quotes, and errors quote none.
func TestParseSecretValues(t *testing.T) {
	t.Parallel()
	got, err := parseSecretValues("\nnpm=a=b, c\n  other=\"x\"\r\n" + `"one=two"` + "\n  \"key=-----\r\na\"\"\n\n b \" \nlast={\"a\":1}\n" +
		`"json={""a"":""b""}"`)
	want := []Secret{
		{ID: "npm", Value: []byte("a=b, c")}, {ID: "other", Value: []byte(`"x"`)}, {ID: "one", Value: []byte("two")},
		{ID: "key", Value: []byte("-----\na\"\n\n b ")}, {ID: "last", Value: []byte(`{"a":1}`)}, {ID: "json", Value: []byte(`{"a":"b"}`)},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, says := range map[string]string{
		"a=b\nhunter2": "line 2 is not ID=VALUE", "=hunter2": "line 1 is not ID=VALUE", "hunter2=": "line 1 has no value: is the secret",
		"a=b\n\"c=hunter2\nd=e": "line 2 begins with a quote that no line ends", "\"a=\"": "line 1 has no value",
		"\"hunter2\"": "line 1 is not ID=VALUE: a value of several lines stands in quotes",
		"a=" + strings.Repeat("hunter2", maxSecret): "line 1 has a value of more than",
	} {
		if _, err := parseSecretValues(text); err == nil || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestDefaultDockerfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := DefaultDockerfile(dir); got != filepath.Join(dir, "Dockerfile") {
		t.Errorf("without any: %s", got)
	}
	for _, name := range []string{"Containerfile", "dockerfile", "Dockerfile"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("FROM scratch\n# "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := ReadDockerfile(dir, "")
		if err != nil || filepath.Base(d.Path) != name {
			t.Errorf("with %s: %v, %v", name, d, err)
		}
	}
}

func TestOtherFrontends(t *testing.T) {
	t.Parallel()
	for text, other := range map[string]bool{
		"# syntax=docker/dockerfile:1\n": false, "# syntax = docker.io/docker/dockerfile:1.7\n": false,
		"# syntax=docker/dockerfile\n":        false,
		"# syntax=docker/dockerfile:1-labs\n": false, "# syntax=docker/dockerfile:1.24.0\n": false,
		"# syntax=docker/dockerfile:labs\n":                                       false,
		"# syntax=docker/dockerfile:1.7@sha256:" + strings.Repeat("a", 64) + "\n": false,
		"# syntax=docker/dockerfile@sha256:" + strings.Repeat("a", 64) + "\n":     true,
		"# syntax=docker/dockerfile:1.99\n":                                       true, "# syntax=docker/dockerfile:2\n": true,
		"# syntax=docker/dockerfile:0.9\n":          true,
		"# syntax=docker/dockerfile:experimental\n": true, "# syntax=docker/dockerfile-upstream:master\n": true,
		"# syntax=registry.invalid/my:1\n": true,
		"// syntax=acme/other\n":           true, "# a comment\n# syntax=acme/other\n": false, "": false,
	} {
		d, err := ParseDockerfile("Dockerfile", []byte(strings.Replace(text, "//", "#", 1)+"FROM scratch\nLABEL a=b\n"))
		if err != nil {
			t.Fatal(err)
		}
		choice, err := Choose(Auto, Request{Platforms: linux}, d)
		if err != nil || (choice.Engine == BuildKit) != other {
			t.Errorf("%q: %+v, %v", text, choice, err)
		}
		_, err = Choose(Assemble, Request{Platforms: linux}, d)
		if other != (err != nil) || (other && !strings.HasPrefix(err.Error(), "Dockerfile:1: # syntax=")) {
			t.Errorf("%q for assemble: %v", text, err)
		}
	}
	d, err := ParseDockerfile("Dockerfile", []byte("# syntax=docker/dockerfile:1\nFROM scratch\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []map[string]string{{"BUILDKIT_SYNTAX": "acme/x"}, {"BUILDKIT_DOCKERFILE_CHECK": "error=true"}} {
		if choice, err := Choose(Auto, Request{Platforms: linux, Args: args}, d); err != nil || choice.Engine != BuildKit {
			t.Errorf("%v: %+v, %v", args, choice, err)
		}
	}
}

func TestTrackedMetadata(t *testing.T) {
	t.Parallel()
	commit, checkout := time.Unix(100, 0), time.Unix(200, 5)
	k := NewTracked(map[string]bool{"run": true, "dir/sub/f": false, "link": false, "set": true}, commit)
	for _, c := range []struct {
		name       string
		mode, want fs.FileMode
		tracked    bool
	}{
		{"run", 0o700, 0o755, true}, {"dir/sub/f", 0o600, 0o644, true}, {"dir/sub/f", 0o664, 0o644, true},
		{"dir/sub", fs.ModeDir | 0o700, fs.ModeDir | 0o755, true}, {"dir", fs.ModeDir | 0o775, fs.ModeDir | 0o755, true},
		{"link", fs.ModeSymlink | 0o777, fs.ModeSymlink | 0o777, true}, {"set", fs.ModeSetuid | 0o711, fs.ModeSetuid | 0o711, true},
		{"other", 0o600, 0o600, false}, {"empty", fs.ModeDir | 0o700, fs.ModeDir | 0o700, false},
		{"run", fs.ModeDir | 0o700, fs.ModeDir | 0o700, false},
	} {
		mode, at := k.Metadata(c.name, c.mode, checkout)
		if mode != c.want || at.Equal(commit) != c.tracked {
			t.Errorf("%s %v: %v at %v, want %v", c.name, c.mode, mode, at, c.want)
		}
	}
	if mode, at := (*Tracked)(nil).Metadata("run", 0o700, checkout); mode != 0o700 || !at.Equal(checkout) {
		t.Errorf("without git: %v at %v", mode, at)
	}
}

func TestParsePairs(t *testing.T) {
	t.Parallel()
	pairs, err := parsePairs([]string{"A=1", " B =x=y,z", "C="})
	if err != nil || pairs["A"] != "1" || pairs["B"] != "x=y,z" || pairs["C"] != "" || len(pairs) != 3 {
		t.Errorf("%q, %v", pairs, err)
	}
	for _, text := range []string{"A", "=1", " =1"} {
		if _, err := parsePairs([]string{text}); err == nil {
			t.Errorf("%q is a pair", text)
		}
	}
}

func TestEpoch(t *testing.T) {
	t.Parallel()
	commit := time.Unix(1700000000, 0).UTC()
	for given, want := range map[string]time.Time{"": commit, "5": time.Unix(5, 0).UTC()} {
		if got, err := epoch(given, commit); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
	if got, err := epoch("", time.Time{}); err != nil || got.Unix() != 0 {
		t.Errorf("without any: %v, %v", got, err)
	}
	for _, given := range []string{"-1", "now"} {
		if _, err := epoch(given, commit); err == nil {
			t.Errorf("%s is a time", given)
		}
	}
}

// A cache is of one repository and one branch. What is about no branch, such as a
// pull request, reads and writes none: the default branch reads what it wrote.
func TestCacheBeside(t *testing.T) {
	t.Parallel()
	repository, err := name.NewRepository("ghcr.io/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"refs/heads/main": "ghcr.io/acme/app:cache-main", "refs/pull/7/merge": "", "refs/tags/v1": "", "": "", "refs/heads/": "",
	} {
		if got := CacheBeside(repository, ref); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
	seen := map[string]string{}
	for _, branch := range []string{"a/b", "a-b", "a b", "main", "a//b", strings.Repeat("x", 60), strings.Repeat("x", 61), "ä"} {
		got := CacheBeside(repository, "refs/heads/"+branch)
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s share %s", branch, other, got)
		}
		if _, err := name.NewTag(got+"-linux-amd64-linux-arm64-linux-arm-v7", name.StrictValidation); err != nil {
			t.Errorf("%s: %v", branch, err)
		}
		seen[got] = branch
	}
}

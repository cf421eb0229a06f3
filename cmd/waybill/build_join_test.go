package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// builder builds with the real command, and gives its outputs.
type builder struct {
	t     *testing.T
	image string
}

func (b builder) build(dir, platform string, more ...string) map[string]string {
	b.t.Helper()
	output := filepath.Join(b.t.TempDir(), "output")
	code, _, words := call(b.t, map[string]string{"GITHUB_OUTPUT": output},
		append([]string{"build", "--image", b.image, "--context", dir, "--platform", platform}, more...)...)
	if code != outcome.Done {
		b.t.Fatalf("exit code %d: %s", code, words)
	}
	return parseOutputs(b.t, output)
}

// forge pushes a record that differs from another one.
func (b builder) forge(record string, change func(*evidence.BuildRecord)) string {
	b.t.Helper()
	client, ref := registry.New(registry.Options{}), parseRef(b.t, record)
	documents, err := client.Documents(b.t.Context(), ref, evidence.ArtifactBuild)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := evidence.ParseBuildRecord(documents[0].Data)
	if err != nil {
		b.t.Fatal(err)
	}
	change(&r)
	if documents[0].Data, err = json.Marshal(r); err != nil {
		b.t.Fatal(err)
	}
	forged, err := client.PushDocuments(b.t.Context(), ref.Name(), evidence.ArtifactBuild, documents)
	if err != nil {
		b.t.Fatal(err)
	}
	return forged.String()
}

func parseRef(t *testing.T, text string) imageref.Ref {
	t.Helper()
	ref, err := imageref.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestJoin: the results of two jobs give the index and the record of the job
// that builds both platforms alone.
func TestJoin(t *testing.T) {
	t.Parallel()
	b := builder{t, registrytest.New(t, nil).Host + "/acme/app"}
	dir, commit := sourceTree(t)
	notes := []string{"--annotation", "index:a=b", "--annotation", "manifest-descriptor[linux/arm64]:c=d", "--label", "mine=flag"}
	alone := b.build(dir, "linux/amd64,linux/arm64", notes...)
	arm, amd := b.build(dir, "linux/arm64", notes...), b.build(dir, "linux/amd64", notes...)
	output := filepath.Join(t.TempDir(), "output")
	second := registrytest.New(t, nil).Host + "/acme/copy"
	args := []string{"build", "--image", b.image, "--image", second, "--join", arm["record"] + "," + amd["record"]}
	code, images, words := call(t, map[string]string{"GITHUB_OUTPUT": output}, args...)
	image, copied, _ := strings.Cut(images, "\n")
	if code != outcome.Done || image != alone["image"] || copied != second+"@"+alone["digest"] {
		t.Fatalf("exit code %d, %s, want %s: %s", code, image, alone["image"], words)
	}
	if found, err := registry.New(registry.Options{}).Platforms(t.Context(), parseRef(t, copied)); err != nil || len(found) != 2 {
		t.Errorf("the copy has the platforms %v, %v", found, err)
	}
	joined := parseOutputs(t, output)
	if joined["platforms"] != alone["platforms"] {
		t.Errorf("platforms are %s, want %s", joined["platforms"], alone["platforms"])
	}
	var platforms map[string]string
	if err := json.Unmarshal([]byte(joined["platforms"]), &platforms); err != nil {
		t.Fatal(err)
	}
	checkRecord(t, registry.New(registry.Options{}), joined["record"], evidence.BuildRecord{
		Schema: evidence.BuildSchema, Image: image, Digest: alone["digest"], Platforms: platforms, Engine: "assemble",
		Version:    cli.Version(),
		Dockerfile: evidence.Dockerfile{Path: "service/Dockerfile"}, Context: "service", Source: sourceOf(t, alone["record"]),
	})
	if got := sourceOf(t, joined["record"]).Commit; got != commit {
		t.Errorf("the commit is %s, want %s", got, commit)
	}
}

func sourceOf(t *testing.T, record string) (s evidence.Source) {
	t.Helper()
	builder{t: t}.forge(record, func(r *evidence.BuildRecord) { s = r.Source })
	return s
}

// TestJoinRefuses what no single job could have built, each with its reason.
func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	b := builder{t, server.Host + "/acme/app"}
	dir, _ := sourceTree(t)
	amd, arm := b.build(dir, "linux/amd64")["record"], b.build(dir, "linux/arm64")["record"]
	elsewhere := builder{t, server.Host + "/acme/other"}.build(dir, "linux/arm64")["record"]
	argued := b.build(dir, "linux/arm64", "--build-arg", "A=1")["record"]
	noted := b.build(dir, "linux/arm64", "--annotation", "a=b")["record"]
	if err := os.WriteFile(filepath.Join(dir, "app-arm64"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	dirty := b.build(dir, "linux/arm64")["record"]
	gone := b.image + "@sha256:" + strings.Repeat("0", 64)
	change := func(f func(*evidence.BuildRecord)) string { return b.forge(arm, f) }
	for name, c := range map[string]struct{ record, says string }{
		"one platform twice": {change(func(r *evidence.BuildRecord) { r.Version = "x" }) + "," + arm, "both have a result for linux/arm64"},
		"a platform missing": {"", "no record has a result for linux/arm64"},
		"another commit":     {change(func(r *evidence.BuildRecord) { r.Source.Commit = strings.Repeat("a", 40) }), "different commits"},
		"another repository": {change(func(r *evidence.BuildRecord) { r.Source.Repository = "https://x" }), "different repositories"},
		"another ref":        {change(func(r *evidence.BuildRecord) { r.Source.Ref = "refs/heads/x" }), "different refs"},
		"another Dockerfile": {change(func(r *evidence.BuildRecord) { r.Dockerfile.Digest = "sha256:00" }), "different Dockerfiles"},
		"another context":    {change(func(r *evidence.BuildRecord) { r.Context = "x" }), "different contexts"},
		"another target":     {change(func(r *evidence.BuildRecord) { r.Target = "x" }), "different targets"},
		"other binaries":     {change(func(r *evidence.BuildRecord) { r.Binaries = "x" }), "different binaries"},
		"other files":        {change(func(r *evidence.BuildRecord) { r.Prepared = "x" }), "different prepared files"},
		"other arguments":    {argued, "different build arguments"},
		"other annotations":  {noted, "different annotations of the index"},
		"a changed tree":     {dirty, "different states of the working tree"},
		"another image":      {elsewhere, "is not in the repository " + b.image},
		"a record of elsewhere": {change(func(r *evidence.BuildRecord) {
			r.Image = strings.Replace(r.Image, "acme/app", "acme/other", 1)
		}), "does not fit its image"},
		"another digest": {
			change(func(r *evidence.BuildRecord) { r.Digest = strings.ReplaceAll(r.Digest, "a", "b") }), "does not fit its image",
		},
		"other platforms": {change(func(r *evidence.BuildRecord) {
			r.Platforms = maps.Clone(r.Platforms)
			r.Platforms["linux/s390x"] = r.Platforms["linux/arm64"]
		}), "does not fit its image: it names the platforms"},
		"no record": {gone, "the repository does not have it"},
		"an image that is not": {change(func(r *evidence.BuildRecord) {
			r.Image, r.Digest = gone, gone[strings.Index(gone, "@")+1:]
		}), "the repository does not have it"},
	} {
		args := []string{"build", "--image", b.image, "--join", amd}
		if c.record != "" {
			args = append(args, "--join", c.record)
		}
		code, image, words := call(t, nil, args...)
		if code != outcome.Refused || image != "" || !strings.Contains(words, c.says) {
			t.Errorf("%s: exit code %d, %q, want %q: %s", name, code, image, c.says, words)
		}
	}
	code, _, words := call(t, nil, "build", "--image", b.image, "--platform", "linux/amd64", "--join", amd+","+arm)
	if code != outcome.Refused || !strings.Contains(words, "linux/arm64, which --platform does not name") {
		t.Errorf("a platform that was not asked for: exit code %d: %s", code, words)
	}
	for says, more := range map[string][]string{"give --target to the builds": {"--target", "x"}, "stands there twice": {"--join", amd}} {
		code, _, words := call(t, nil, append([]string{"build", "--image", b.image, "--join", amd}, more...)...)
		if code != outcome.Usage || !strings.Contains(words, says) {
			t.Errorf("exit code %d, want %q: %s", code, says, words)
		}
	}
}

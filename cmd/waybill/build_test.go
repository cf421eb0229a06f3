package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// call runs the program in this process.
func call(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, words bytes.Buffer
	code = program.Run(t.Context(), cli.Process{
		Args: args, Getenv: func(name string) string { return env[name] }, Stdout: &out, Stderr: &words,
	})
	return code, strings.TrimSpace(out.String()), words.String()
}

// sourceTree is a context in a git repository with a tag.
func sourceTree(t *testing.T) (dir, commit string) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "service")
	for name, text := range map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\nLABEL mine=dockerfile\nENTRYPOINT [\"/app\"]\n",
		"app-amd64":  "amd", "app-arm64": "arm",
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	identity := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "one"}, {"tag", "v1.2.3"},
		{"remote", "add", "origin", "https://token@github.com/acme/app.git"},
	} {
		if _, err := git.RunEnv(t.Context(), top, identity, args...); err != nil {
			t.Fatal(err)
		}
	}
	commit, err := git.Run(t.Context(), top, "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	return dir, commit
}

func TestBuildOnARealRegistry(t *testing.T) {
	t.Parallel()
	crane := tooltest.Find(t, "crane")
	server, err := dockerregistry.Start(t.Context(), tooltest.Find(t, "docker-registry"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	dir, commit := sourceTree(t)
	output, summary := filepath.Join(t.TempDir(), "output"), filepath.Join(t.TempDir(), "summary")
	env := map[string]string{"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary}
	args := []string{
		"build", "--image", server.Host + "/acme/app", "--context", dir, "--label", "mine=flag", "--annotation",
		"org.opencontainers.image.title=Mine",
	}
	code, image, words := call(t, env, args...)
	if code != outcome.Done {
		t.Fatalf("exit code %d: %s", code, words)
	}
	if _, again, _ := call(t, env, args...); again != image {
		t.Errorf("built again it is %s, was %s", again, image)
	}
	if _, err := (process.Command{Path: crane, Args: []string{"validate", "--remote", image}}).Output(t.Context()); err != nil {
		t.Errorf("crane does not accept the image: %v", err)
	}
	if out, err := (process.Command{
		Path: crane, Args: []string{"ls", server.Host + "/acme/app"},
	}).Output(t.Context()); err == nil && len(out) > 0 {
		t.Errorf("there are tags: %s", out)
	}

	client := registry.New(registry.Options{})
	ref, err := imageref.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	platforms := checkMetadata(t, client, ref, commit)
	outputs := parseOutputs(t, output)
	if outputs["image"] != image || outputs["digest"] != ref.Digest() {
		t.Errorf("outputs are %v", outputs)
	}
	var told map[string]string
	if err := json.Unmarshal([]byte(outputs["platforms"]), &told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(platforms, told); diff != "" {
		t.Errorf("platforms that were told: %s", diff)
	}
	checkRecord(t, client, outputs["record"], evidence.BuildRecord{
		Schema: evidence.BuildSchema, Image: image, Digest: ref.Digest(), Platforms: platforms, Engine: "assemble", Version: cli.Version(),
		Dockerfile: evidence.Dockerfile{Path: "service/Dockerfile"}, Context: "service",
		Source: evidence.Source{
			Repository: "https://github.com/acme/app", Commit: commit, Ref: "refs/tags/v1.2.3",
			CommittedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
	})
	if text, err := os.ReadFile(summary); err != nil || !strings.Contains(string(text), "| linux/arm64 | `sha256:") {
		t.Errorf("the summary is %q, %v", text, err)
	}
}

// checkMetadata checks labels and annotations, and returns the platforms.
func checkMetadata(t *testing.T, client *registry.Client, ref imageref.Ref, commit string) map[string]string {
	t.Helper()
	common := map[string]string{
		"org.opencontainers.image.source": "https://github.com/acme/app", "org.opencontainers.image.url": "https://github.com/acme/app",
		"org.opencontainers.image.revision": commit, "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
		"org.opencontainers.image.version": "v1.2.3",
	}
	with := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for k, v := range common {
			all[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	index, err := client.Index(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	annotations := with("org.opencontainers.image.title", "Mine")
	if diff := cmp.Diff(annotations, manifest.Annotations); diff != "" {
		t.Errorf("annotations of the index: %s", diff)
	}
	platforms := map[string]string{}
	for _, m := range manifest.Manifests {
		platforms[m.Platform.String()] = m.Digest.String()
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, image, annotations, with("org.opencontainers.image.title", "app", "mine", "flag"))
	}
	return platforms
}

func checkImage(t *testing.T, image v1.Image, annotations, labels map[string]string) {
	t.Helper()
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(annotations, manifest.Annotations); diff != "" {
		t.Errorf("annotations of the manifest: %s", diff)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(labels, config.Config.Labels); diff != "" {
		t.Errorf("labels: %s", diff)
	}
	if got := config.Created.UTC().Format("2006-01-02T15:04:05Z"); got != "2026-01-02T03:04:05Z" {
		t.Errorf("created at %s, want the time of the commit", got)
	}
}

func checkRecord(t *testing.T, client *registry.Client, record string, want evidence.BuildRecord) {
	t.Helper()
	ref, err := imageref.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := client.Documents(t.Context(), ref, evidence.ArtifactBuild)
	if err != nil || len(documents) != 1 || documents[0].Name != evidence.FileBuild {
		t.Fatalf("the record is %v, %v", documents, err)
	}
	got, err := evidence.ParseBuildRecord(documents[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if got.StartedAt.IsZero() || got.FinishedAt.Before(got.StartedAt) || !strings.HasPrefix(got.Dockerfile.Digest, "sha256:") {
		t.Errorf("the record is %+v", got)
	}
	want.StartedAt, want.FinishedAt, want.Dockerfile.Digest = got.StartedAt, got.FinishedAt, got.Dockerfile.Digest
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record: %s", diff)
	}
}

// parseOutputs reads GITHUB_OUTPUT: the last value of each name.
func parseOutputs(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{}
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		if !ok {
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		outputs[name] = strings.Join(value, "\n")
	}
	return outputs
}

// TestBuildThatCannotPush: the error names the host, the exit code is 1, no
// index is there; and when the registry is well again, the same call ends well.
func TestBuildThatCannotPush(t *testing.T) {
	t.Parallel()
	dir, _ := sourceTree(t)
	for name, c := range map[string]struct {
		status int
		says   string
	}{
		"unauthorized": {http.StatusUnauthorized, "not logged in"},
		"forbidden":    {http.StatusForbidden, "needs the right to push"},
		"full":         {http.StatusInsufficientStorage, "the registry itself has trouble"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			broken, manifests := true, 0
			server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if !broken || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				if manifests++; manifests < 2 {
					return false
				}
				http.Error(w, "{}", c.status)
				return true
			})
			output := filepath.Join(t.TempDir(), "output")
			args := []string{"build", "--image", server.Host + "/acme/app", "--context", dir}
			code, image, words := call(t, map[string]string{"GITHUB_OUTPUT": output}, args...)
			if code != outcome.Broken || image != "" || !strings.Contains(words, "error: registry "+server.Host+": push ") ||
				!strings.Contains(words, c.says) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, image, words)
			}
			if _, err := os.Stat(output); err == nil {
				t.Error("outputs were set for an image that is not there")
			}
			mu.Lock()
			broken = false
			mu.Unlock()
			code, image, words = call(t, nil, args...)
			if code != outcome.Done {
				t.Errorf("again: exit code %d: %s", code, words)
			}
			ref, err := imageref.Parse(image)
			if err != nil {
				t.Fatal(err)
			}
			if list, err := registry.New(registry.Options{}).Platforms(context.Background(), ref); err != nil || len(list) != 2 {
				t.Errorf("again: platforms are %v, %v", list, err)
			}
		})
	}
}

// TestBuildWithBuildKit hands a Dockerfile without RUN to a real daemon: the
// same image must come out, tags and attestations must not.
func TestBuildWithBuildKit(t *testing.T) {
	t.Parallel()
	buildkitdPath, crane := tooltest.Find(t, "buildkitd"), tooltest.Find(t, "crane")
	if err := buildkitd.Supported(); err != nil {
		t.Skip(err)
	}
	server, err := dockerregistry.Start(t.Context(), tooltest.Find(t, "docker-registry"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	short, err := os.MkdirTemp("", "wb") // a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	daemon, err := buildkitd.Start(t.Context(), buildkitd.Options{Program: buildkitdPath, Dir: short, Registries: []string{server.Host}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.Stop)
	dir, commit := sourceTree(t)
	env := map[string]string{"BUILDKIT_HOST": daemon.Address, "TOKEN": "hunter2"}
	code, image, words := call(t, env, "build", "--image", server.Host+"/acme/app", "--context", dir, "--engine", "buildkit",
		"--label", "mine=flag", "--annotation", "org.opencontainers.image.title=Mine", "--secret", "id=token,env=TOKEN")
	if code != outcome.Done || !strings.HasPrefix(words, "buildkit  as asked\n") || strings.Contains(words, "hunter2") {
		t.Fatalf("exit code %d: %s", code, words)
	}
	if _, err := (process.Command{Path: crane, Args: []string{"validate", "--remote", image}}).Output(t.Context()); err != nil {
		t.Errorf("crane does not accept the image: %v", err)
	}
	ref, err := imageref.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	if platforms := checkMetadata(t, registry.New(registry.Options{}), ref, commit); len(platforms) != 2 {
		t.Errorf("platforms are %v, want two and no attestation", platforms)
	}
	if _, again, _ := call(t, env, "build", "--image", server.Host+"/acme/app", "--context", dir, "--engine", "buildkit",
		"--label", "mine=flag", "--annotation", "org.opencontainers.image.title=Mine"); again != image {
		t.Errorf("built again it is %s, was %s", again, image)
	}
}

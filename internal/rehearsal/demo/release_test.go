package demo_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/bases"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/stage"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// fakeGo stands for the toolchain that scripts/release.sh pins. Compiling four
// binaries for five platforms takes an hour here, so each program is a script that
// starts the one in bin/: everything after the compiler is the release's own.
const fakeGo = `#!/bin/bash
case "$1 $2" in
"env GOVERSION") echo "$GOTOOLCHAIN" ;;
"env GOHOSTOS") echo linux ;;
"env GOHOSTARCH") echo amd64 ;;
"build "*)
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\n# %s %s\nexec "BIN/%s" "$@"\n' "$GOOS" "$GOARCH" "${3##*/}" > "$2" && chmod 755 "$2" ;;
*) exec GO "$@" ;;
esac
`

// releasing is a repository of Waybill's release files on a stage.
type releasing struct {
	t     *testing.T
	stage *stage.Stage
	seed  string
	env   []string
	dir   string
}

const waybillRepo = "waybill-dev/waybill"

// TestRelease runs .github/workflows/release.yml for a tag: the draft with its
// files, the image with its evidence, the signatures, the publication. The real gh
// speaks to the stand-in. Three things cannot be had here: the compiler (see
// fakeGo), the base image on gcr.io (a stand-in in the rehearsal's registry), and
// the person whom the environment `release` waits for, because act has no
// environments with reviewers.
func TestRelease(t *testing.T) {
	t.Parallel()
	r := newReleasing(t)
	version := r.read("actions/version.txt")
	tag := "v" + version
	files := func() (map[string]string, bool) { return r.stage.GitHub.Assets(waybillRepo, tag) }

	// Nothing is made for a commit whose CI has not passed.
	r.again(tag)
	r.ended("failure", "CI did not pass for the commit")
	if got, _ := files(); got != nil {
		t.Errorf("a release was made of a commit without CI: %v", got)
	}
	r.dispatch("ci.yml")
	r.ended("success", "")

	// GitHub stops answering while the draft is published: it stays a draft.
	if err := r.stage.GitHub.AddFault(githubd.Fault{Method: "PATCH", Path: `/releases/\d+$`, Status: 502}); err != nil {
		t.Fatal(err)
	}
	r.again(tag)
	r.ended("failure", "HTTP 502")
	stopped, draft := files()
	if !draft || stopped["waybill_"+version+".sigstore.json"] == "" {
		t.Fatalf("after the stop the release is a draft: %v, with %v", draft, stopped)
	}
	image := r.crane("digest", r.image()+":"+version)

	// The same tag again ends as if nothing had happened.
	r.again(tag)
	r.ended("success", "")
	published, draft := files()
	if draft || len(published) != len(stopped) {
		t.Errorf("the second run left a draft: %v, with %d files, and the first had %d", draft, len(published), len(stopped))
	}
	for name, file := range published {
		made := strings.HasSuffix(name, ".json") || name == "checksums.txt" // SBOMs and the bundle say when; the sums name them
		if !made && r.file(file) != r.file(stopped[name]) {
			t.Errorf("%s is another file than that of the first run", name)
		}
	}
	r.holds(published, version)
	if again := r.crane("digest", r.image()+":"+version); again != image {
		t.Errorf("the image was %s and is %s", image, again)
	}
	r.verifies(published, version)

	// And once more: what is published is compared, and nothing changes.
	r.again(tag)
	r.ended("success", "published already, with the same archives")
	if third, draft := files(); draft || !maps.Equal(third, published) {
		t.Errorf("a run after the publication changed the release: %v", third)
	}
}

func newReleasing(t *testing.T) *releasing {
	t.Helper()
	root := tooltest.Root(t)
	for _, name := range []string{"waybill", "waybill-scan"} {
		if _, err := os.Stat(filepath.Join(root, "bin", name)); err != nil {
			t.Skipf("needs bin/%s: run make build", name)
		}
	}
	for _, tool := range []string{"fulcio", "rekor-server", "timestamp-server", "gh"} {
		tooltest.Find(t, tool)
	}
	r := &releasing{t: t, dir: t.TempDir(), seed: filepath.Join(t.TempDir(), "waybill")}
	programs := t.TempDir()
	text := strings.NewReplacer("BIN/", filepath.Join(root, "bin")+"/", "exec GO", "exec "+tooltest.Find(t, "go")).Replace(fakeGo)
	r.write(filepath.Join(programs, "go"), text)
	r.env = rehearsal.Environment(func(name string) string {
		if name == "PATH" {
			return programs + ":" + os.Getenv("PATH")
		}
		return os.Getenv(name)
	})
	github := &github{}
	proxy := httptest.NewServer(github)
	t.Cleanup(proxy.Close)
	// gh speaks plain HTTP to this host alone, which GitHub's own developers have.
	r.env = append(r.env, "GH_HOST=github.localhost", "GH_REPO=github.localhost/"+waybillRepo, "HTTP_PROXY="+proxy.URL,
		"NO_PROXY=127.0.0.1", "GH_NO_UPDATE_NOTIFIER=1")
	var err error
	r.stage, err = stage.Start(t.Context(), stage.Options{
		Root: root, Dir: r.dir, Tools: filepath.Dir(tooltest.Find(t, "act")), Env: r.env, Logf: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stage.Close)
	github.server = r.stage.GitHub
	urls := r.stage.URLs()
	if err := bases.Push(t.Context(), bases.Options{
		Root: root, Dir: t.TempDir(), Env: rehearsal.Environment(os.Getenv), Registry: urls.Registry,
	}); err != nil {
		t.Fatal(err)
	}
	r.seedFiles(root)
	if err := r.stage.GitHub.CreateRepository(t.Context(), githubd.Seed{
		Name: waybillRepo, Dir: r.seed, Author: "alice", Vars: r.stage.Variables,
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

// github is api.github.localhost, as gh's proxy reaches it.
type github struct{ server *githubd.Server }

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const host = "http://api.github.localhost"
	path := "/api/v3" + r.URL.EscapedPath()
	if r.URL.Path == "/graphql" {
		path = "/api/graphql"
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, path+"?"+r.URL.RawQuery, bytes.NewReader(body))
	in.Header = r.Header
	out := httptest.NewRecorder()
	g.server.ServeHTTP(out, in)
	for name, values := range out.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(out.Code)
	answer := out.Body.Bytes()
	if strings.HasPrefix(out.Header().Get("Content-Type"), "application/json") {
		answer = bytes.ReplaceAll(answer, []byte(g.server.APIURL()), []byte(host))
	}
	_, _ = w.Write(answer)
}

// baseDigest is that of the real base, once somebody has pinned it.
var baseDigest = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

// seedFiles writes the files of a release, with the names that hold here.
func (r *releasing) seedFiles(root string) {
	r.t.Helper()
	list, err := git.RunEnv(r.t.Context(), root, r.env, "ls-files", "-z", "action.yml", "actions", "scripts", "Dockerfile", "LICENSE",
		".dockerignore", ".github/workflows/release.yml")
	if err != nil {
		r.t.Fatal(err)
	}
	urls := r.stage.URLs()
	replaced := map[string]int{ // how often each stands in these files
		"ghcr.io/": 1, "gcr.io/distroless": 1, "https://token.actions.githubusercontent.com": 1,
		"severity: critical": 1, "uses: ./actions/sign\n        with:": 2, "bundle: ${{ steps.files.outputs.bundle }}\n          signer": 1,
		"policy: waybill-tag.yaml": 1,
	}
	names := strings.NewReplacer(
		"ghcr.io/", urls.Registry+"/", "gcr.io/distroless", urls.Registry+"/distroless",
		"https://token.actions.githubusercontent.com", urls.Issuer,
		"severity: critical", "severity: critical\n          db_repository: ${{ vars.WAYBILL_DB_REPOSITORY }}",
		"uses: ./actions/sign\n        with:", "uses: ./actions/sign\n        with:"+
			"\n          signing_config: ${{ vars.WAYBILL_SIGNING_CONFIG }}\n          trusted_root: ${{ vars.WAYBILL_TRUSTED_ROOT }}",
		"bundle: ${{ steps.files.outputs.bundle }}\n          signer", "bundle: ${{ steps.files.outputs.bundle }}"+
			"\n          issuer: "+urls.Issuer+"\n          trusted_root: ${{ vars.WAYBILL_TRUSTED_ROOT }}\n          signer",
		"policy: waybill-tag.yaml", "policy: waybill-tag.yaml\n          trusted_root: ${{ vars.WAYBILL_TRUSTED_ROOT }}",
	)
	for _, name := range strings.Split(strings.TrimSuffix(list, "\x00"), "\x00") {
		text := r.file(filepath.Join(root, name))
		if name == "Dockerfile" || strings.HasSuffix(name, "release.yml") {
			for old := range replaced {
				replaced[old] -= strings.Count(text, old)
			}
			text = baseDigest.ReplaceAllString(names.Replace(text), "")
		}
		r.write(filepath.Join(r.seed, name), text)
	}
	for old, left := range replaced {
		if left != 0 {
			r.t.Errorf("release.yml and Dockerfile have %q %d times less than this test replaces", old, left)
		}
	}
	// The real one compiles and tests everything, which is what runs this test.
	r.write(filepath.Join(r.seed, ".github", "workflows", "ci.yml"), "name: ci\non: {workflow_dispatch: {}}\npermissions: {}\n"+
		"jobs: {test: {runs-on: ubuntu-latest, timeout-minutes: 1, permissions: {}, steps: [{run: echo passed}]}}\n")
	r.run(filepath.Join(r.seed, "scripts", "release.sh")) // what a person runs before the pull request of a release
	if err := os.RemoveAll(filepath.Join(r.seed, "dist")); err != nil {
		r.t.Fatal(err)
	}
}

func (r *releasing) write(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *releasing) file(path string) string {
	r.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

func (r *releasing) read(name string) string {
	return strings.TrimSpace(r.file(filepath.Join(r.seed, name)))
}

func (r *releasing) run(program string, args ...string) string {
	r.t.Helper()
	env := append(slices.Clone(r.env), "HOME="+r.dir)
	out, err := process.Command{Path: program, Args: args, Dir: r.seed, Env: env}.Output(r.t.Context())
	if err != nil {
		r.t.Fatalf("%v\n%s %q", err, program, args)
	}
	return string(out)
}

func (r *releasing) crane(args ...string) string { return r.run(tooltest.Find(r.t, "crane"), args...) }

func (r *releasing) image() string { return r.stage.URLs().Registry + "/" + waybillRepo }

// again pushes the tag, for the first time or anew: it starts the workflow of the
// same commit, as GitHub's "Re-run all jobs" does.
func (r *releasing) again(tag string) {
	r.t.Helper()
	bare := r.stage.GitHub.GitDir(waybillRepo)
	token := r.stage.GitHub.CreateToken(githubd.Token{User: "alice"})
	to := strings.Replace(r.stage.URLs().Server, "://", "://x-access-token:"+token+"@", 1) + "/" + waybillRepo + ".git"
	if _, err := git.RunEnv(r.t.Context(), bare, r.env, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag); err == nil {
		r.git(bare, "push", "--quiet", to, ":refs/tags/"+tag)
	}
	r.git(bare, "push", "--quiet", to, "main:refs/tags/"+tag)
}

func (r *releasing) git(dir string, args ...string) {
	r.t.Helper()
	if _, err := git.RunEnv(r.t.Context(), dir, r.env, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *releasing) dispatch(workflow string) {
	r.t.Helper()
	token := r.stage.GitHub.CreateToken(githubd.Token{User: "alice"})
	if status := post(r.t, token, r.stage.URLs().API+"/repos/"+waybillRepo+"/actions/workflows/"+workflow+"/dispatches",
		`{"ref":"main"}`); status >= 300 {
		r.t.Fatalf("dispatch %s: %d", workflow, status)
	}
}

// ended waits for the last run, and wants its conclusion and words in its log.
func (r *releasing) ended(conclusion, says string) {
	r.t.Helper()
	if err := r.stage.GitHub.WaitIdle(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	runs := r.stage.GitHub.Runs(waybillRepo)
	last := runs[len(runs)-1]
	if log := r.file(last.Log); last.Conclusion != conclusion || !strings.Contains(log, says) {
		r.t.Fatalf("%s: %s %s, want %s and %q in\n%s", last.Path, last.Conclusion, last.Reason, conclusion, says, log)
	}
}

// holds wants every file that a release has.
func (r *releasing) holds(files map[string]string, version string) {
	r.t.Helper()
	want := []string{
		"checksums.txt", "install.sh", "waybill.rb", "gh-waybill", "waybill_" + version + "_man.tar.gz",
		"waybill_" + version + ".cdx.json", "waybill_" + version + ".spdx.json", "waybill_" + version + ".sigstore.json",
		"waybill_" + version + "_windows_amd64.tar.gz",
	}
	for _, program := range []string{"waybill", "waybill-scan", "waybill-sandbox", "sigstore-kms-waybill"} {
		for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
			want = append(want, program+"_"+version+"_"+platform+".tar.gz")
		}
	}
	for _, name := range want {
		if files[name] == "" {
			r.t.Errorf("the release has no %s", name)
		}
	}
	if len(files) != len(want) {
		r.t.Errorf("the release has %d files, want %d: %v", len(files), len(want), files)
	}
}

// verifies checks what users check: a file by the bundle, and the image by its tag's
// digest, both signed by the workflow at the tag.
func (r *releasing) verifies(files map[string]string, version string) {
	r.t.Helper()
	urls := r.stage.URLs()
	downloads := r.t.TempDir()
	for name, file := range files {
		r.write(filepath.Join(downloads, name), r.file(file))
	}
	root := filepath.Join(r.dir, "trusted_root.json")
	r.write(root, r.stage.Variables["WAYBILL_TRUSTED_ROOT"])
	identity := "https://github.com/" + waybillRepo + "/.github/workflows/release.yml@refs/tags/v" + version
	waybill := filepath.Join(tooltest.Root(r.t), "bin", "waybill")
	r.run(waybill, "verify", "--file", filepath.Join(downloads, "checksums.txt"), "--bundle",
		filepath.Join(downloads, "waybill_"+version+".sigstore.json"), "--trusted-root", root, "--signer", identity,
		"--issuer", urls.Issuer)
	digest := strings.TrimSpace(r.crane("digest", r.image()+":"+version))
	r.run(tooltest.Find(r.t, "cosign"), "verify", r.image()+"@"+digest, "--trusted-root", root, "--certificate-identity", identity,
		"--certificate-oidc-issuer", urls.Issuer, "--new-bundle-format", "--use-signed-timestamps", "--insecure-ignore-sct")
}

package rehearsal_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The application's run asks the config repository by dispatch, with a token
// that may do that alone, and waits for the answer; the config repository's own
// job token commits. The job that signs gets the identity of its workflow file.
const deliver = `
on:
  workflow_call: {secrets: {config-token: {required: true}}}
permissions: {}
jobs:
  sign:
    runs-on: ubuntu-latest
    permissions: {id-token: write}
    steps:
      - run: |
          token=$(curl -fsS -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sigstore" | sed 's/.*"value": *"\([^"]*\)".*/\1/')
          payload=$(echo "$token" | cut -d. -f2 | tr '_-' '/+'); while [ $(( ${#payload} % 4 )) != 0 ]; do payload="$payload="; done
          echo "signer $(echo "$payload" | base64 -d | sed 's/.*"job_workflow_ref":"\([^"]*\)".*/\1/')"
  ask:
    needs: sign
    runs-on: ubuntu-latest
    env: {TOKEN: "${{ secrets.config-token }}"}
    steps:
      - run: |
          api="$GITHUB_API_URL/repos/acme/config"
          id=$(curl -fsS -H "Authorization: Bearer $TOKEN" -d '{"ref":"main","return_run_details":true,"inputs":{"digest":"abc"}}' "$api/actions/workflows/bump.yml/dispatches" | sed 's/.*"workflow_run_id":\([0-9]*\).*/\1/')
          for i in $(seq 500); do
            conclusion=$(curl -fsS -H "Authorization: Bearer $TOKEN" "$api/actions/runs/$id" | sed -n 's/.*"conclusion":"\([a-z]*\)".*/\1/p')
            [ -z "$conclusion" ] || break; sleep 0.1
          done
          echo "bump run: $conclusion"; [ "$conclusion" = success ]
          curl -sS -o /dev/null -w "may write contents: %{http_code}\n" -H "Authorization: Bearer $TOKEN" -d '{"content":"x"}' "$api/git/blobs"
`

const bump = `
run-name: bump ${{ inputs.digest }}
on: {workflow_dispatch: {inputs: {digest: {required: true}}}}
permissions: {contents: write}
concurrency: bump
jobs:
  bump:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - env: {DIGEST: "${{ inputs.digest }}"}
        run: |
          echo "$DIGEST" > deployed && git add deployed
          git -c user.name=bot -c user.email=bot@example.com commit --quiet -m "Deploy $DIGEST" && git push --quiet
`

func TestRehearsal(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "curl")
	s, err := rehearsal.Start(t.Context(), rehearsal.Options{
		Dir: t.TempDir(), Act: tooltest.Find(t, "act"), Env: rehearsal.Environment(os.Getenv), Logf: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	create := func(name string, files map[string]string, secrets map[string]string) {
		t.Helper()
		dir := t.TempDir()
		for path, content := range files {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.GitHub.CreateRepository(t.Context(), githubd.Seed{Name: name, Dir: dir, Private: true, Secrets: secrets}); err != nil {
			t.Fatal(err)
		}
	}
	create(
		"acme/config",
		map[string]string{".github/workflows/deliver.yml": deliver, ".github/workflows/bump.yml": bump, "deployed": "nothing\n"},
		nil,
	)
	create("acme/app", map[string]string{
		".github/workflows/ci.yml": "on: {push: {branches: [main]}}\npermissions: {}\njobs: {deliver: {permissions: {id-token: " +
			"write}, uses: acme/config/.github/workflows/deliver.yml@main, secrets: {config-token: '${{ secrets.CONFIG_TOKEN }}'}}}\n",
	},
		map[string]string{"CONFIG_TOKEN": s.GitHub.CreateToken(githubd.Token{
			User: "deliverer", Repositories: []string{"acme/config"}, Permissions: map[string]string{"actions": "write"},
		})})

	dir := t.TempDir()
	url := strings.Replace(
		s.URLs().Server, "http://", "http://ada:"+s.GitHub.CreateToken(githubd.Token{User: "ada"})+"@", 1,
	) + "/acme/app.git"
	for _, args := range [][]string{
		{"clone", "--quiet", url, "."}, {"commit", "--quiet", "--allow-empty", "-m", "Feature"},
		{"push", "--quiet", "origin", "main"},
	} {
		if _, err := git.RunEnv(
			t.Context(), dir,
			[]string{
				"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=Ada",
				"GIT_COMMITTER_EMAIL=a@example.com",
			},
			args...,
		); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range s.GitHub.Runs("") {
		got = append(got, run.Repository+" "+run.Event+" "+run.Title+" "+run.Actor+" "+run.Conclusion+" "+run.Reason)
	}
	if want := "acme/app push Feature ada success \nacme/config workflow_dispatch bump abc deliverer success "; strings.Join(got, "\n") != want {
		t.Errorf("runs:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	log, _ := os.ReadFile(s.GitHub.Runs("acme/app")[0].Log)
	for _, want := range []string{
		"signer acme/config/.github/workflows/deliver.yml@refs/heads/main", "bump run: success", "may write contents: 403",
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if deployed, err := git.Run(t.Context(), s.GitHub.GitDir("acme/config"), "show", "main:deployed"); err != nil || deployed != "abc" {
		t.Errorf("deployed: %q, %v", deployed, err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	s, err := rehearsal.Start(t.Context(), rehearsal.Options{Dir: t.TempDir(), Act: "none"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(s.URLs().Registry + "/acme/app:x")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	digest, _ := image.Digest()
	if _, err := remote.Referrers(ref.Context().Digest(digest.String())); err != nil {
		t.Error(err)
	}
	if got, err := remote.Image(ref); err != nil {
		t.Error(err)
	} else if layers, err := got.Layers(); err != nil || len(layers) != 2 {
		t.Errorf("layers: %d, %v", len(layers), err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOME": "/home/ada", "PATH": "/bin", "GITHUB_TOKEN": "secret", "GOFLAGS": "-mod=mod"}
	got := strings.Join(rehearsal.Environment(func(name string) string { return env[name] }), " ")
	if want := "PATH=/bin GOCACHE=/home/ada/.cache/go-build GOMODCACHE=/home/ada/go/pkg/mod GOFLAGS=-mod=mod"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const (
	zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// race lets many processes bump different applications of one config
// repository at once. All must land, each as one commit of one line.
func race(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-race-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := rehearsal.Start(ctx, rehearsal.Options{
		Dir: filepath.Join(dir, "sandbox"), Act: "none", Env: rehearsal.Environment(getenv(e.env)),
	})
	if err != nil {
		return err
	}
	defer s.Close()
	image, key, err := signedImage(ctx, e, dir, s.URLs().Registry)
	if err != nil {
		return err
	}
	seed := filepath.Join(dir, "seed")
	if err := raceRepository(seed, image, key, e.writers); err != nil {
		return err
	}
	e.printf(
		"\n### %d processes bump one config repository at once\n\n| | landed | lost | commits | lines changed | all done after "+
			"|\n|---|---|---|---|---|---|\n",
		e.writers,
	)
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/plain", Dir: seed}); err != nil {
		return err
	}
	alone := racecourse{image, "git alone: clone, commit, push, and rebase until it lands", s.GitHub.GitDir("acme/plain"), 0}
	plain, err := e.compete(ctx, alone,
		func(i int) error {
			return pushByGit(ctx, filepath.Join(dir, fmt.Sprint("clone-", i)), alone.bare, i, image)
		})
	if err != nil {
		return err
	}
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/config", Dir: seed}); err != nil {
		return err
	}
	token := s.GitHub.CreateToken(githubd.Token{
		User: "bot", Repositories: []string{"acme/config"}, Permissions: map[string]string{"contents": "write"},
	})
	api := append(slices.Clone(e.env), "GITHUB_TOKEN="+token, "GITHUB_API_URL="+s.URLs().API, "GITHUB_SERVER_URL="+s.URLs().Server)
	bump := func(env []string, where ...string) func(i int) error {
		return func(i int) error { return e.bumpOnce(ctx, image, env, i, where) }
	}
	if _, err := e.compete(ctx, racecourse{image, "GitHub's API (stand-in)", s.GitHub.GitDir("acme/config"), plain},
		bump(api, "--repo", "acme/config")); err != nil {
		return err
	}
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/local", Dir: seed}); err != nil {
		return err
	}
	bare := s.GitHub.GitDir("acme/local")
	_, err = e.compete(ctx, racecourse{image, "a bare git repository", bare, plain}, bump(e.env, "--dir", bare))
	return err
}

func (e environment) bumpOnce(ctx context.Context, image imageref.Ref, env []string, i int, where []string) error {
	args := append([]string{"bump", image.String(), "--app", fmt.Sprintf("app-%d", i), "--env", "dev"}, where...)
	_, err := process.Command{Path: e.bin("waybill"), Env: env, Args: args}.Output(ctx)
	return err
}

// pushByGit changes the same line as a bump, as a script would that judges nothing.
func pushByGit(ctx context.Context, dir, bare string, i int, image imageref.Ref) error {
	who := git.Command{Dir: dir, Env: []string{
		"GIT_AUTHOR_NAME=bot", "GIT_AUTHOR_EMAIL=bot@example.com", "GIT_COMMITTER_NAME=bot", "GIT_COMMITTER_EMAIL=bot@example.com",
	}}
	run := func(args ...string) error {
		who.Args = args
		return who.Run(ctx)
	}
	if _, err := git.Run(ctx, filepath.Dir(dir), "clone", "--quiet", "--depth=1", "file://"+bare, dir); err != nil {
		return err
	}
	file := filepath.Join(dir, fmt.Sprintf("apps/app-%d/overlays/dev/kustomization.yaml", i))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(zeros), []byte(image.Digest()), 1), 0o600); err != nil {
		return err
	}
	if err := run("commit", "--quiet", "--all", "--message=bump"); err != nil {
		return err
	}
	for {
		if err := run("push", "--quiet", "origin", "HEAD:main"); err == nil || ctx.Err() != nil {
			return err
		}
		if err := run("pull", "--quiet", "--rebase", "origin", "main"); err != nil {
			return err
		}
	}
}

func getenv(env []string) func(string) string {
	return func(name string) string {
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// signedImage pushes an image and signs it with a key of its own.
func signedImage(ctx context.Context, e environment, dir, host string) (imageref.Ref, string, error) {
	repository, err := imageref.ParseRepository(host + "/acme/app")
	if err != nil {
		return imageref.Ref{}, "", err
	}
	image, err := registry.New(registry.Options{}).PushImage(ctx, repository, empty.Image)
	if err != nil {
		return imageref.Ref{}, "", err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return imageref.Ref{}, "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return imageref.Ref{}, "", err
	}
	file := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return imageref.Ref{}, "", err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return imageref.Ref{}, "", err
	}
	_, err = process.Command{Path: e.bin("waybill"), Env: e.env, Args: []string{"sign", image.String(), "--key", file}}.Output(ctx)
	return image, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), err
}

func raceRepository(dir string, image imageref.Ref, key string, writers int) error {
	var config strings.Builder
	config.WriteString("apiVersion: waybill.dev/v1\nenvironments: [{name: dev, promotion: auto}]\napps:\n")
	files := map[string]string{"base/kustomization.yaml": "resources: [deployment.yaml]\n",
		"base/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {template: {spec: {containers: " +
			"[{name: app, image: app}]}}}\n"}
	for i := range writers {
		fmt.Fprintf(&config, "  app-%d: {image: %q}\n", i, image.Repository())
		files[fmt.Sprintf(
			"apps/app-%d/overlays/dev/kustomization.yaml", i,
		)] = fmt.Sprintf(
			"# app-%d\nresources: [../../../../base]\nimages:\n  - name: app\n    newName: %s\n    digest: %s\n", i,
			image.Repository(), zeros,
		)
	}
	fmt.Fprintf(
		&config, "policy:\n  require: [signature]\n  keys:\n    - |\n      %s\n",
		strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n      "),
	)
	files["waybill.yaml"] = config.String()
	data := make(map[string][]byte, len(files))
	for name, text := range files {
		data[name] = []byte(text)
	}
	return writeFiles(dir, data)
}

// racecourse is a config repository, and how long a peer took.
type racecourse struct {
	image imageref.Ref
	title string
	bare  string        // directory
	peer  time.Duration // 0 is none
}

// compete lets as many writers run at once, and counts what has come to the repository.
func (e environment) compete(ctx context.Context, on racecourse, write func(i int) error) (time.Duration, error) {
	begin := time.Now()
	failures := make([]error, e.writers)
	var wg sync.WaitGroup
	for i := range e.writers {
		wg.Go(func() { failures[i] = write(i) })
	}
	wg.Wait()
	took := time.Since(begin)
	landed := 0
	for i := range e.writers {
		text, err := git.Run(ctx, on.bare, "show", fmt.Sprintf("main:apps/app-%d/overlays/dev/kustomization.yaml", i))
		if err != nil {
			return 0, err
		}
		if strings.Contains(text, on.image.Digest()) {
			landed++
		}
	}
	commits, err := git.Run(ctx, on.bare, "rev-list", "--count", "main")
	if err != nil {
		return 0, err
	}
	stat, err := git.Run(ctx, on.bare, "log", "--format=", "--numstat", "main")
	if err != nil {
		return 0, err
	}
	lines := map[string]int{}
	for line := range strings.Lines(stat) {
		if fields := strings.Fields(line); len(fields) == 3 && strings.Contains(fields[2], "overlays") {
			lines[fields[0]+"+/"+fields[1]+"-"]++
		}
	}
	figure := milliseconds(took)
	if on.peer > 0 {
		figure += fmt.Sprintf(", %.1f times git alone", took.Seconds()/on.peer.Seconds())
	}
	e.printf(
		"| %s | %d of %d | %d | %s and the first | %d × 1+/1- | %s |\n", on.title, landed, e.writers, e.writers-landed,
		fmt.Sprint(atoi(commits)-1), lines["1+/1-"], figure,
	)
	if err := errors.Join(failures...); err != nil {
		return 0, err
	}
	return took, same("applications that landed, each by a commit of one line", landed, lines["1+/1-"], e.writers)
}

func atoi(text string) int {
	n := 0
	fmt.Sscan(text, &n)
	return n
}

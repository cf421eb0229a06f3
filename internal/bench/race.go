package main

import (
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
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/config", Dir: seed}); err != nil {
		return err
	}
	token := s.GitHub.CreateToken(githubd.Token{
		User: "bot", Repositories: []string{"acme/config"}, Permissions: map[string]string{"contents": "write"},
	})
	api := append(slices.Clone(e.env), "GITHUB_TOKEN="+token, "GITHUB_API_URL="+s.URLs().API, "GITHUB_SERVER_URL="+s.URLs().Server)
	if err := e.bumpAll(ctx, image, racecourse{
		"GitHub's API (stand-in)", api, []string{"--repo", "acme/config"}, s.GitHub.GitDir("acme/config"),
	}); err != nil {
		return err
	}
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/local", Dir: seed}); err != nil {
		return err
	}
	bare := s.GitHub.GitDir("acme/local")
	return e.bumpAll(ctx, image, racecourse{"a bare git repository", e.env, []string{"--dir", bare}, bare})
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

// racecourse is a config repository, and how waybill bump is told of it.
type racecourse struct {
	title      string
	env, where []string
	bare       string // directory
}

func (e environment) bumpAll(ctx context.Context, image imageref.Ref, on racecourse) error {
	begin := time.Now()
	failures := make([]error, e.writers)
	var wg sync.WaitGroup
	for i := range e.writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			args := append([]string{"bump", image.String(), "--app", fmt.Sprintf("app-%d", i), "--env", "dev"}, on.where...)
			_, failures[i] = process.Command{Path: e.bin("waybill"), Env: on.env, Args: args}.Output(ctx)
		}()
	}
	wg.Wait()
	took := time.Since(begin)
	landed := 0
	for i := range e.writers {
		text, err := git.Run(ctx, on.bare, "show", fmt.Sprintf("main:apps/app-%d/overlays/dev/kustomization.yaml", i))
		if err != nil {
			return err
		}
		if strings.Contains(text, image.Digest()) {
			landed++
		}
	}
	commits, err := git.Run(ctx, on.bare, "rev-list", "--count", "main")
	if err != nil {
		return err
	}
	stat, err := git.Run(ctx, on.bare, "log", "--format=", "--numstat", "main")
	if err != nil {
		return err
	}
	lines := map[string]int{}
	for line := range strings.Lines(stat) {
		if fields := strings.Fields(line); len(fields) == 3 && strings.Contains(fields[2], "overlays") {
			lines[fields[0]+"+/"+fields[1]+"-"]++
		}
	}
	e.printf(
		"| %s | %d of %d | %d | %s and the first | %d × 1+/1- | %s |\n", on.title, landed, e.writers, e.writers-landed,
		fmt.Sprint(atoi(commits)-1), lines["1+/1-"], milliseconds(took),
	)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return same("applications that landed, each by a commit of one line", landed, lines["1+/1-"], e.writers)
}

func atoi(text string) int {
	n := 0
	fmt.Sscan(text, &n)
	return n
}

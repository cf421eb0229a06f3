package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// fleetEnvironments are those of the large repository.
var fleetEnvironments = []string{"dev", "staging", "prod-eu", "prod-us"}

// peerShare is the part of the places that the peer looks at: it takes minutes for
// all of them.
const peerShare = 20

// statusOfMany says since when each place runs what it runs, in a repository with a
// long history; the peer asks git log for each place, as a script does.
func statusOfMany(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-status-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := longHistory(ctx, dir, e.places, e.commits); err != nil {
		return err
	}
	told, asked := 0, 0
	ours := func() (err error) {
		told, err = e.toldByStatus(ctx, dir)
		return err
	}
	share := max(1, e.places/peerShare)
	peer := func() error {
		asked = 0
		for i := range share {
			for _, env := range fleetEnvironments {
				out, err := git.Run(ctx, dir, "log", "-1", "--format=%cI", "main", "--", overlayOf(i, env))
				if err != nil {
					return err
				}
				if out != "" {
					asked++
				}
			}
		}
		return nil
	}
	a, b, err := alternate(e.runs(3), ours, peer)
	if err != nil {
		return err
	}
	if err := same("places", told/e.places, asked/share, len(fleetEnvironments)); err != nil {
		return err
	}
	for i := range b {
		b[i] = time.Duration(float64(b[i]) * float64(e.places) / float64(share))
	}
	e.compare(
		fmt.Sprintf(
			"Since when each of %d places runs what it runs, in a history of %d commits", e.places*len(fleetEnvironments),
			e.commits,
		),
		"`waybill status`, which also says how far behind each is", fmt.Sprintf("`git log` for each place, as a script "+
			"does (run for %d of them, and scaled)", share*len(fleetEnvironments)), a, b,
	)
	return nil
}

// toldByStatus counts the places of which status says since when.
func (e environment) toldByStatus(ctx context.Context, dir string) (told int, err error) {
	out, err := process.Command{
		Path: e.bin("waybill"), Args: []string{"status", "--dir", dir, "--format", "json"}, Env: e.env,
	}.Output(ctx)
	if err != nil {
		return 0, err
	}
	var table struct {
		Apps []struct {
			Environments []struct{ Since string }
		}
	}
	if err := json.Unmarshal(out, &table); err != nil {
		return 0, fmt.Errorf("read what status prints: %w", err)
	}
	for _, app := range table.Apps {
		for _, place := range app.Environments {
			if place.Since != "" {
				told++
			}
		}
	}
	return told, nil
}

func overlayOf(app int, env string) string {
	return fmt.Sprintf("apps/app-%d/overlays/%s/kustomization.yaml", app, env)
}

// longHistory makes a repository of applications in which each commit brings a
// digest to a place, in turn.
func longHistory(ctx context.Context, dir string, apps, commits int) error {
	if _, err := git.Run(ctx, dir, "init", "--quiet", "--bare", "--initial-branch=main", "."); err != nil {
		return err
	}
	stream, err := os.Create(filepath.Join(dir, "stream"))
	if err != nil {
		return err
	}
	defer stream.Close()
	var config strings.Builder
	config.WriteString("apiVersion: waybill.dev/v1\nenvironments:\n")
	for _, env := range fleetEnvironments {
		fmt.Fprintf(&config, "  - {name: %s}\n", env)
	}
	config.WriteString("apps:\n")
	for i := range apps {
		fmt.Fprintf(&config, "  app-%d: {image: ghcr.io/acme/app-%d}\n", i, i)
	}
	file := func(name, text string) {
		fmt.Fprintf(stream, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
	}
	commit := func(n int, message string) {
		fmt.Fprintf(stream, "commit refs/heads/main\ncommitter bench <bench@example.com> %d +0000\ndata %d\n%s\n",
			1_700_000_000+600*n, len(message), message)
	}
	overlay := func(app, env, version int) {
		digest := sha256.Sum256(fmt.Append(nil, app, env, version))
		file(overlayOf(app, fleetEnvironments[env]), fmt.Sprintf(
			"resources: [../../base]\nimages:\n  - name: ghcr.io/acme/app-%d\n    digest: sha256:%x\n", app, digest,
		))
	}
	commit(0, "Begin")
	file("waybill.yaml", config.String())
	for app := range apps {
		for env := range fleetEnvironments {
			overlay(app, env, 0)
		}
	}
	for n := 1; n <= commits; n++ {
		commit(n, "deploy")
		overlay(n*7919%apps, n%len(fleetEnvironments), n)
	}
	if _, err := stream.Seek(0, 0); err != nil {
		return err
	}
	return git.Command{Dir: dir, Args: []string{"fast-import", "--quiet"}, Stdin: stream}.Run(ctx)
}

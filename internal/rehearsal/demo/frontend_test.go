package demo_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/demo"
)

// frontendFollows holds the second application against what should have come of
// it: BuildKit built it, and Helm renders it, beside the first one.
func frontendFollows(ctx context.Context, t *testing.T, s *rehearsal.Sandbox, tools string) {
	t.Helper()
	if err := demo.Supported(tools); err != nil {
		t.Logf("the frontend is not delivered: %v", err)
		return
	}
	runs := s.GitHub.Runs("acme/frontend")
	if len(runs) != 1 || runs[0].Conclusion != "success" {
		t.Fatalf("the frontend's runs: %+v", runs)
	}
	log, err := os.ReadFile(runs[0].Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"buildkit  Dockerfile:8: RUN", "RUN npm run build", "| ok"} {
		if !strings.Contains(string(log), says) {
			t.Errorf("the frontend's log lacks %q:\n%s", says, log)
		}
	}
	copied(ctx, t, s, string(log))
	for name, overlay := range map[string]string{
		"backend": "apps/backend/overlays/dev/kustomization.yaml", "frontend": "apps/frontend/overlays/dev/values.yaml",
	} {
		change, err := git.RunEnv(
			ctx, s.GitHub.GitDir("acme/config"), rehearsal.Environment(os.Getenv), "log", "--grep=^bump "+name+" in dev",
			"--format=", "--numstat", "main",
		)
		if err != nil || strings.Join(strings.Fields(change), " ") != "1 1 "+overlay {
			t.Errorf("the bump of %s changed %q, %v; want one line of %s", name, change, err, overlay)
		}
	}
	for _, p := range s.GitHub.Pulls("acme/config") {
		if p.HeadRef != "waybill/staging/frontend" {
			continue
		}
		if statuses := s.GitHub.Statuses("acme/config", p.HeadSHA); len(statuses) != 1 || statuses[0].State != "success" ||
			!regexp.MustCompile(`frontend: dev → staging`).MatchString(p.Title) {
			t.Errorf("%s: %+v", p.Title, statuses)
		}
		return
	}
	t.Error("the frontend's promotion is not open")
}

// copied sees that the image is in the second repository too, signed and tagged
// by the same jobs.
func copied(ctx context.Context, t *testing.T, s *rehearsal.Sandbox, log string) {
	t.Helper()
	client, host := registry.New(registry.Options{}), s.URLs().Registry
	first, err := client.Resolve(ctx, host+"/acme/frontend:main")
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.Resolve(ctx, host+"/"+demo.Copy+":main")
	if err != nil || second.Digest() != first.Digest() {
		t.Errorf("the copy's tag names %s, %v; want %s", second, err, first)
	}
	for _, image := range []imageref.Ref{first, second} {
		if says := "verified " + image.Short() + " in " + image.Repository() + ", signed by "; !strings.Contains(log, says) {
			t.Errorf("the frontend's log lacks %q", says)
		}
	}
}

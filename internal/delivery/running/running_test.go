package running_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func report(findings ...evidence.Finding) evidence.ScanReport {
	return evidence.ScanReport{Platforms: []evidence.PlatformScan{{Platform: "linux/amd64", Findings: findings}}}
}

// Each digest is scanned once and judged by the policy of each place that it runs in.
func TestLook(t *testing.T) {
	t.Parallel()
	files := configrepotest.Files("demo-api", "demo-web", "extra")
	configrepotest.Both(t, files, func(t *testing.T, r *configrepotest.Repo) {
		r.Deploy(t, "main", "prod", "demo-api", demo(1))
		r.Deploy(t, "main", "staging", "demo-api", demo(2))
		r.Deploy(t, "main", "dev", "demo-api", demo(2))
		r.Deploy(t, "main", "dev", "demo-web", evidencetest.Ref("demo-web", 1))
		r.Write(t, "main", "tag", map[string]string{
			configrepotest.Overlay("extra", "prod"): "images:\n  - name: ghcr.io/acme/extra\n    newTag: v1\n",
		})
		scans := make(map[imageref.Ref]int)
		got, err := running.Look(t.Context(), r, running.Request{
			Branch: "main", Now: r.Clock.Now(),
			Bases: func(context.Context, imageref.Ref, evidence.Policy, [][]byte) ([]running.Base, error) {
				return nil, nil
			},
			Scan: func(_ context.Context, image imageref.Ref, _ string, _ []byte) (evidence.ScanReport, error) {
				scans[image]++
				switch image {
				case demo(1):
					return report(
						evidence.Finding{ID: "CVE-1", Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.High},
						evidence.Finding{ID: "CVE-2", Package: "musl", FixedVersion: "2", Severity: evidence.Critical},
						evidence.Finding{ID: "CVE-3", Package: "zlib", Severity: evidence.Low},
					), nil
				case demo(2):
					found := report(evidence.Finding{
						ID: "CVE-1", Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.High,
					})
					found.Platforms[0].Secrets = []evidence.Secret{{Rule: "aws-access-key-id", Target: "/app/.env", Line: 3}}
					return found, nil
				}
				return evidence.ScanReport{}, errors.New("the registry does not answer")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(scans) != 3 || scans[demo(2)] != 1 {
			t.Errorf("scanned: %v, want each digest once", scans)
		}
		var lines []string
		for _, a := range got.Apps {
			for _, f := range a.Findings {
				lines = append(lines, fmt.Sprintf("%s %s %s %s", a.App, f.Severity, f.ID, strings.Join(f.Environments, ",")))
			}
			for _, n := range append(a.Notes, a.Problems...) {
				lines = append(lines, a.App+" "+n)
			}
		}
		want := []string{
			"demo-api critical CVE-2 prod", "demo-api high CVE-1 dev,staging,prod",
			"demo-api dev: 1 secret in the image: aws-access-key-id (/app/.env:3)",
			"demo-api staging: 1 secret in the image: aws-access-key-id (/app/.env:3)",
			"demo-web dev: scan " + evidencetest.Ref("demo-web", 1).Short() + ": the registry does not answer",
			"extra prod: ghcr.io/acme/extra is named by the tag v1, which can be moved: name a digest",
		}
		if strings.Join(lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		if err := got.Broken(); err == nil || !strings.Contains(err.Error(), "2 places of what runs could not be scanned") ||
			!strings.Contains(err.Error(), "demo-web in dev: scan") {
			t.Errorf("broken: %v", err)
		}
		if text := got.Markdown(); !strings.Contains(text, "1 critical, 1 high, 2 notes") ||
			!strings.Contains(text, "1 place not scanned") {
			t.Errorf("the report says\n%s", text)
		}
	})
}

// What signers of the policy attested is matched in place of layers. What the database
// does not change is that of the attested scan.
func TestFromSBOM(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api", "demo-web"), func(t *testing.T, r *configrepotest.Repo) {
		web := evidencetest.Ref("demo-web", 1)
		r.Deploy(t, "main", "dev", "demo-api", demo(1))
		r.Deploy(t, "main", "prod", "demo-api", demo(1))
		r.Deploy(t, "main", "dev", "demo-web", web)
		then := report(evidence.Finding{ID: "CVE-0", Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.Critical})
		then.Platforms[0].Digest, then.Checked = "sha256:1", []string{evidence.CheckSecrets}
		then.Platforms[0].Secrets = []evidence.Secret{{Rule: "aws-access-key-id", Target: "/app/.env", Line: 3}}
		var asked, said []string
		got, err := running.Look(t.Context(), r, running.Request{
			Branch: "main", Now: r.Clock.Now(), Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			Bases: func(context.Context, imageref.Ref, evidence.Policy, [][]byte) ([]running.Base, error) {
				return nil, nil
			},
			Attested: func(_ context.Context, image imageref.Ref, _ evidence.Policy, _ [][]byte) (running.Attested, error) {
				if image == web {
					return running.Attested{}, errors.New("nobody attested it")
				}
				return running.Attested{BOM: []byte("the SBOM"), Scan: then}, nil
			},
			Scan: func(_ context.Context, image imageref.Ref, _ string, bom []byte) (evidence.ScanReport, error) {
				asked = append(asked, image.Short()+" by "+string(bom))
				now := report(evidence.Finding{
					ID: "CVE-9", Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.High,
				})
				now.Platforms[0].Digest = "sha256:1"
				return now, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{demo(1).Short() + " by the SBOM", web.Short() + " by "}; !slices.Equal(asked, want) {
			t.Errorf("scanned %q, want %q", asked, want)
		}
		if want := []string{"note     the layers of " + web.Short() + " are read: nobody attested it"}; !slices.Equal(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
		api := got.Apps[0]
		if len(api.Findings) != 1 || api.Findings[0].ID != "CVE-9" || !slices.Equal(api.Findings[0].Environments, []string{"dev", "prod"}) {
			t.Errorf("found %+v, want today's finding alone", api.Findings)
		}
		if want := "dev: 1 secret in the image: aws-access-key-id (/app/.env:3)"; !slices.Contains(api.Notes, want) {
			t.Errorf("notes are %q, want the secret of the attested scan", api.Notes)
		}
		if notes := got.Apps[1].Notes; len(notes) > 0 {
			t.Errorf("another image has the notes %q", notes)
		}
	})
}

// What a newer base image would fix by itself is said, and nothing else of it.
func TestRebuilds(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		r.Deploy(t, "main", "dev", "demo-api", demo(1))
		r.Deploy(t, "main", "prod", "demo-api", demo(1))
		was, now, gone := evidencetest.Ref("base", 1), evidencetest.Ref("base", 2), evidencetest.Ref("base", 3)
		finding := func(id, name string) evidence.Finding {
			return evidence.Finding{ID: id, Package: name, Version: "3.0", FixedVersion: "3.1", Severity: evidence.Critical}
		}
		fromBase, stays, own := finding("CVE-1", "openssl"), finding("CVE-2", "openssl"), finding("CVE-3", "left-pad")
		base := func(findings ...evidence.Finding) evidence.ScanReport {
			report := report(findings...)
			report.Platforms[0].Packages = []evidence.Package{{Name: "openssl", Version: "3.0"}}
			return report
		}
		var said, asked []string
		got, err := running.Look(t.Context(), r, running.Request{
			Branch: "main", Now: r.Clock.Now(), Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			Scan: func(_ context.Context, image imageref.Ref, host string, _ []byte) (evidence.ScanReport, error) {
				asked = append(asked, image.Short()+" with the login of "+host)
				switch image {
				case demo(1):
					return report(fromBase, stays, own), nil
				case was:
					return base(fromBase, stays), nil
				case now:
					return base(stays), nil
				}
				return evidence.ScanReport{}, errors.New("it is gone")
			},
			Bases: func(context.Context, imageref.Ref, evidence.Policy, [][]byte) ([]running.Base, error) {
				return []running.Base{{Name: "alpine:3.22", Was: was, Now: now}, {Name: "golang:1.26", Was: gone, Now: now}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []running.Rebuild{{Base: "alpine:3.22", Was: was.Digest(), Now: now.Digest(), Fixes: []string{"CVE-1 openssl"}}}
		if diff := cmp.Diff(want, got.Apps[0].Rebuilds); diff != "" {
			t.Error(diff)
		}
		if text := got.Apps[0].Body(10000); !strings.Contains(text, "Built again, on today's `alpine:3.22`") ||
			!strings.Contains(text, "it loses 1 finding: CVE\\-1 openssl") && !strings.Contains(text, "it loses 1 finding: CVE-1 openssl") {
			t.Errorf("the issue says\n%s", text)
		}
		if len(said) != 1 || !strings.Contains(said[0], "base image golang:1.26 was not compared with today's: it is gone") {
			t.Errorf("said %q", said)
		}
		for _, line := range asked {
			if !strings.HasSuffix(line, "of "+demo(1).Registry()) {
				t.Errorf("scanned %s", line)
			}
		}
		if err := got.Broken(); err != nil {
			t.Errorf("a base image that is gone is no trouble: %v", err)
		}
	})
}

// An issue per application is opened, edited, left, closed and opened again.
func TestIssues(t *testing.T) {
	t.Parallel()
	const name = "acme/config"
	server := githubtest.Start(t, sandbox.Options{})
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: name}); err != nil {
		t.Fatal(err)
	}
	api, err := github.New(github.Options{
		Token:  server.CreateToken(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "issues": "write"}}),
		APIURL: server.APIURL(), ServerURL: server.URL(), Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := github.ParseRepository(name)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(all bool, apps ...running.App) *running.Report {
		t.Helper()
		r := &running.Report{Apps: apps, All: all}
		if err := running.Keep(t.Context(), api, repo, "running", r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	finding := func(id, env string) running.Finding {
		return running.Finding{
			ID: id, Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.High, Environments: []string{env},
		}
	}
	api1 := running.App{App: "demo-api", Source: "acme/demo-api", Findings: []running.Finding{finding("CVE-1", "prod")}}
	more := api1
	more.Findings = append(more.Findings, finding("CVE-2", "dev"))
	unknown := running.App{App: "demo-api", Problems: []string{"prod: the registry does not answer"}}
	nothing := running.App{App: "demo-api"}
	hostile := running.App{App: "web", Notes: []string{"::error::x\n##[error] <!-- --> @acme/all | `x`"}}
	for i, step := range []struct {
		app          running.App
		action, want string
	}{
		{nothing, "", ""},
		{api1, "opened", "1 open Found in what runs of demo-api: 1 high"},
		{api1, "unchanged", "1 open Found in what runs of demo-api: 1 high"},
		{more, "updated", "1 open Found in what runs of demo-api: 2 high"},
		{unknown, "left as it is", "1 open Found in what runs of demo-api: 2 high"},
		{nothing, "closed", "1 closed Found in what runs of demo-api: 2 high"},
		{nothing, "", "1 closed Found in what runs of demo-api: 2 high"},
		{api1, "reopened", "1 open Found in what runs of demo-api: 1 high"},
	} {
		got := ""
		if kept := keep(true, step.app).Apps[0].Issue; kept != nil {
			got = kept.Action
		}
		var list []string
		for _, issue := range server.Issues(name) {
			list = append(list, fmt.Sprintf("%d %s %s", issue.Number, issue.State, issue.Title))
		}
		if got != step.action || strings.Join(list, "\n") != step.want {
			t.Errorf("step %d: %q, %q; want %q, %q", i, got, list, step.action, step.want)
		}
	}
	body := server.Issues(name)[0].Body
	for _, want := range []string{"CVE-1", "`openssl 3.0`", "`3.1`", "prod", "`acme/demo-api`", "policy.waivers"} {
		if !strings.Contains(body, want) {
			t.Errorf("the issue lacks %q:\n%s", want, body)
		}
	}
	keep(false, hostile) // one application alone closes no other's issue
	issues := server.Issues(name)
	if issues[0].State != "open" {
		t.Error("the issue of another application is closed")
	}
	if text := issues[1].Body; strings.Contains(text, "\n::error") || strings.Contains(text, "##[error]") ||
		strings.Count(text, "<!--") != 1 {
		t.Errorf("text from outside is taken as more than text:\n%s", text)
	}
	elsewhere := &running.Report{Apps: []running.App{api1}, All: true, Dir: "deploy/other"}
	if err := running.Keep(t.Context(), api, repo, "running", elsewhere); err != nil {
		t.Fatal(err)
	}
	if got := server.Issues(name); len(got) != 3 || got[0].State != "open" || got[1].State != "open" {
		t.Errorf("another directory of the repository has no issue of its own, or closes others: %+v", got)
	}
	keep(true, api1)
	if got := server.Issues(name)[2].State; got != "open" {
		t.Errorf("the issue of another directory is %s", got)
	}
	if got := server.Issues(name)[1].State; got != "closed" {
		t.Errorf("the issue of an application that is no more is %s", got)
	}
}

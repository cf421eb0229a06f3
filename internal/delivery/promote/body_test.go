package promote_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// listing is a forge whose source repository has these commits.
type listing struct {
	pulls.Forge
	commits []rules.Commit
}

func (l listing) Commits(context.Context, string, string, string) ([]rules.Commit, int, bool, error) {
	return l.commits, len(l.commits), true, nil
}

func (l listing) Link(repository, commit string) string {
	return "https://github.com/" + repository + "/commit/" + commit
}

// hostile are texts that others choose: commit subjects, package names,
// findings.
var hostile = []string{
	"Fix | pipes and `back` ```ticks```",
	"<img src=x onerror=alert(1)> </details></summary> <!-- hide",
	"@acme/everyone look, fixes #1, [click](https://evil.example) ![x](https://evil.example/x.png)",
	"# Heading\n\n| a | b |\n|---|---|\n- [x] **Approved** ✅",
	"\u202eesrever\u202c & \x1b[31mred",
}

// body promotes from staging to prod and gives the pull request's text.
func body(t *testing.T, now, next evidencetest.Image, commits []rules.Commit) (title string, p promote.Promotion) {
	t.Helper()
	w := newWorld(t)
	w.images.Push(now)
	w.images.Push(next)
	w.Deploy(t, "main", "prod", "demo-api", demo(now.N))
	w.Deploy(t, "main", "staging", "demo-api", demo(next.N))
	w.Clock.Pass(26 * time.Hour)
	promoter := w.promoter()
	promoter.Forge = listing{Forge: w.forge, commits: commits}
	promotions, err := promoter.Run(t.Context(), promote.Request{To: "prod", Branch: "main"})
	if err != nil || len(promotions) != 1 || promotions[0].State != promote.Opened {
		t.Fatalf("got %+v, %v", promotions, err)
	}
	pull := w.pull(t, 1)
	if pull.Body != promotions[0].Body {
		t.Errorf("the pull request has another body:\n%s", cmp.Diff(promotions[0].Body, pull.Body))
	}
	return pull.Title, promotions[0]
}

func finding(id string, severity evidence.Severity) evidence.Finding {
	return evidence.Finding{ID: id, Package: "openssl", Version: "3.3.1", Severity: severity}
}

func TestBody(t *testing.T) {
	t.Parallel()
	commits := func(subjects ...string) (list []rules.Commit) {
		for i, s := range subjects {
			sha := fmt.Sprintf("%040x", i+1)
			list = append(list, rules.Commit{SHA: sha, Subject: s, Author: "ada", URL: "https://github.com/acme/demo-api/commit/" + sha})
		}
		return list
	}
	now, next := image(1), image(2)
	now.Packages = []evidence.Package{{Name: "openssl", Version: "3.3.1", Type: "debian"}, {Name: "zlib", Version: "1.3", Type: "debian"}}
	now.Findings = []evidence.Finding{finding("CVE-2026-1234", evidence.High), finding("CVE-2026-2345", evidence.Medium)}
	next.Packages = []evidence.Package{{Name: "openssl", Version: "3.3.2", Type: "debian"}, {Name: "curl", Version: "8.9", Type: "debian"}}
	next.Findings = []evidence.Finding{finding("CVE-2026-2345", evidence.Medium)}
	next.Base = "gcr.io/distroless/static:nonroot"
	nasty := next
	nasty.Base = "evil.example/`x`|y@z"
	for _, text := range hostile {
		nasty.Packages = append(nasty.Packages, evidence.Package{Name: text, Version: text, Type: "npm"})
		nasty.Findings = append(nasty.Findings, finding(text, evidence.Low))
	}
	for name, test := range map[string]struct {
		next    evidencetest.Image
		commits []rules.Commit
	}{
		"ready": {next, commits("Answer faster", "Add a task list", "Begin")},
		"hostile": {nasty, append(commits(hostile...), rules.Commit{
			SHA: strings.Repeat("e", 40), Subject: "A link", Author: "<b>@eve</b>", URL: "javascript:alert(1)",
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			title, p := body(t, now, test.next, test.commits)
			got := title + "\n\n" + p.Body
			golden := filepath.Join("testdata", "body_"+name+".md")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("body (-want +got; -update writes it anew):\n%s", diff)
			}
			// What the golden file cannot say by itself.
			for _, bad := range []string{
				"<img", "</details></summary>", "<!-- hide", "](https://evil.example", "](javascript:", "\n# ", "\n- [x]", "\u202e",
				"\x1b", "@acme/everyone", "@eve",
			} {
				if strings.Contains(p.Body, bad) {
					t.Errorf("the body holds %q", bad)
				}
			}
			at := -1
			for _, section := range []string{
				"**Ready to promote.**", "| digest |", "**signature**", "**provenance**", "**scan**", "Packages: ",
				"from acme/demo-api</summary>", "What changes in the cluster", "**order**", "**soak**", "**review**",
				"Roll back after merging",
			} {
				i := strings.Index(p.Body, section)
				if i <= at {
					t.Errorf("%q is missing or out of order", section)
				}
				at = i
			}
		})
	}
}

// What does not fit goes whole to the overflow, and the body says so. The
// verdict and the way back are always there.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	now, next := image(1), image(2)
	now.Packages = []evidence.Package{{Name: "only", Version: "1", Type: "npm"}}
	for i := range 2000 {
		next.Packages = append(next.Packages, evidence.Package{
			Name: fmt.Sprintf("päckage-%d-%s", i, strings.Repeat("x", 40)), Version: "1", Type: "npm",
		})
	}
	commits := []rules.Commit{{
		SHA: strings.Repeat("1", 40), Subject: "Small", Author: "ada", URL: "https://github.com/acme/demo-api/commit/1",
	}}
	_, p := body(t, now, next, commits)
	if n := utf8.RuneCountInString(p.Body); n > 65536 {
		t.Errorf("the body has %d characters", n)
	}
	if !strings.Contains(p.Overflow, "päckage-1999-") || strings.Contains(p.Body, "päckage-") {
		t.Error("the long section is not whole in the overflow alone")
	}
	for _, want := range []string{
		"**Ready to promote.**", "1 commit from acme/demo-api", "What changes in the cluster", "Not all of it fits here",
		"Roll back after merging",
	} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the body lacks %q", want)
		}
	}
	// A single line that is longer than everything.
	next = image(2)
	next.Base = strings.Repeat("long/", 20_000)
	_, p = body(t, image(1), next, commits)
	if n := utf8.RuneCountInString(p.Body); n > 65536 || !strings.Contains(p.Body, "**signature**") ||
		!strings.Contains(p.Body, "Roll back after merging") || !strings.Contains(p.Overflow, "long/long/") {
		t.Errorf("with a line that fits nowhere the body has %d characters:\n%.2000s", n, p.Body)
	}
}

// The first deployment compares with nothing.
func TestBodyOfTheFirstDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	got := w.pull(t, 1).Body
	for _, want := range []string{
		"| digest | — | `" + demo(1).Digest() + "` |", "| source | — |", "**forward** nothing was deployed before",
		"image built once, signed, scanned 2026-11-20 12:01 UTC.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the body lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Packages") {
		t.Errorf("it compares with nothing:\n%s", got)
	}
}

// The verdict says what is proven, and no more: a policy may require neither signature nor
// provenance.
func TestBodySaysWhatIsProven(t *testing.T) {
	t.Parallel()
	for want, without := range map[string][]evidence.Kind{
		"**staging**, image built once, signed, scanned":               nil,
		"**staging**, image built once, without signature, scanned":    {evidence.Signature},
		"**staging**, image signed, without provenance, scanned":       {evidence.Provenance},
		"**staging**, image without signature and provenance, scanned": {evidence.Signature, evidence.Provenance},
		"**staging**, image without signature and provenance.":         evidence.Kinds(),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			begin := files()
			begin["waybill.yaml"] = strings.NewReplacer("policy:\n", "policy:\n  require: []\n", ", source: acme/demo-api", "").Replace(
				begin["waybill.yaml"],
			)
			w := worldOf(t, begin)
			bare := image(1)
			bare.Without = without
			w.images.Push(bare)
			w.run(t, promote.Opened)
			if got := w.pull(t, 1).Body; !strings.Contains(got, want) {
				t.Errorf("the body lacks %q:\n%s", want, got)
			}
		})
	}
}

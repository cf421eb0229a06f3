package main

import (
	"archive/zip"
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// rewrite changes a file inside a binary plan; one that becomes empty goes.
func rewrite(t *testing.T, binary []byte, name string, change func(string) string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(binary), int64(len(binary)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			data = []byte(change(string(data)))
		}
		if len(data) == 0 {
			continue
		}
		to, err := w.Create(f.Name)
		if err == nil {
			_, err = to.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// terraform applies the configuration that is in a plan. Somebody who seals one of
// their own cannot bring another than the one in the repository.
func TestApplyRefusesAnotherConfigurationInThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, says string }{
		"of the root":     {"tfconfig/m-/main.tf", `infra/prod: the stored plan holds another configuration than the approved commit: main\.tf`},
		"of a module":     {"tfconfig/m-service/main.tf", `holds another configuration than the approved commit: module service: main\.tf`},
		"another module":  {"tfconfig/modules.json", `holds another configuration than the approved commit: the list of modules`},
		"a file left out": {"tfconfig/m-/note.tf", `holds another configuration than the approved commit: note\.tf`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			before := w.state()
			var forged plan.Fingerprint
			w.reseal(f, func(b *seal.Bundle) {
				b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, c.file, func(text string) string {
					switch c.file {
					case "tfconfig/modules.json":
						return strings.ReplaceAll(text, "modules/service", "modules/other")
					case "tfconfig/m-/note.tf":
						return "" // it is left out
					}
					return text + "\n# provisioner \"local-exec\"\n"
				})
				forged = forge(t, b)
			})
			w.approve("bob", forged)
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, c.says)
			if w.state() != before {
				t.Error("something was applied")
			}
		})
	}
}

// Planning the same commit again changes nothing that was approved.
func TestPlanAgainKeepsTheFingerprint(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	if again := w.plan(); again != f {
		t.Errorf("planned again, %s is %s", f.Short(), again.Short())
	}
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
}

// planOf plans a pull request from the clone as it is.
func (w *infraWorld) planOf(n string, args ...string) plan.Fingerprint {
	w.t.Helper()
	code, _, words := w.run(append([]string{
		"plan", "--repo", "acme/infra", "--pull-request", n, "--checkout", w.clone, "--seal-to", w.recipient, "--store", w.store,
	}, args...)...)
	if code != 0 {
		w.t.Fatalf("plan ended with %d: %s", code, words)
	}
	for _, pull := range w.github.Pulls("acme/infra") {
		if strconv.Itoa(pull.Number) != n {
			continue
		}
		for _, c := range pull.Comments {
			if claim, is := comment.ReadClaim(c); is {
				return claim.Fingerprint
			}
		}
	}
	w.t.Fatalf("#%s has no plan", n)
	return ""
}

// A merged pull request is planned again like an open one. What an apply moves turns
// the plans of open pull requests pending, until they are planned again.
func TestStatesThatMove(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	w.git(w.clone, "checkout", "-q", "-b", "second", "HEAD~1")
	write(t, w.clone, map[string]string{"infra/prod/second.tf": "output \"second\" {\n  value = \"hello\"\n}\n"})
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "-m", "second")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/second")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"second","head":"second","base":"main"}`)
	second := w.planOf("2")
	head := w.git(w.clone, "rev-parse", "HEAD")
	w.merge()
	w.onMain()
	if again := w.planOf("1", "--changed-since", "HEAD^1"); again != f {
		t.Errorf("planned again after the merge, %s is %s", f.Short(), again.Short())
	}
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
	said := func() string { return strings.Join(w.github.Pulls("acme/infra")[1].Comments, "\n") }
	w.wants("#2", 0, 0, said(), "The plan no longer fits", "the state of infra/prod moved to serial 1, by #.*1", "comment `/plan`")
	gate := func() (int, string) {
		job := w.env["GITHUB_TOKEN"]
		defer func() { w.env["GITHUB_TOKEN"] = job }()
		w.env["GITHUB_TOKEN"] = w.token("dan")
		code, _, words := w.run("gate", "--repo", "acme/infra", "--pull-request", "2", "--status")
		return code, words
	}
	code, words = gate()
	w.wants("gate", code, 0, words, "pending: the state of infra/prod moved to serial 1, by #1: comment /plan to plan again")
	w.wants("the status", 0, 0, w.status(head), "^pending: the state of infra/prod moved")
	w.git(w.clone, "fetch", "-q", w.remote("ada"), "refs/pull/2/merge")
	w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
	if again := w.planOf("2", "--changed-since", "HEAD^1"); again == second {
		t.Error("the plan is the one of the state before")
	}
	code, words = gate()
	w.wants("gate", code, 0, words, "still needed: 1 of acme/dba, dan")
	w.wants("#2", 0, 0, said(), "The plan is of the states as they are")
	w.noSecrets(secret)
}

// Nothing of a fork is planned, whoever asks for it.
func TestForksAreNotPlannedAgain(t *testing.T) {
	t.Parallel()
	where := &site.Site{
		Repo: github.Repository{Owner: "acme", Name: "infra"}, Pull: &github.PullRequest{Number: 7, HeadRepo: "eve/infra"},
	}
	_, err := proposal.Run(t.Context(), proposal.Request{Site: where})
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "#7 comes from a fork: nothing of it is planned here") {
		t.Error(err)
	}
}

// terraform reads a file whose name begins with # unless it also ends with one: a plan
// that leaves it out is not of the commit.
func TestAFileOfAStrangeNameIsLeftOutOfNoPlan(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open("ada", map[string]string{"infra/prod/#more.tf": "output \"more\" {\n  value = 1\n}\n"})
	f := w.plan()
	var forged plan.Fingerprint
	w.reseal(f, func(b *seal.Bundle) {
		b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfconfig/m-/#more.tf", func(string) string { return "" })
		forged = forge(t, b)
	})
	w.approve("bob", forged)
	code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
	w.wants("apply", code, 3, words, `another configuration than the approved commit: #more\.tf`)
}

// forge makes the document of a bundle fit its binary plan again, as somebody does who
// changed that, and gives the fingerprint of it.
func forge(t *testing.T, b *seal.Bundle) plan.Fingerprint {
	t.Helper()
	var err error
	if b.Document.Roots[0].Plan, err = terraform.PlanDigest(b.Roots[0].Binary); err != nil {
		t.Fatal(err)
	}
	fingerprint, err := b.Document.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	return fingerprint
}

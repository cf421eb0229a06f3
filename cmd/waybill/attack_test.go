package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// attack is something that happens between plan and apply; both the gate and
// apply must refuse, or wait, and say why.
type attack struct {
	do    func(w *infraWorld, f plan.Fingerprint)
	code  int    // of both
	says  string // regular expression, of both
	gate  string // where the gate says it in other words
	apply string
}

// Approvals that are none. Each is answered with what is still needed, and with
// the reason why it does not count.
func TestApprovalsThatDoNotCount(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]attack{
		"by the author": {code: 4, says: `does not count: ada \(author\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.comment("ada", "/approve "+f.Short()) }},
		"by somebody outside the team": {code: 4, says: `does not count: eve \(not-allowed\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.approve("eve", f) }},
		"dismissed": {code: 4, says: `does not count: bob \(dismissed\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.approve("bob", f)
				w.api("ada", "PUT", "/repos/acme/infra/pulls/1/reviews/"+id+"/dismissals", `{"message":"no"}`)
			}},
		"of another fingerprint": {code: 4, says: `does not count: bob \(other-fingerprint\): it names aaaa bbbb cccc`,
			do: func(w *infraWorld, _ plan.Fingerprint) { w.review("bob", "APPROVE", "approve aaaa bbbb cccc") }},
		"of too little of the fingerprint": {code: 4, says: `0 of 1 approvals`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.review("bob", "APPROVE", "approve "+string(f[:11])) }},
		"without a fingerprint": {code: 4, says: `0 of 1 approvals`,
			do: func(w *infraWorld, _ plan.Fingerprint) { w.review("bob", "APPROVE", "approved, great") }},
		"a quotation": {code: 4, says: `0 of 1 approvals`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.review("bob", "APPROVE", "> approve "+f.Short()+"\n\nreally?")
			}},
		"in a code block": {code: 4, says: `0 of 1 approvals`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.comment("bob", "say\n```\n/approve "+f.Short()+"\n```") }},
		"a comment without the slash": {code: 4, says: `0 of 1 approvals`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.comment("bob", "approve "+f.Short()) }},
		"a comment edited into an approval": {code: 4, says: `does not count: bob \(edited\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.comment("bob", "looks odd")
				w.tick()
				w.api("mallory", "PATCH", "/repos/acme/infra/issues/comments/"+id, fmt.Sprintf(`{"body":"/approve %s"}`, f.Short()))
			}},
		"a review edited into an approval": {code: 4, says: `does not count: bob \(edited\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.review("bob", "COMMENT", "looks odd")
				w.api("mallory", "PUT", "/repos/acme/infra/pulls/1/reviews/"+id, fmt.Sprintf(`{"body":"approve %s"}`, f.Short()))
			}},
		"a review that asks for changes": {code: 4, says: `does not count: bob \(changes-requested\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.review("bob", "REQUEST_CHANGES", "approve "+f.Short()) }},
		"changes asked for afterwards": {code: 4, says: `does not count: bob \(changes-requested\): asked for changes afterwards`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.approve("bob", f)
				w.tick()
				w.review("bob", "REQUEST_CHANGES", "wait")
			}},
		"taken back, and the words changed": {code: 4, says: `does not count: bob \(later-edited\): mallory changed a later comment of theirs`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.takenBack("bob", f)
				w.api("mallory", "PATCH", "/repos/acme/infra/issues/comments/"+id, `{"body":"looks fine"}`)
			}},
		"taken back, and the words deleted": {code: 4, says: `does not count: bob \(later-deleted\): mallory deleted a comment of bob`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.takenBack("bob", f)
				w.api("mallory", "DELETE", "/repos/acme/infra/issues/comments/"+id, "")
			}},
		"taken back, the words changed and deleted": {code: 4, says: `does not count: bob \(later-deleted\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				id := w.takenBack("bob", f)
				w.api("mallory", "PATCH", "/repos/acme/infra/issues/comments/"+id, `{"body":"looks fine"}`)
				w.api("mallory", "DELETE", "/repos/acme/infra/issues/comments/"+id, "")
			}},
		"taken back in a review, and the words changed": {code: 4, says: `does not count: bob \(later-edited\): mallory changed a later review`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.approve("bob", f)
				w.tick()
				id := w.review("bob", "COMMENT", "unapprove")
				w.api("mallory", "PUT", "/repos/acme/infra/pulls/1/reviews/"+id, `{"body":"looks fine"}`)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.attack(a, f)
		})
	}
}

// attack carries it out and holds gate and apply to what they must say.
func (w *infraWorld) attack(a attack, f plan.Fingerprint) {
	w.t.Helper()
	a.do(w, f)
	code, _, words := w.gate()
	w.wants("gate", code, a.code, words, a.says+a.gate)
	code, _, words = w.apply()
	w.wants("apply", code, a.code, words, a.says+a.apply)
	if w.state() != "" {
		w.t.Error("something was applied")
	}
	w.noSecrets(secret)
}

// takenBack approves a plan and takes that back, by a comment whose id it gives.
func (w *infraWorld) takenBack(user string, f plan.Fingerprint) string {
	w.approve(user, f)
	w.tick()
	defer w.tick()
	return w.comment(user, "/unapprove")
}

// tick lets the sandbox's clock, which has seconds, move on.
func (w *infraWorld) tick() {
	w.clock.Add(2)
}

func TestCommitsAfterApproval(t *testing.T) {
	t.Parallel()
	note := map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"changed\"\n}\n"}
	for name, a := range map[string]attack{
		"new commit": {code: 3, gate: `the plan is of commit .* the head is`,
			apply: `head commit was [0-9a-f]{40} when planned, is [0-9a-f]{40} now`,
			do:    func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f); w.push("ada", note) }},
		"new commit after an approval by comment": {code: 3, gate: `the plan is of commit .* the head is`, apply: `head commit was`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.comment("bob", "/approve "+f.Short()); w.push("ada", note) }},
		"force-push": {code: 3, gate: `the plan is of commit`, apply: `head commit was`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.approve("bob", f)
				w.git(w.clone, "reset", "-q", "--hard", "HEAD~1")
				w.push("ada", note)
			}},
		"new commit and a new plan": {code: 4, says: `does not count: bob \(other-fingerprint\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.approve("bob", f)
				w.push("ada", note)
				w.plan()
			}},
		"an approval of an older head with the new fingerprint": {code: 4, says: `does not count: bob \(other-head\)`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				old := w.git(w.clone, "rev-parse", "HEAD")
				w.push("ada", note)
				f := w.plan()
				body, _ := json.Marshal(map[string]string{"event": "APPROVE", "body": "approve " + f.Short(), "commit_id": old})
				w.api("bob", "POST", "/repos/acme/infra/pulls/1/reviews", string(body))
			}},
		"the last pusher approves": {code: 4, says: `does not count: carol \(last-pusher\)`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				w.push("carol", note)
				w.approve("carol", w.plan())
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.attack(a, f)
		})
	}
	t.Run("the last pusher approves the pull request of a bot", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("renovate", note)
		w.push("bob", map[string]string{"infra/prod/more.tf": "locals {\n  more = 1\n}\n"})
		w.attack(
			attack{
				code: 4, says: `does not count: bob \(last-pusher\)`,
				do: func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) },
			},
			w.plan(),
		)
	})
}

// What a pull request does to the rules does not count for itself.
func TestRulesComeFromTheDefaultBranch(t *testing.T) {
	t.Parallel()
	loose := map[string]string{"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  rules:\n    - {dir: \"**\", approvals: 0}\n"}
	t.Run("a pull request that loosens them", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("ada", loose)
		w.plan()
		w.attack(attack{code: 4, says: `0 of 1 approvals`, do: func(*infraWorld, plan.Fingerprint) {}}, "")
	})
	t.Run("and is merged", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("ada", loose)
		w.plan()
		w.attack(attack{code: 4, says: `0 of 1 approvals`, do: func(w *infraWorld, _ plan.Fingerprint) { w.merge() }}, "")
	})
	t.Run("a base branch with rules of its own", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		write(t, w.clone, loose)
		w.git(w.clone, "commit", "-q", "-am", "loose")
		w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/side")
		w.push("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"side"}`)
		w.plan()
		w.attack(attack{code: 4, says: `0 of 1 approvals`, do: func(*infraWorld, plan.Fingerprint) {}}, "")
	})
	t.Run("no rule for the root", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, map[string]string{"waybill.yaml": strings.Replace(infraRules, "infra/*", "other/*", 1)})
		w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.plan()
		w.attack(attack{code: 3, says: `no rule says who approves it`, do: func(*infraWorld, plan.Fingerprint) {}}, "")
	})
}

// Where GitHub does not answer, the outcome is broken: not approved, not refused.
func TestUnknownMembersAreBroken(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	w.env["WAYBILL_INPUT_TEAM_TOKEN"] = ""
	w.attack(
		attack{
			code: 1, says: `ask whether bob is in team acme/dba: GitHub answers 403.*the token needs members: read`,
			do: func(*infraWorld, plan.Fingerprint) {},
		},
		f,
	)
}

func TestClosedPullRequest(t *testing.T) {
	t.Parallel()
	w, _ := approved(t)
	w.api("ada", "PATCH", "/repos/acme/infra/pulls/1", `{"state":"closed"}`)
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, "closed without being merged")
	if w.state() != "" {
		t.Error("something was applied")
	}
}

// GitHub that cannot be asked is broken, whatever was approved before.
func TestGitHubDown(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/graphql$", "/activity$", "/orgs/acme/teams/dba/memberships/bob$"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w, _ := approved(t)
			if err := w.github.AddFault(sandbox.Fault{Path: path, Count: 1000, Status: 403}); err != nil {
				t.Fatal(err)
			}
			code, _, words := w.apply()
			w.wants("apply", code, 1, words, "GitHub answers 403")
			if w.state() != "" {
				t.Error("something was applied")
			}
		})
	}
}

// Two roots are planned under one fingerprint, and a difference in one of them
// keeps both from being applied.
func TestOneRootMovedKeepsAllOfThem(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"infra/dev/main.tf": strings.Replace(infraRoot, `"prod"`, `"dev"`, 1)})
	w.open("ada", map[string]string{"modules/service/note.tf": "locals {\n  note = 1\n}\n"})
	f := w.plan()
	w.approve("bob", f)
	write(t, w.clone, map[string]string{"infra/prod/extra.tf": "locals {\n  x = 1\n}\n"})
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, "infra/prod: configuration was")
	if _, err := os.Stat(filepath.Join(w.clone, "infra/dev/terraform.tfstate")); err == nil {
		t.Error("the other root was applied")
	}
	if err := os.Remove(filepath.Join(w.clone, "infra/prod/extra.tf")); err != nil {
		t.Fatal(err)
	}
	code, _, words = w.apply()
	w.wants("apply of both", code, 0, words, "infra/dev: applied", "infra/prod: applied")
	w.noSecrets(secret)
}

func TestDestroysAskForMore(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	if code, _, words := w.apply(); code != 0 {
		t.Fatal(words)
	}
	before := w.state()
	w.push("ada", map[string]string{"infra/prod/main.tf": strings.Replace(infraRoot, `"prod"`, `"other"`, 1)})
	f = w.plan()
	w.approve("bob", f)
	code, _, words := w.apply()
	w.wants("one approval", code, 4, words, `1 of 2 approvals, because the plan destroys; still needed: 1 of acme/dba, dan`)
	// The gate believes the comment; apply believes the sealed plan.
	comments := w.github.Pulls("acme/infra")[0].Comments
	for _, c := range comments {
		if strings.HasPrefix(c, comment.Marker) && !strings.Contains(c, "is **replaced**: `triggers_replace` forces it") {
			t.Errorf("the comment does not say what forces the replacement: %s", c)
		}
	}
	if w.state() != before {
		t.Error("something was applied")
	}
	w.approve("dan", f)
	code, _, words = w.apply()
	w.wants("two approvals", code, 0, words, "infra/prod: applied")
	w.noSecrets(secret)
}

// approved is a pull request whose plan is approved.
func approved(t *testing.T) (*infraWorld, plan.Fingerprint) {
	t.Helper()
	w, f := ready(t)
	w.approve("bob", f)
	return w, f
}

// sealedFile is the sealed plan.
func (w *infraWorld) sealedFile(f plan.Fingerprint) string {
	return filepath.Join(w.store, string(f)+".sealed")
}

// reseal changes what is inside the sealed plan, as somebody who knows the
// recipient can.
func (w *infraWorld) reseal(f plan.Fingerprint, change func(*seal.Bundle)) {
	w.t.Helper()
	data, err := os.ReadFile(w.sealedFile(f))
	if err != nil {
		w.t.Fatal(err)
	}
	identities, err := seal.ParseIdentities(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := seal.Open(data, identities, seal.Expect{Now: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	change(bundle)
	recipients, err := seal.ParseRecipients([]string{w.recipient})
	if err != nil {
		w.t.Fatal(err)
	}
	if data, err = seal.Seal(*bundle, recipients); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.sealedFile(f), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// What is approved, and then something is not as it was: apply refuses with the
// field that moved.
func TestApplyRefusesWhatMoved(t *testing.T) {
	t.Parallel()
	change := func(name string, f func([]byte) []byte) func(*infraWorld, plan.Fingerprint) {
		return func(w *infraWorld, print plan.Fingerprint) {
			path := name
			if name == "" {
				path = w.sealedFile(print)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				w.t.Fatal(err)
			}
			if err := os.WriteFile(path, f(data), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, a := range map[string]struct {
		do   func(w *infraWorld, f plan.Fingerprint)
		says string
		args []string
	}{
		"an altered byte": {says: `\(altered\): its bytes are not those that were sealed`,
			do: change("", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })},
		"truncated": {says: `\(truncated\): it has \d+ bytes of \d+`,
			do: change("", func(b []byte) []byte { return b[:len(b)-100] })},
		"something appended": {says: `\(altered\)`,
			do: change("", func(b []byte) []byte { return append(b, "more"...) })},
		"not a sealed plan": {says: `\(not-sealed\)`,
			do: change("", func([]byte) []byte { return []byte("plan") })},
		"another recipient": {says: `\(wrong-key\): it is sealed for other recipients`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				other, err := age.GenerateX25519Identity()
				if err != nil {
					w.t.Fatal(err)
				}
				w.env["WAYBILL_INPUT_SEAL_KEY"] = other.String()
			}},
		"expired": {says: `\(expired\): it expired at`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Expires = time.Now().Add(-time.Minute) })
			}},
		"the binary plan swapped": {says: `\(swapped\): the binary plan of infra/prod is not the one`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) {
					longer := func(text string) string { return text + "\n" }
					b.Roots[0].Binary = rewrite(w.t, b.Roots[0].Binary, "tfconfig/m-/main.tf", longer)
				})
			}},
		"the plan's JSON swapped": {says: `\(swapped\): the changes of infra/prod are not those`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) {
					b.Roots[0].JSON = []byte(strings.Replace(string(b.Roots[0].JSON), `"create"`, `"no-op"`, 1))
				})
			}},
		"another plan in its place": {says: `\(other-plan\): it is plan .*, not `,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Document.Roots[0].Serial = 7 })
			}},
		"another root asked for": {says: `\(other-root\): it has no plan of infra/dev`, args: []string{"--dir", "infra/dev"},
			do: func(*infraWorld, plan.Fingerprint) {}},
		"the fingerprint of another plan": {says: `\(other-plan\)`, args: []string{"--fingerprint", "aaaa bbbb cccc"},
			do: func(*infraWorld, plan.Fingerprint) {}},
		"the state began meanwhile": {says: `state lineage was none when planned, is [0-9a-f-]+ now`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				write(
					w.t, w.clone,
					map[string]string{
						"infra/prod/terraform.tfstate": `{"version":4,"terraform_version":"1.11.4","serial":3,"lineage":"11111111-2222-3333-4444-555555555555","outputs":{},"resources":[]}`,
					},
				)
			}},
		"the lock file changed": {says: `infra/prod: lock file was none when planned, is sha256:`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				write(w.t, w.clone, map[string]string{"infra/prod/.terraform.lock.hcl": "# other\n"})
			}},
		"the configuration changed": {says: `infra/prod: configuration was sha256:`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				write(w.t, w.clone, map[string]string{"infra/prod/extra.tf": "locals {\n  x = 1\n}\n"})
			}},
		"a local-exec added in a module": {says: `infra/prod: configuration was sha256:`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				write(
					w.t, w.clone,
					map[string]string{
						"modules/service/exec.tf": "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    " +
							"command = \"touch pwned\"\n  }\n}\n",
					},
				)
			}},
		"the directory is gone": {says: `infra/prod: directory was infra/prod when planned, is none now`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				if err := os.RemoveAll(filepath.Join(w.clone, "infra")); err != nil {
					w.t.Fatal(err)
				}
			}},
		"another terraform": {says: `infra/prod: terraform version was terraform 1\.\d+\.\d+ when planned, is terraform 9\.9\.9 now`,
			do: func(w *infraWorld, _ plan.Fingerprint) {
				script := "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'Terraform v9.9.9'; fi\n"
				path := filepath.Join(w.t.TempDir(), "terraform")
				if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
					w.t.Fatal(err)
				}
				w.env["WAYBILL_INPUT_TERRAFORM"] = path
			}},
		"a variable changed in the environment": {says: `infra/prod: variable password was another value when planned`,
			do: func(w *infraWorld, _ plan.Fingerprint) { w.env["TF_VAR_password"] = "something else" }},
		"another workspace inside": {says: `\(other-plan\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Document.Roots[0].Workspace = "blue" })
			}},
		"another directory inside": {says: `\(other-plan\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Document.Roots[0].Dir = "infra/dev" })
			}},
		"another repository inside": {says: `\(other-plan\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Document.Repository = "evil/infra" })
			}},
		"another head inside": {says: `\(other-plan\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.reseal(f, func(b *seal.Bundle) { b.Document.Head = strings.Repeat("a", 40) })
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := approved(t)
			before := ""
			a.do(w, f)
			before = w.state()
			code, _, words := w.apply(a.args...)
			w.wants("apply", code, 3, words, a.says)
			if w.state() != before {
				t.Error("something was applied")
			}
			if _, err := os.Stat(filepath.Join(w.clone, "infra/prod/pwned")); err == nil {
				t.Error("a provisioner ran")
			}
			w.noSecrets(secret, "something else")
		})
	}
}

// The plan is of one version of one state, in one workspace.
func TestStateAndWorkspaceMoved(t *testing.T) {
	t.Parallel()
	t.Run("serial", func(t *testing.T) {
		t.Parallel()
		w, _ := approved(t)
		if code, _, words := w.apply(); code != 0 {
			t.Fatal(words)
		}
		w.push("ada", map[string]string{"infra/prod/more.tf": "resource \"terraform_data\" \"more\" {\n  input = 1\n}\n"})
		w.approve("bob", w.plan())
		// Somebody takes a resource out of the state.
		w.terraform(filepath.Join(w.clone, "infra/prod"), "init")
		w.terraform(filepath.Join(w.clone, "infra/prod"), "state", "rm", "-backup=-", "module.service.terraform_data.service")
		before := w.state()
		code, _, words := w.apply()
		w.wants(
			"apply", code, 3, words, `infra/prod: state serial was \d+ when planned, is \d+ now \(something was applied since`,
			"planned now, it would differ:", "module.service.terraform_data.service: approved: nothing; now: is added",
		)
		if w.state() != before {
			t.Error("something was applied")
		}
		w.noSecrets(secret)
	})
	t.Run("the workspace is gone", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		root := filepath.Join(w.clone, "infra/prod")
		for _, args := range [][]string{{"init"}, {"workspace", "new", "blue"}, {"workspace", "select", "default"}} {
			w.terraform(root, args...)
		}
		w.approve("bob", w.plan("--dir", "infra/prod", "--workspace", "blue"))
		w.terraform(root, "workspace", "delete", "blue")
		code, _, words := w.apply()
		w.wants("apply", code, 1, words, `infra/prod: select workspace "blue"`, "doesn't exist")
		if w.state() != "" {
			t.Error("something was applied")
		}
	})
	t.Run("the state of another workspace moved", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		root := filepath.Join(w.clone, "infra/prod")
		for _, args := range [][]string{{"init"}, {"workspace", "new", "blue"}, {"workspace", "select", "default"}} {
			w.terraform(root, args...)
		}
		w.approve("bob", w.plan("--dir", "infra/prod", "--workspace", "blue"))
		code, _, words := w.apply()
		w.wants("apply", code, 0, words, "infra/prod in workspace blue: applied")
		if w.state() != "" || !strings.Contains(read(t, filepath.Join(root, "terraform.tfstate.d/blue/terraform.tfstate")), secret) {
			t.Error("another workspace was applied")
		}
	})
}

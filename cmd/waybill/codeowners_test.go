package main

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
)

const (
	ownersRules = `apiVersion: waybill.dev/v1
terraform:
  apply: before-merge
  rules:
    - {dir: "infra/*", approvals: 1, from: codeowners}
`
	owners = `*          @acme/everybody
/infra/    @acme/dba
/modules/  @dan
/waybill.yaml @boss
/.github/  @boss
`
)

// ownersWorld is a repository whose rules ask for code owners.
func ownersWorld(t *testing.T, codeowners string) *infraWorld {
	t.Helper()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": ownersRules, ".github/CODEOWNERS": codeowners, "CODEOWNERS": "* @eve\n"})
	w.github.SetTeam("acme/everybody", "bob", "carol", "eve")
	return w
}

var ownedNote = map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"}

// The owners of every changed file that the root uses must approve, and the
// comment says who they are.
func TestCodeOwnersApprove(t *testing.T) {
	t.Parallel()
	w := ownersWorld(t, owners)
	w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n", "modules/service/note.tf": "locals {\n  b = 1\n}\n"})
	f := w.plan()
	if comment := w.github.Pulls("acme/infra")[0].Comments[0]; !strings.Contains(
		comment,
		"1 of acme/dba for `infra/prod`, because .github/CODEOWNERS:2 owns infra/prod/note.tf; 1 of dan for `infra/prod`, because "+
			".github/CODEOWNERS:3 owns modules/service/note.tf",
	) {
		t.Errorf("the comment does not say who owns it: %s", comment)
	}
	w.approve("bob", f)
	for what, run := range map[string]func(...string) (int, string, string){"gate": w.gate, "apply": w.apply} {
		code, _, words := run()
		w.wants(
			what, code, 4, words,
			`infra/prod: 0 of 1 approvals \(.github/CODEOWNERS:3 owns modules/service/note.tf\); still needed: 1 of dan`,
		)
	}
	w.approve("dan", f)
	code, out, words := w.gate("--format", "json")
	w.wants("gate", code, 0, words, "approved by bob, dan")
	if !strings.Contains(out, `"as": "acme/dba"`) || !strings.Contains(out, `"why": ".github/CODEOWNERS:3 owns modules/service/note.tf"`) {
		t.Errorf("the record is %s", out)
	}
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
	w.noSecrets(secret)
}

// What a pull request does to CODEOWNERS does not count for itself; and what
// names nobody lets nobody approve.
func TestCodeOwnersAttacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		owners string
		change map[string]string
		attack
	}{
		"a friend is made an owner": {owners, map[string]string{
			"infra/prod/note.tf": "locals {\n  a = 1\n}\n", ".github/CODEOWNERS": "* @eve\n",
		}, attack{code: 4, says: `does not count: eve \(not-allowed\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.approve("eve", f) }}},
		"and that is merged": {owners, map[string]string{
			"infra/prod/note.tf": "locals {\n  a = 1\n}\n", ".github/CODEOWNERS": "* @eve\n",
		}, attack{code: 4,
			says: `infra/prod: 0 of 1 approvals \(.github/CODEOWNERS:2 owns infra/prod/note.tf\); still needed: 1 of acme/dba`,
			do:   func(w *infraWorld, f plan.Fingerprint) { w.approve("eve", f); w.merge() }}},
		"a file that GitHub would look into first": {strings.Replace(
			owners, "/infra/    @acme/dba", "/infra/ @eve", 1,
		), ownedNote, attack{code: 4, says: `does not count: bob \(not-allowed\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) }}},
		"an owner who may only read": {strings.Replace(
			owners, "@acme/dba", "@acme/dba @guest", 1,
		), ownedNote, attack{code: 4, says: `does not count: guest \(no-writer\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.github.SetPermission("acme/infra", "guest", "read")
				w.approve("guest", f)
			}}},
		"the author is the owner": {strings.Replace(
			owners, "@acme/dba", "@ada", 1,
		), ownedNote, attack{code: 4, says: `does not count: ada \(author\)`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.comment("ada", "/approve "+f.Short()) }}},
		"a line without owners": {owners + "/infra/prod/\n", ownedNote, attack{code: 3,
			says: `infra/prod: nobody can approve it: .github/CODEOWNERS:6 says that nobody owns infra/prod/note.tf`,
			do:   func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) }}},
		"an address alone": {owners + "/infra/prod/ ops@example.com\n", ownedNote, attack{code: 3,
			says: `CODEOWNERS:6 names ops@example.com alone for infra/prod/note.tf, and no API says whose address that is`,
			do:   func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) }}},
		"a line that GitHub skips": {owners + "!/infra/prod/ @boss\n", ownedNote, attack{code: 3,
			says: `.github/CODEOWNERS:6: CODEOWNERS knows no negation: GitHub skips this line, and an earlier one would decide`,
			do:   func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) }}},
		"a file too large for GitHub": {owners + strings.Repeat(
			"# filling the file up\n", 140_000,
		), ownedNote, attack{code: 3, says: `GitHub does not read one of 3 MB or more, so it names nobody`,
			do: func(w *infraWorld, f plan.Fingerprint) { w.approve("bob", f) }}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ownersWorld(t, c.owners)
			w.open("ada", c.change)
			w.attack(c.attack, w.plan())
		})
	}
	t.Run("a base branch beside the default one", func(t *testing.T) {
		t.Parallel()
		w := ownersWorld(t, owners)
		w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/side")
		w.push("ada", ownedNote)
		w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"side"}`)
		w.attack(
			attack{
				code: 3,
				says: `#1 is made against side: which files it would change on main is not known, and a rule asks for their owners`,
				do:   func(*infraWorld, plan.Fingerprint) {},
			},
			w.plan(),
		)
	})
}

package approval_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const owners = `*           @everybody
/infra/     @acme/dba
/infra/a/x* @dan @reader
/modules/   @carol
/free/
/mail/      ops@example.com
/both/      @erin ops@example.com
`

func ownerRules(t *testing.T, from string, files ...string) approval.Rules {
	t.Helper()
	c, err := config.Parse(
		"waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  rules: [{dir: '**', approvals: 1, from: "+from+"}]\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := approval.ParseCodeOwners(".github/CODEOWNERS", []byte(owners))
	if err != nil {
		t.Fatal(err)
	}
	return approval.Rules{Terraform: c.Terraform(), Revision: strings.Repeat("a", 40), Owners: parsed, Files: files}
}

func uses(prefixes ...string) func(string) bool {
	return func(file string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(file, p) {
				return true
			}
		}
		return false
	}
}

// Each set of owners of a changed file of the root must approve, and nobody is
// asked about files that the root does not use.
func TestOwnersOfChangedFiles(t *testing.T) {
	t.Parallel()
	change := approval.Change{Dir: "infra/a", Uses: uses("infra/a/", "modules/m/", "free/", "mail/", "both/", "vars")}
	for name, c := range map[string]struct {
		from  string
		files []string
		want  string // who, per need
	}{
		"one line": {
			"codeowners", []string{"infra/a/main.tf", "infra/a/b.tf", "infra/b/main.tf"},
			"acme/dba [.github/CODEOWNERS:2 owns infra/a/main.tf and 1 more]",
		},
		"a module too": {
			"codeowners", []string{"infra/a/main.tf", "modules/m/x.tf", "modules/other/x.tf"},
			"acme/dba [.github/CODEOWNERS:2 owns infra/a/main.tf];carol [.github/CODEOWNERS:4 owns modules/m/x.tf]",
		},
		"named ones may too": {"[codeowners, bob]", []string{"infra/a/x.tf"}, "bob,dan,reader [.github/CODEOWNERS:3 owns infra/a/x.tf]"},
		"unowned, but bob":   {"[codeowners, bob]", []string{"free/x.tf"}, "bob [.github/CODEOWNERS:5 says that nobody owns free/x.tf]"},
		"no change, but bob": {
			"[codeowners, bob]", []string{"infra/b/main.tf"},
			"bob [the pull request changes none of its files, so CODEOWNERS names nobody]",
		},
		"the file of vars": {"codeowners", []string{"vars.tfvars"}, "everybody [.github/CODEOWNERS:1 owns vars.tfvars]"},
		"an address beside": {
			"codeowners", []string{"both/x"},
			"erin [.github/CODEOWNERS:7 owns both/x; ops@example.com left out: no API says whose address that is]",
		},
		"names without owners": {"[bob]", []string{"infra/a/main.tf"}, "bob []"},
	} {
		needs, err := approval.NeedsOf([]approval.Rules{ownerRules(t, c.from, c.files...)}, []approval.Change{change})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, n := range needs.Roots {
			got = append(got, strings.Join(append(n.From, n.Owners...), ",")+" ["+n.Why+"]")
		}
		if strings.Join(got, ";") != c.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, ";"), c.want)
		}
	}
	for want, c := range map[string]struct {
		rules  approval.Rules
		change approval.Change
		code   int
	}{
		"infra/a: nobody can approve it: .github/CODEOWNERS:5 says that nobody owns free/x.tf": {
			ownerRules(t, "codeowners", "free/x.tf"), change, outcome.Refused,
		},
		"CODEOWNERS:6 names ops@example.com alone for mail/x.tf, and no API says whose address": {
			ownerRules(t, "codeowners", "mail/x.tf"), change, outcome.Refused,
		},
		"nobody can approve it: the pull request changes none of its files": {
			ownerRules(t, "codeowners", "other"), change, outcome.Refused,
		},
		"nobody can approve it: there is no CODEOWNERS at aaaaaaa": {
			approval.Rules{
				Terraform: ownerRules(t, "codeowners").Terraform, Revision: strings.Repeat("a", 40), Files: []string{"infra/a/x"},
			},
			change, outcome.Refused,
		},
		"infra/a: which files it uses is not known, and a rule asks for their owners": {
			ownerRules(t, "codeowners", "infra/a/x"), approval.Change{Dir: "infra/a"}, outcome.Broken,
		},
		"infra/a: nobody can approve it: .github/CODEOWNERS:5 says that nobody owns free/x.tf and 1 more": {
			ownerRules(t, "codeowners", "infra/a/m.tf", "free/x.tf", "free/y.tf"), change, outcome.Refused,
		},
	} {
		if _, err := approval.NeedsOf([]approval.Rules{c.rules}, []approval.Change{c.change}); outcome.Code(err) != c.code ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// An owner who may not write counts for GitHub no more than here.
func TestOwnersMustWrite(t *testing.T) {
	t.Parallel()
	line := "approve " + full.Short()
	need := []approval.Need{{Dir: "d", Approvals: 1, Owners: []string{"dan", "reader", "unknown"}, Why: "CODEOWNERS:3 owns d/x"}}
	d := decide(t, 0, need, review("reader", line))
	if d.Verdict != approval.Pending || len(d.Ignored) != 1 || d.Ignored[0].Reason != approval.NoWriter ||
		!strings.Contains(d.Reason(), "0 of 1 approvals (CODEOWNERS:3 owns d/x); still needed: 1 of dan, reader, unknown") {
		t.Errorf("%s", d.Reason())
	}
	if d := decide(t, 0, need, review("dan", line)); d.Verdict != approval.Approved || d.Roots[0].Approvals[0].As != "dan" {
		t.Errorf("%+v", d)
	}
	// Whom the rule names itself is not asked.
	need[0].From = []string{"reader"}
	if d := decide(t, 0, need, review("reader", line)); d.Verdict != approval.Approved {
		t.Errorf("%+v", d)
	}
	p := approval.Pull{Author: "ada", Head: "head", Votes: []approval.Vote{review("unknown", line)}}
	if _, err := approval.Decide(
		t.Context(), p, approval.Subject{Fingerprint: full}, approval.Needs{Roots: need}, people{},
	); outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("%v", err)
	}
}

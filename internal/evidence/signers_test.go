package evidence_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// Whoever administers an application's repository can register a machine of
// their own for its jobs, and would sign on it as the platform.
func TestRunnersThatMaySign(t *testing.T) {
	t.Parallel()
	const workflow = "acme/config/.github/workflows/deliver.yml@refs/heads/main"
	signer := evidence.Signer{
		Issuer: "https://i.example", Identity: "https://github.com/" + workflow,
		SourceRepository: "https://github.com/acme/backend",
	}
	for _, test := range []struct {
		rule, runner string
		want         bool
	}{
		{"", "github-hosted", true}, {"", "self-hosted", false}, {"", "", true}, {"github-hosted", "self-hosted", false},
		{"self-hosted", "self-hosted", true}, {"self-hosted", "github-hosted", false}, {"any", "self-hosted", true},
		{"any", "github-hosted", true},
	} {
		signer.Runner = test.runner
		policy := evidence.Policy{Signers: []evidence.SignerRule{{Issuer: "https://i.example", Workflow: workflow, Runner: test.rule}}}
		trusted, why := policy.Trusts(signer)
		if trusted != test.want || !trusted && !strings.Contains(why, "it was made on a "+test.runner+" runner") {
			t.Errorf("rule %q, runner %q: %t, %q", test.rule, test.runner, trusted, why)
		}
	}
}

func TestCoversRunners(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		has, other string
		want       bool
	}{
		{"", "github-hosted", true}, {"any", "self-hosted", true}, {"", "any", false}, {"", "self-hosted", false},
		{"self-hosted", "", false},
	} {
		rule := func(runner string) evidence.SignerRule {
			return evidence.SignerRule{Issuer: "https://i.example", Workflow: "a/b/.github/workflows/c.yml@refs/heads/main", Runner: runner}
		}
		if got := rule(test.has).Covers(rule(test.other)); got != test.want {
			t.Errorf("%q covers %q: %t", test.has, test.other, got)
		}
	}
}

// GitHub finds a repository whatever the capitals, and a certificate holds the
// registered name: a policy in other capitals is told how to write it.
func TestCapitalsAreExplained(t *testing.T) {
	t.Parallel()
	const workflow = "Acme/Config/.github/workflows/deliver.yml@refs/heads/main"
	signer := evidence.Signer{
		Issuer: "https://i.example", Identity: "https://github.com/" + workflow, SourceRepository: "https://github.com/Acme/Backend",
	}
	for name, test := range map[string]struct {
		rule         evidence.SignerRule
		source, want string
	}{
		"the workflow": {evidence.SignerRule{Workflow: strings.ToLower(workflow)}, "",
			"(only capital letters differ: write " + workflow + " in waybill.yaml)"},
		"the signer's source": {evidence.SignerRule{Workflow: workflow, Source: "acme/*"}, "",
			"it ran for Acme/Backend, not acme/* (only capital letters differ: write Acme/Backend in waybill.yaml)"},
		"the application's source": {evidence.SignerRule{Workflow: workflow}, "Acme/backend",
			"built from Acme/backend (only capital letters differ: write Acme/Backend in waybill.yaml)"},
		"another workflow": {evidence.SignerRule{Workflow: "acme/config/.github/workflows/other.yml@refs/heads/main"}, "", ""},
		"another source":   {evidence.SignerRule{Workflow: workflow, Source: "umbrella/*"}, "", ""},
	} {
		test.rule.Issuer = signer.Issuer
		trusted, why := evidence.Policy{Source: test.source, Signers: []evidence.SignerRule{test.rule}}.Trusts(signer)
		if trusted || !strings.Contains(why, test.want) || strings.Contains(why, "capital") != (test.want != "") {
			t.Errorf("%s: %t, %q", name, trusted, why)
		}
	}
}

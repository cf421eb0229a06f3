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

package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// Policy is what an image needs to be allowed, already narrowed to one
// application and environment; internal/config reads it from waybill.yaml.
type Policy struct {
	Require   []Kind // nil is all of them, empty is none
	Signers   []SignerRule
	AllSign   bool          // whether each of Signers and Keys has to have signed, and not any
	Keys      []string      // accepted public keys as sha256:HEX of their DER form
	Source    string        // repository the image must be built from, OWNER/NAME; empty leaves it to Signers
	Threshold Threshold     // for the scan record
	MaxAge    time.Duration // oldest scan that counts; 0 is any
	// RecordAge is how long a record of a kind counts after it was signed; 0 is for ever.
	RecordAge map[Kind]time.Duration
	Builders  []string // globs of builder ids that provenance may name; nil is any
	// Databases are the repositories that a vulnerability database may come from;
	// nil is any.
	Databases      []string
	DatabaseMaxAge time.Duration // age of the database at the scan; 0 is DefaultDatabaseMaxAge
	VEX            bool          // whether findings that a VEX document excused at the scan are excused
	Secrets        Stance        // what a secret in the image does
	EndOfLife      Stance        // what a distribution that its makers no longer support does
	// Misconfiguration is what a weak setting in the image's configuration does.
	Misconfiguration Stance
	Licenses         []string // globs of licences that refuse an image
	Server           string   // root of GitHub's pages beside https://github.com, for GitHub Enterprise Server
}

// SignerRule names signers that are trusted. Workflow, Identity and Source are globs
// anchored at both ends in which * matches any run of characters but /, and
// nothing else is special: "*" never spans a path segment, so acme/* cannot
// match acme/x/../evil.
type SignerRule struct {
	Issuer   string `json:"issuer" yaml:"issuer"`               // exact URL
	Workflow string `json:"workflow,omitempty" yaml:"workflow"` // OWNER/NAME/.github/workflows/FILE@REF
	// Identity is the certificate's whole subject, in place of Workflow, where
	// another issuer than GitHub's signs: a URL or a mail address.
	Identity string `json:"identity,omitempty" yaml:"identity"`
	Source   string `json:"source" yaml:"source"` // OWNER/NAME; empty is any
	// Runner is github-hosted, self-hosted or any; empty is github-hosted. Who
	// may register a runner for a repository controls the machine that signs.
	Runner string `json:"runner,omitempty" yaml:"runner"`
	// Refs are globs of the refs that the run was for, such as refs/heads/main.
	// Empty is every branch and tag.
	Refs []string `json:"refs,omitempty" yaml:"refs"`
	// Events are what may have started the run. Empty is everything but a pull
	// request: its code is not merged.
	Events []string `json:"events,omitempty" yaml:"events"`
}

// ActionsIssuer is the issuer of the identities of GitHub's jobs.
const ActionsIssuer = "https://token.actions.githubusercontent.com"

// The machines that a certificate of GitHub's can name.
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md (1.3.6.1.4.1.57264.1.11)
const (
	RunnerHosted = "github-hosted"
	RunnerSelf   = "self-hosted"
	RunnerAny    = "any"
)

// takes reports whether the rule takes a signature made on such a runner. A
// certificate that names none is of another CI system.
func (r SignerRule) takes(runner string) bool {
	wanted := r.Runner
	if wanted == "" && r.Identity != "" { // gitlab-hosted, and what others call theirs
		return runner != RunnerSelf
	}
	if wanted == "" {
		wanted = RunnerHosted
	}
	return runner == "" || wanted == RunnerAny || runner == wanted
}

// untrustedRun says why the rule does not take a run for this ref, started by this
// event; empty if it takes it. Only events that the rule names can be of a pull request.
func (r SignerRule) untrustedRun(s Signer) string {
	switch {
	case len(r.Refs) > 0 && !matchesOne(r.Refs, s.SourceRef):
		return fmt.Sprintf("it ran for %.200s, not %s",
			cmp.Or(s.SourceRef, "a ref that its certificate does not name"), text.List(r.Refs, 5))
	case len(r.Events) > 0 && !slices.Contains(r.Events, s.Trigger):
		return fmt.Sprintf("its run was started by %.100s, not %s",
			cmp.Or(s.Trigger, "an event that its certificate does not name"), text.List(r.Events, 5))
	case len(r.Events) == 0 && ofPullRequest(s):
		return "it ran for a pull request, whose code is not merged; if that is meant, name the event under events: for the signer"
	}
	return ""
}

// ofPullRequest reports whether a run was for what is proposed, not merged.
func ofPullRequest(s Signer) bool {
	return strings.HasPrefix(s.Trigger, "pull_request") || strings.HasPrefix(s.SourceRef, "refs/pull/") ||
		strings.HasPrefix(s.Trigger, "merge_request") || strings.HasPrefix(s.SourceRef, "refs/merge-requests/") // GitLab's
}

func matchesOne(globs []string, text string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool { return matchGlob(glob, text) })
}

// Stance is what a rule without a threshold does: the zero value notes.
type Stance string

// The stances.
const (
	Refuse Stance = "refuse"
	Note   Stance = "note"
	Off    Stance = "off"
)

// State of a rule, and of a decision.
type State string

// A rule is met, refuses, or will be met later.
const (
	Met     State = "ok"
	Refused State = "refused"
	Pending State = "pending"
)

// Reason is what one rule found.
type Reason struct {
	Rule   string    `json:"rule"` // signature, provenance, sbom, scan, source, soak, freeze, order, …
	State  State     `json:"state"`
	Detail string    `json:"detail"`           // what was found
	Remedy string    `json:"remedy,omitempty"` // what would make it pass
	Until  time.Time `json:"until,omitzero"`   // when a pending rule is met by itself
}

// Decision is a verdict with a reason per rule.
type Decision struct {
	Allowed bool     `json:"allowed"`
	Reasons []Reason `json:"reasons"`
}

// Decide joins reasons: allowed only if there is one and every rule is met.
func Decide(reasons ...Reason) Decision {
	d := Decision{Allowed: len(reasons) > 0, Reasons: reasons}
	for _, r := range reasons {
		if r.State != Met {
			d.Allowed = false
		}
	}
	return d
}

// State is Refused if any rule refuses, else Pending if any waits, else Met.
func (d Decision) State() State {
	state := Met
	for _, r := range d.Reasons {
		switch r.State {
		case Refused:
			return Refused
		case Pending:
			state = Pending
		}
	}
	if !d.Allowed && state == Met {
		return Refused
	}
	return state
}

// And adds the reasons of another decision.
func (d Decision) And(other Decision) Decision {
	return Decide(append(append([]Reason(nil), d.Reasons...), other.Reasons...)...)
}

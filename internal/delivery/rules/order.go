package rules

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// Forward refuses a candidate that is older than what is deployed, by what
// signers that the policy trusts prove of both. The source repository decides
// where it can be read and knows which commit came first. Otherwise what is
// signed decides; see order. A deployed waybill with a zero image is a place
// where nothing runs.
func (j *Judge) Forward(ctx context.Context, deployed, candidate evidence.Waybill, allowOlder bool) (evidence.Reason, error) {
	switch {
	case !history.Runs(deployed.Image):
		return forward("nothing was deployed before"), nil
	case deployed.Image == candidate.Image:
		return forward("already deployed"), nil
	case allowOlder:
		return forward("older digests are allowed for this call"), nil
	case len(deployed.Records) == 0:
		return forward("nothing is proven of what is deployed, %s", deployed.Image.Short()), nil
	}
	if len(candidate.Records) == 0 && candidate.Decision.State() == evidence.Refused {
		return forward("not compared, because nothing is proven of it"), nil // the policy's reasons say why it is refused
	}
	relation, why, err := j.relate(ctx, deployed.Source, candidate.Source)
	if err != nil {
		return evidence.Reason{}, err
	}
	to, from := text.Commit(candidate.Source.Commit), text.Commit(deployed.Source.Commit)
	switch relation {
	case Newer:
		return forward("%s is ahead of %s", to, from), nil
	case Older:
		return older("built from %s, an ancestor of the deployed %s", to, from), nil
	}
	later, how := order(deployed, candidate)
	switch {
	case later > 0:
		return forward("%s: %s", why, how), nil
	case later < 0:
		return older("%s: %s", why, how), nil
	case relation == Same:
		return forward("%s", why), nil
	}
	return evidence.Reason{Rule: RuleForward, State: evidence.Refused,
		Detail: fmt.Sprintf("order unknown: %s, and nothing that is signed says which of the two is older", why),
		Remedy: "let this token read the source repository, sign keyless or with timestamps, or use --allow-older if you know that " +
			"it is newer"}, nil
}

// relate asks the source repository, and says in words what it says.
func (j *Judge) relate(ctx context.Context, from, to evidence.Source) (relation Relation, words string, err error) {
	switch {
	case from.Commit == "" || to.Commit == "":
		return Unknown, "not both have a proven source commit", nil
	case from.Repository != to.Repository:
		return Unknown, fmt.Sprintf("the source moved from %s to %s", from.Repository, to.Repository), nil
	case from.Commit == to.Commit:
		return Same, "both are built from " + text.Commit(to.Commit), nil
	case j.Relate == nil:
		return Unknown, from.Repository + " is not asked here", nil
	}
	relation, err = j.Relate(ctx, RepositoryPath(from.Repository), from.Commit, to.Commit)
	switch {
	case err != nil:
		return Unknown, "", fmt.Errorf("compare commits of %s: %w", from.Repository, err)
	case relation == Diverged:
		return relation, fmt.Sprintf("%s and the deployed %s have diverged", text.Commit(to.Commit), text.Commit(from.Commit)), nil
	}
	return relation, from.Repository + " cannot be read with this token", nil
}

// order compares two digests by what is signed of them, and says by what. It is
// above zero where the candidate is the later one, below where it is the
// earlier one, and zero where nothing tells.
//
// The run comes first: GitHub counts runs up, and running one again keeps its
// number, so that an old delivery stays old. The commit's time comes next,
// because building an old commit again does not change it. Times of signing and
// building say least: they are those of the last time that somebody pressed the
// button.
// https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#github-context
func order(deployed, candidate evidence.Waybill) (later int, how string) {
	if was, ok := runOf(deployed); ok {
		if is, ok := runOf(candidate); ok && is.server == was.server {
			if d := cmp.Or(cmp.Compare(is.id, was.id), cmp.Compare(is.attempt, was.attempt)); d != 0 {
				return d, fmt.Sprintf("it was signed by run %s, the deployed one by run %s", is, was)
			}
		}
	}
	for _, by := range []struct {
		words string
		of    func(evidence.Waybill) time.Time
	}{
		{"its commit is of %s, the deployed one's of %s", func(w evidence.Waybill) time.Time { return w.Source.CommittedAt }},
		{"it was signed %s, the deployed one %s", SignedAt},
		{"it was built %s, the deployed one %s", func(w evidence.Waybill) time.Time { return w.BuiltAt }},
	} {
		was, is := by.of(deployed), by.of(candidate)
		if d := is.Compare(was); d != 0 && !was.IsZero() && !is.IsZero() {
			return d, fmt.Sprintf(by.words, text.Time(is), text.Time(was))
		}
	}
	return 0, ""
}

// run is a run of GitHub Actions, as Fulcio writes it into a certificate.
type run struct {
	server      string
	id, attempt int64
}

func (r run) String() string {
	if r.attempt > 1 {
		return fmt.Sprintf("%d (attempt %d)", r.id, r.attempt)
	}
	return strconv.FormatInt(r.id, 10)
}

var runURL = regexp.MustCompile(`\A(https://[^/]+)/[^/]+/[^/]+/actions/runs/([0-9]{1,18})(?:/attempts/([0-9]{1,9}))?\z`)

// runOf is the run that signed, as the certificate proves it. What only the
// provenance says of the run is the word of the builder.
func runOf(w evidence.Waybill) (run, bool) {
	if w.Signer == nil || w.Signer.Issuer == "" {
		return run{}, false
	}
	match := runURL.FindStringSubmatch(w.Signer.RunURL)
	if match == nil {
		return run{}, false
	}
	id, _ := strconv.ParseInt(match[2], 10, 64) // the pattern holds digits alone
	attempt, _ := strconv.ParseInt(match[3], 10, 64)
	return run{server: w.Signer.Issuer + " " + match[1], id: id, attempt: max(attempt, 1)}, true
}

func forward(format string, args ...any) evidence.Reason {
	return evidence.Reason{Rule: RuleForward, State: evidence.Met, Detail: fmt.Sprintf(format, args...)}
}

func older(format string, args ...any) evidence.Reason {
	return evidence.Reason{Rule: RuleForward, State: evidence.Refused, Detail: fmt.Sprintf(format, args...),
		Remedy: "use waybill rollback to go back, or --allow-older"}
}

// OrderOf is what the rule forward found, for a commit message: a sentence, or
// nothing.
func OrderOf(d evidence.Decision) string {
	for _, r := range d.Reasons {
		if r.Rule == RuleForward {
			return " Order: " + r.Detail + "."
		}
	}
	return ""
}

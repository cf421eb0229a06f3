package approval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// People answers what GitHub knows of users. An error is an error: never a no,
// never a yes.
type People interface {
	TeamMember(ctx context.Context, org, team, user string) (bool, error)
	CanWrite(ctx context.Context, user string) (bool, error) // to the repository
}

// The verdicts.
const (
	Approved = "approved"
	Pending  = "pending"
)

// Decision is the record of what was decided, and why.
type Decision struct {
	Verdict     string           `json:"verdict"`
	Fingerprint plan.Fingerprint `json:"fingerprint"`
	Digits      int              `json:"digits"` // of it that an approval names
	Repository  string           `json:"repository"`
	PullRequest int              `json:"pull_request"`
	Head        string           `json:"head"`
	Roots       []RootDecision   `json:"roots"`
	Ignored     []Ignored        `json:"ignored,omitempty"`
	Rules       []string         `json:"rules"` // commits that the rules are from
}

// RootDecision is what one root needs and has.
type RootDecision struct {
	Dir       string     `json:"dir"`
	Workspace string     `json:"workspace,omitempty"`
	Needs     int        `json:"needs"`
	From      []string   `json:"from"`
	Why       string     `json:"why,omitempty"` // of CODEOWNERS: which line, for which files
	Destroys  bool       `json:"destroys,omitempty"`
	Approvals []Approval `json:"approvals"`
	// Fingerprint is the root's own; an approval may name it alone.
	Fingerprint plan.Fingerprint `json:"fingerprint,omitempty"`
}

func (r RootDecision) name() string { return roots.Root{Dir: r.Dir, Workspace: r.Workspace}.Name() }

// Missing is how many approvals the root lacks.
func (r RootDecision) Missing() int { return max(0, r.Needs-len(r.Approvals)) }

// Decide holds the votes of a pull request against what the roots need.
func Decide(ctx context.Context, p Pull, s Subject, needs Needs, people People) (Decision, error) {
	d := Decision{Verdict: Approved, Fingerprint: s.Fingerprint, PullRequest: p.Number, Head: p.Head}
	valid, ignored := candidates(p, s, needs)
	d.Digits = max(needs.Digits, plan.MinDigits)
	d.Ignored = ignored
	asked := &answers{people: people, members: make(map[string]bool), writers: make(map[string]bool)}
	counted := make(map[string]bool)
	for _, need := range needs.Roots {
		need = p.asks(need)
		root := RootDecision{
			Dir: need.Dir, Workspace: need.Workspace, Needs: need.Approvals, From: need.who(), Why: need.Why, Destroys: need.Destroys,
			Fingerprint: need.Root, Approvals: []Approval{},
		}
		for _, v := range valid {
			name, covers := s.covers(v.names, need.Root)
			if need.Approvals == 0 || !covers {
				continue
			}
			as, err := asked.allowed(ctx, v.User, need)
			if err != nil {
				return Decision{}, fmt.Errorf("decide whether %s may approve %s: %w", v.User, need.name(), err)
			}
			if as != "" {
				one := v.Approval
				one.As, one.Names = as, string(name)
				root.Approvals = append(root.Approvals, one)
				counted[v.User] = true
			}
		}
		if root.Missing() > 0 {
			d.Verdict = Pending
		}
		d.Roots = append(d.Roots, root)
	}
	for _, a := range valid {
		switch {
		case counted[a.User]:
		case asked.onlyReads(a.User):
			d.Ignored = append(d.Ignored, Ignored{
				User: a.User, Reason: NoWriter,
				Detail: "CODEOWNERS names them, and they may not write to the repository, so that GitHub does not count them either",
				URL:    a.URL,
			})
		default:
			d.Ignored = append(d.Ignored, Ignored{
				User: a.User, Reason: NotAllowed, Detail: "no rule that holds here lets them approve", URL: a.URL,
			})
		}
	}
	return d, nil
}

// jobs is whom the job tokens of a repository's workflows act as.
const jobs = "github-actions[bot]"

// asks is what a root asks for where a job pushed the head: one approval more. Who may
// write can let a workflow of their own branch push, and nobody knows who did. If that is
// one of those who approve, the other one is not.
func (p Pull) asks(n Need) Need {
	if n.Approvals > 0 && containsFold(p.Pushers, jobs) {
		n.Approvals++
		why := "one more than the rule says, because a workflow pushed the head, and who let it is not known; a person may push instead"
		n.Why = strings.TrimPrefix(n.Why+"; "+why, "; ")
	}
	return n
}

// answers keeps what GitHub said, so that it is asked once.
type answers struct {
	people  People
	members map[string]bool // by team and user
	writers map[string]bool
}

// allowed says as whom the user may approve; empty is not at all.
func (a *answers) allowed(ctx context.Context, user string, need Need) (string, error) {
	as, err := a.among(ctx, user, need.From)
	if err != nil || as != "" {
		return as, err
	}
	if as, err = a.among(ctx, user, need.Owners); err != nil || as == "" {
		return "", err
	}
	key := strings.ToLower(user)
	writes, known := a.writers[key]
	if !known {
		if writes, err = a.people.CanWrite(ctx, user); err != nil {
			return "", err
		}
		a.writers[key] = writes
	}
	if !writes {
		return "", nil
	}
	return as, nil
}

func (a *answers) onlyReads(user string) bool {
	writes, known := a.writers[strings.ToLower(user)]
	return known && !writes
}

func (a *answers) among(ctx context.Context, user string, list []string) (string, error) {
	for _, who := range list {
		org, team, isTeam := strings.Cut(who, "/")
		if !isTeam {
			if strings.EqualFold(who, user) {
				return who, nil
			}
			continue
		}
		key := strings.ToLower(who + " " + user)
		in, known := a.members[key]
		if !known {
			var err error
			if in, err = a.people.TeamMember(ctx, org, team, user); err != nil {
				return "", err
			}
			a.members[key] = in
		}
		if in {
			return who, nil
		}
	}
	return "", nil
}

// Reason says in a few lines what is missing, and what does not count.
func (d Decision) Reason() string {
	var lines []string
	for _, r := range d.Roots {
		if n := r.Missing(); n > 0 {
			what := ""
			if r.Destroys {
				what = ", because the plan destroys"
			}
			if r.Why != "" {
				what += " (" + r.Why + ")"
			}
			lines = append(lines, fmt.Sprintf(
				"%s: %d of %d approvals%s; still needed: %d of %s", r.name(), len(r.Approvals), r.Needs, what, n,
				strings.Join(r.WaitsFor(), ", "),
			))
		}
	}
	for _, i := range d.Ignored {
		lines = append(lines, fmt.Sprintf("does not count: %s (%s): %s", i.User, i.Reason, i.Detail))
	}
	if d.Verdict == Pending {
		lines = append(lines, "to approve, review commit "+text.Commit(d.Head)+" with the line: approve "+d.Fingerprint.First(d.Digits))
	}
	return strings.Join(lines, "\n")
}

// WaitsFor lists the users and teams that can still approve.
func (r RootDecision) WaitsFor() []string {
	var left []string
	for _, who := range r.From {
		if !slices.ContainsFunc(r.Approvals, func(a Approval) bool { return strings.EqualFold(a.User, who) }) {
			left = append(left, who)
		}
	}
	return left
}

// Ask says in Markdown what a plan with these needs waits for.
func Ask(full plan.Fingerprint, needs Needs) string {
	var wants []string
	for _, n := range needs.Roots {
		if n.Approvals == 0 {
			continue
		}
		text := fmt.Sprintf("%d of %s for %s", n.Approvals, markdown.Text(strings.Join(n.who(), " or ")), markdown.Code(n.name()))
		if n.Destroys {
			text += ", which destroys"
		}
		if n.Why != "" {
			text += ", because " + markdown.Text(n.Why)
		}
		if !slices.Contains(wants, text) {
			wants = append(wants, text)
		}
	}
	if len(wants) == 0 {
		return "No rule asks for an approval of this plan."
	}
	const most = 20
	if len(wants) > most {
		wants = append(wants[:most], fmt.Sprintf("and %d more", len(wants)-most))
	}
	line := markdown.Code("approve " + full.First(max(needs.Digits, plan.MinDigits)))
	return "To approve this plan and no other, review with a line " + line + " (" + strings.Join(wants, "; ") +
		"). A new commit or plan asks again."
}

// Approvers are the users whose approvals count, each once.
func (d Decision) Approvers() []string {
	var users []string
	for _, r := range d.Roots {
		for _, a := range r.Approvals {
			if !slices.Contains(users, a.User) {
				users = append(users, a.User)
			}
		}
	}
	return users
}

// By names the approvers, or says that none was asked for.
func (d Decision) By() string {
	if users := d.Approvers(); len(users) > 0 {
		return strings.Join(users, ", ")
	}
	return "nobody: no rule asks for it"
}

// WaitsFor says shortly who is still needed.
func (d Decision) WaitsFor() string {
	var parts []string
	for _, r := range d.Roots {
		if n := r.Missing(); n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s for %s", n, strings.Join(r.WaitsFor(), " or "), r.name()))
		}
	}
	return "needs " + strings.Join(parts, "; ")
}

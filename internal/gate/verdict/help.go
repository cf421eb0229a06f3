package verdict

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// maxHelpRows bounds the table of roots.
const maxHelpRows = 60

// Help answers a comment /help: which comments there are, and the roots of the plan. It
// is answered by one comment, however often the job runs, and only to those who may
// write: nobody else makes a job of the repository talk. It needs no secret and no
// checkout; what it says of the plan is what the plan comment claims.
func (r Request) Help(ctx context.Context, c *asked.Comment) error {
	switch {
	case c == nil:
		return outcome.Usagef("--answer-help is for the job that a comment starts")
	case c.Action != "created":
		return outcome.Refusedf("the comment was %s: only a new one asks for something", c.Action)
	case !c.Helps():
		return outcome.Refusedf("the comment does not ask for help: its first line is /help, and nothing else")
	}
	may, err := r.Site.API.CanWrite(ctx, r.Site.Repo, c.User)
	if err != nil {
		return err
	}
	if !may {
		return outcome.Refusedf("%s has no write access to %s, so /help was ignored", c.User, r.Site.Repo)
	}
	plan, err := r.helpPlan(ctx)
	if err != nil {
		return err
	}
	marker := fmt.Sprintf("<!-- waybill:help %d -->", c.ID)
	return r.Site.Keep(ctx, r.Site.API, marker, markdown.Comment(marker+"\n@"+c.User+": "+helpForms()+plan))
}

// helpForms lists the comments that there are.
func helpForms() string {
	var out strings.Builder
	out.WriteString("these comments ask for something, each by its first line.\n\n")
	out.WriteString(markdown.Row("comment", "what it does", "needs") + "|---|---|---|\n")
	for _, f := range asked.Forms {
		out.WriteString(markdown.Row(markdown.Code(f.Words), f.Does, f.Needs))
	}
	return out.String()
}

// helpPlan says which plan stands, and how each of its roots does.
func (r Request) helpPlan(ctx context.Context) (string, error) {
	claim, found, err := comment.FindClaim(ctx, r.Site)
	if err == nil && found {
		claim, err = claim.Whole(ctx, r.Registry)
	}
	switch head := markdown.Code(fmt.Sprintf("%.7s", r.Site.Pull.HeadSHA)); {
	case outcome.Code(err) == outcome.Refused:
		return "\nThe plan of this pull request cannot be read: " + markdown.Text(text.Flat(err.Error())) + "\n", nil
	case err != nil:
		return "", err
	case !found:
		return "\nThere is no plan of " + head + ": it touches no root, it is being planned, or its plan failed.\n", nil
	case claim.Head != r.Site.Pull.HeadSHA:
		return "\nThe plan is of an earlier commit than " + head + ", so that nothing of it counts. A plan of the new one is on its way; " +
			"`/plan` asks for another.\n", nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n**Plan** %s of %s.", markdown.Code(claim.Fingerprint.Short()), markdown.Code(fmt.Sprintf("%.7s", claim.Head)))
	if err := r.helpStatus(ctx, &out); err != nil {
		return "", err
	}
	if err := r.helpRoots(ctx, claim, &out); err != nil {
		return "", err
	}
	needs, _, err := approval.Ruled(ctx, r.Site, r.changes(claim, nil))
	switch {
	case outcome.Code(err) == outcome.Refused:
		out.WriteString("\n⚠️ Nobody can approve this plan: " + markdown.Text(text.Flat(err.Error())) + "\n")
	case err != nil:
		return "", err
	default:
		out.WriteString("\n" + approval.Ask(claim.Fingerprint, needs) + "\n")
	}
	return out.String(), nil
}

// helpStatus says what the gate reported last of the head.
func (r Request) helpStatus(ctx context.Context, out *strings.Builder) error {
	statuses, err := r.Site.API.Statuses(ctx, r.Site.Repo, r.Site.Pull.HeadSHA)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(statuses, func(s github.Status) bool { return s.Context == r.Status })
	if at < 0 {
		out.WriteString(" The gate has not reported on it.\n")
		return nil
	}
	out.WriteString(" The gate reported *" + markdown.Text(statuses[at].State) + "*: " +
		markdown.Text(text.Flat(onto.ReplaceAllString(statuses[at].Description, ""))) + "\n")
	return nil
}

// helpRoots lists the roots of the plan.
func (r Request) helpRoots(ctx context.Context, claim comment.Claim, out *strings.Builder) error {
	rules, err := r.Site.Terraform(ctx)
	if err != nil {
		return err
	}
	moved, err := comment.FindMoved(ctx, r.Site)
	if err != nil {
		return err
	}
	moved = claim.Before(moved)
	if err := claim.Proven(); err != nil {
		out.WriteString("\n" + markdown.Text(text.Flat(err.Error())) + "\n")
		return nil
	}
	out.WriteString(helpTable(claim, moved, func(root comment.ClaimRoot) string {
		return rules.Environment(root.Dir, root.Workspace).Name
	}))
	err = comment.Held(ctx, r.Site, func(h comment.Hold) bool {
		return slices.ContainsFunc(claim.Roots, func(root comment.ClaimRoot) bool { return h.Is(root.Dir, root.Workspace) })
	})
	if outcome.Code(err) == outcome.Pending {
		out.WriteString("\n⏳ " + markdown.Text(text.Flat(err.Error())) + "\n")
		return nil
	}
	return err
}

// helpTable lists the roots that were planned, and those that wait.
func helpTable(claim comment.Claim, moved []comment.Moved, environment func(comment.ClaimRoot) string) string {
	var out strings.Builder
	out.WriteString("\n" + markdown.Row("root", "fingerprint", "plan", "applied in") + "|---|---|---|---|\n")
	for i, root := range claim.Roots {
		if i == maxHelpRows {
			fmt.Fprintf(&out, "\n%s more.\n", text.Count(len(claim.Roots)-maxHelpRows, "root"))
			break
		}
		at := roots.Root{Dir: root.Dir, Workspace: root.Workspace}
		out.WriteString(markdown.Row(markdown.Code(text.Clip(at.Name())), markdown.Code(claim.Parts[i].Short()), helpRoot(root, moved),
			markdown.Code(environment(root))))
	}
	for i, w := range claim.Waits {
		if i == maxHelpRows {
			fmt.Fprintf(&out, "\n%s for others too.\n", waitMore(len(claim.Waits)-maxHelpRows))
			break
		}
		at := roots.Root{Dir: w.Dir, Workspace: w.Workspace}
		out.WriteString("\n" + markdown.Code(text.Clip(at.Name())) + " waits: it is planned when " +
			markdown.Text(text.List(w.After, maxHelpRows)) + " is applied.\n")
	}
	return out.String()
}

func waitMore(n int) string {
	if n == 1 {
		return "1 root more waits"
	}
	return fmt.Sprintf("%d roots more wait", n)
}

// helpRoot says what the plan of one root does, and whether its state moved since.
func helpRoot(root comment.ClaimRoot, moved []comment.Moved) string {
	said := "changes nothing"
	switch {
	case root.Removed:
		said = "is no root any more"
	case root.Destroys:
		said = "**destroys**"
	case root.Changes:
		said = "changes"
	}
	at := roots.Root{Dir: root.Dir, Workspace: root.Workspace}
	for _, m := range moved {
		if at.Is(m.Dir, m.Workspace) {
			said += "; ⚠️ " + markdown.Text(text.Flat(m.String())) + ": plan it again"
		}
	}
	return said
}

package apply

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Unlocks reports whether the order is to unlock something, and to apply nothing.
func (o Order) Unlocks() bool { return o.Asked != nil && o.Asked.Unlocks() }

// unlock ends what the comment names. Callers have made sure that its author may write,
// as who asks for an apply may.
func (o Order) unlock(ctx context.Context, report func(context.Context, *Result) error) error {
	wanted, result := o.Asked.Lock(), &Result{Site: o.Site}
	if wanted.ID == "" {
		if err := o.endHold(ctx, result); err != nil {
			return err
		}
		return report(ctx, result)
	}
	root, err := o.lockedRoot(ctx, wanted)
	if err == nil {
		err = o.nobodyElse(ctx)
	}
	var broken terraform.Lock
	if err == nil {
		broken, err = o.breakLock(ctx, root, wanted.ID)
	}
	if err != nil {
		return err
	}
	name := root.Name()
	result.Unlocked = fmt.Sprintf("the lock of %s, held by %s", name, broken)
	if o.Tell.Comment {
		err = o.Site.Say(ctx, o.Site.API, Marker+"\n@"+o.Asked.User+" ended "+markdown.Text(result.Unlocked)+
			". See what the state holds before you apply: comment `/plan`.\n")
	}
	return outcome.Join(report(ctx, result), err)
}

// endHold ends the hold of a pull request that was applied before its merge, and lets
// the gate decide anew about those that it held up.
func (o Order) endHold(ctx context.Context, result *Result) error {
	holds, err := comment.FindHolds(ctx, o.Site)
	if err != nil {
		return err
	}
	if len(holds) == 0 {
		return outcome.Refusedf("#%d holds no root. For a lock of terraform that a dead job left, comment /unlock DIR LOCK, with the id "+
			"that terraform names", o.Site.Pull.Number)
	}
	words := "@" + o.Asked.User + " ended the hold: other pull requests may be applied to these roots.\n"
	if err := comment.KeepHolds(ctx, o.Site, nil, words); err != nil {
		return err
	}
	var names []string
	for _, h := range holds {
		names = append(names, h.Name())
	}
	result.Unlocked = "the hold of " + text.List(names, maxNamed)
	return o.eachOther(ctx, func(ctx context.Context, s *site.Site, claim comment.Claim) error {
		waits := slices.ContainsFunc(claim.Roots, func(r comment.ClaimRoot) bool {
			return slices.ContainsFunc(holds, func(h comment.Hold) bool { return h.Is(r.Dir, r.Workspace) })
		})
		if !waits {
			return nil
		}
		return o.startGate(ctx, s)
	})
}

// lockedRoot is the root whose lock is asked for: one of the default branch, which must
// be checked out, and of this job's environment.
func (o Order) lockedRoot(ctx context.Context, wanted asked.Lock) (root roots.Root, err error) {
	tip, err := o.Site.Tip(ctx)
	if err != nil {
		return root, err
	}
	if sha, _, err := o.Site.Checkout(ctx); err != nil || sha != tip {
		return root, outcome.Join(err, outcome.Refusedf("the checkout is %.7s, not %.7s of the default branch: only what is merged runs with "+
			"the role that may break locks", sha, tip))
	}
	rules, err := o.Site.Terraform(ctx)
	if err != nil {
		return root, err
	}
	every, err := roots.With(o.Tool.Top, nil)
	if err != nil {
		return root, err
	}
	named := roots.Root{Dir: wanted.Dir, Workspace: wanted.Workspace}
	every = roots.Of([]roots.Root{named}).Expand(every) // where a pattern matches it
	at := slices.IndexFunc(every, func(r roots.Root) bool { return !r.Pattern && r.Is(wanted.Dir, wanted.Workspace) })
	if at < 0 {
		return root, outcome.Refusedf("%s is no root of the default branch", text.Printable(named.Name()))
	}
	if name := rules.Environment(every[at].Dir, every[at].Workspace).Name; o.Environment != "" && o.Environment != name {
		return root, outcome.Refusedf("%s is applied in the environment %s, and this job is in %s", every[at].Dir, name, o.Environment)
	}
	return every[at], nil
}

// nobodyElse refuses while another run of the workflow may hold the lock.
func (o Order) nobodyElse(ctx context.Context) error {
	if o.Workflow == "" {
		return nil
	}
	running, err := o.Site.API.Running(ctx, o.Site.Repo, o.Workflow, o.Run)
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return outcome.Pendingf("another run of %s is in progress, and may hold the lock: %s. Wait for it, or cancel it",
			o.Workflow, text.List(running, maxNamed))
	}
	return nil
}

// breakLock ends the lock with an id, if that is the one that stands.
func (o Order) breakLock(ctx context.Context, root roots.Root, id string) (broken terraform.Lock, err error) {
	kit, err := tool.Prepare(o.Tool)
	if err != nil {
		return broken, err
	}
	defer kit.Close()
	allowed, err := o.Site.Terraform(ctx)
	if err != nil {
		return broken, err
	}
	defer func() { err = redact.GivenSecrets(kit.Env(nil)).Error(err) }()
	tf, err := policy.Opened(ctx, kit, allowed, root)
	if err != nil {
		return broken, err
	}
	stands, is, err := tf.Held(ctx)
	switch {
	case err != nil:
		return broken, err
	case !is:
		return broken, outcome.Refusedf("nobody holds a lock of %s", root.Dir)
	case stands.ID != id:
		return broken, outcome.Refusedf("the lock of %s is another: it is held by %s", root.Dir, text.Printable(stands.String()))
	}
	return stands, tf.ForceUnlock(ctx, stands)
}

// unlockEnvironment is the environment in which a comment /unlock is carried out.
func (o Order) unlockEnvironment(ctx context.Context, rules config.Terraform) (config.TerraformEnvironment, error) {
	at := o.Asked.Lock()
	if at.Dir == "" {
		holds, err := comment.FindHolds(ctx, o.Site)
		if err != nil || len(holds) == 0 {
			return config.TerraformEnvironment{Name: config.DefaultEnvironment}, err
		}
		at.Dir, at.Workspace = holds[0].Dir, holds[0].Workspace
	}
	return rules.Environment(at.Dir, at.Workspace), nil
}

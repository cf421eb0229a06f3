package doctor

import (
	"context"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
)

// use is an action or a reusable workflow of another repository that a workflow names.
type use struct {
	file, action, ref string
	written           string // the ref as a person reads it: the comment behind a commit
}

// reusable is the path of a reusable workflow. Where GitHub asks for commits, it may
// still be named by a tag.
var reusable = regexp.MustCompile(`^[^/]+/[^/]+/\.github/workflows/`)

func (u use) String() string { return u.file + ": " + u.action + "@" + u.written }

// used are the actions that the workflow files name.
func (d *doctor) used() (all []use) {
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		if path.Dir(name)+"/" != workflowDir {
			continue
		}
		for _, m := range uses.FindAllStringSubmatch(string(d.Files[name]), -1) {
			u := use{file: path.Base(name), action: m[1], ref: m[2], written: m[2]}
			if m[3] != "" {
				u.written = m[3]
			}
			if !strings.HasPrefix(u.action, "./") && !strings.HasPrefix(u.action, "docker:") {
				all = append(all, u)
			}
		}
	}
	return all
}

// actions looks at whether GitHub lets the workflows run what they name. A job that
// names an action which is not allowed fails before its first step.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/enabling-features-for-your-repository/managing-github-actions-settings-for-a-repository
func (d *doctor) actions(ctx context.Context) error {
	if err := d.switchedOff(ctx); err != nil {
		return err
	}
	policy, err := d.API.ActionsPolicy(ctx, d.Repository)
	if err != nil {
		return d.unread("actions", "which actions the workflows may use", "administration: read", err)
	}
	settings := d.API.ServerURL() + "/" + d.Repository.String() + "/settings/actions"
	if !policy.Enabled {
		d.add(Fail, "actions", "switch it on at "+settings, "GitHub Actions is switched off in %s, so nothing runs", d.Repository)
		return nil
	}
	var refused, unsure, movable []string
	for _, u := range d.used() {
		switch allowed := d.allowed(policy, u); {
		case !allowed && policy.Allowed == "selected" && policy.Verified:
			unsure = append(unsure, u.action)
		case !allowed:
			refused = append(refused, u.action)
		}
		if policy.Pinned && !reusable.MatchString(u.action) && !git.IsObjectID(u.ref) {
			movable = append(movable, u.String())
		}
	}
	allow := "allow GitHub's own actions and " + ours + "**@* at " + settings + ", or where the organisation sets it"
	d.say(Fail, "actions", refused, allow, "GitHub does not let the workflows use these actions, and no job with one begins")
	d.say(Warn, "actions", unsure, allow, "the workflows may use these actions only if GitHub has verified who made them")
	d.say(Fail, "actions", movable, "waybill upgrade --actions-commit SHA, with the commit of the release",
		"GitHub runs no action that is not named by a commit, and these are not")
	if len(refused)+len(unsure)+len(movable) == 0 {
		d.add(OK, "actions", "", "GitHub lets the workflows use every action that they name")
	}
	return nil
}

func (d *doctor) allowed(policy settings.ActionsPolicy, u use) bool {
	owner, _, _ := strings.Cut(u.action, "/")
	switch {
	case strings.EqualFold(owner, d.Repository.Owner), policy.Allowed != "local_only" && policy.Allowed != "selected":
		return true
	case policy.Allowed == "local_only":
		return false
	}
	allowed := policy.OfGitHub && (owner == "actions" || owner == "github")
	for _, pattern := range policy.Patterns {
		// A pattern that begins with ! takes out what others let in.
		// https://github.blog/changelog/2025-08-15-github-actions-policy-now-supports-blocking-and-sha-pinning-actions/
		not, without := strings.CutPrefix(pattern, "!")
		if fits(map[bool]string{true: not, false: pattern}[without], u.action+"@"+u.ref) {
			if without {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// fits reports whether a pattern of the settings lets an action in. One star is
// everything but a slash, and two are everything.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
func fits(pattern, name string) bool {
	form := strings.NewReplacer(`\*\*`, `.*`, `\*`, `[^/]*`).Replace(regexp.QuoteMeta(pattern))
	matched, _ := regexp.MatchString("(?i)^"+form+"$", name) // it was quoted
	return matched
}

// switchedOff looks for workflows that GitHub does not start any more. In a public
// repository it switches those with a schedule off after 60 days without activity.
// https://docs.github.com/en/actions/how-tos/manage-workflow-runs/disable-and-enable-workflows
func (d *doctor) switchedOff(ctx context.Context) error {
	states, err := d.API.WorkflowStates(ctx, d.Repository)
	if err != nil {
		return d.unread("actions", "which workflows are switched off", "actions: read", err)
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if _, there := d.Files[name]; !there || states[name] == "active" {
			continue
		}
		why := "it is switched off"
		if states[name] == "disabled_inactivity" {
			why = "GitHub has switched it off, because nothing happened in the repository for 60 days"
		}
		d.add(Fail, "actions", "gh workflow enable "+path.Base(name)+" --repo "+d.Repository.String(), "%s does not run: %s", name, why)
	}
	return nil
}

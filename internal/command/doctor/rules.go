package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/workflows"
)

// actionsApp is the App of job tokens on github.com. A workflow on any branch
// can have a job token that sets statuses.
const actionsApp = 15368

// ruleset looks at what merging into the default branch needs.
func (d *doctor) ruleset(ctx context.Context) error {
	rules, err := d.API.Rules(ctx, d.Repository, d.Branch)
	var answer *github.Error
	if errors.As(err, &answer) && strings.Contains(answer.Message, "Upgrade to GitHub") {
		d.add(Fail, "ruleset", "move to a plan with rulesets, or make the repository public",
			"the plan has no rulesets for private repositories: nothing keeps an unjudged change out of %s", d.Branch)
		return nil
	}
	if err != nil {
		return d.unread("ruleset", "what merging into "+d.Branch+" needs", "metadata: read", err)
	}
	if d.service {
		d.required(rules, path.Join("waybill/check", d.Dir))
	}
	if d.gate {
		d.required(rules, "waybill/gate")
	}
	d.reviews(rules)
	var seen []int64
	for _, rule := range rules {
		if !slices.Contains(seen, rule.Ruleset) {
			seen = append(seen, rule.Ruleset)
			if err := d.bypass(ctx, rule.Ruleset); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *doctor) required(rules []settings.Rule, context string) {
	settings := d.API.ServerURL() + "/" + d.Repository.String() + "/settings/rules"
	var by []int64
	for _, rule := range rules {
		for _, check := range rule.Parameters.Checks {
			if check.Context == context {
				by = append(by, check.App)
			}
		}
	}
	pin := "name the App as the source of the status at " + settings
	if d.app != 0 {
		pin = fmt.Sprintf("set integration_id to %d at %s", d.app, settings)
	}
	switch {
	case len(by) == 0:
		d.add(Fail, "ruleset", "require it at "+settings, "no ruleset requires %s on %s: a change is merged unjudged", context, d.Branch)
	case !slices.ContainsFunc(by, func(app int64) bool { return app != 0 }):
		d.add(Fail, "ruleset", pin, "the ruleset requires %s from anyone: everybody who may push can set it", context)
	case slices.Contains(by, actionsApp):
		d.add(Fail, "ruleset", pin, "the ruleset requires %s from GitHub Actions: a workflow on any branch can set it", context)
	case d.app != 0 && !slices.Contains(by, d.app):
		d.add(Fail, "ruleset", pin, "the ruleset requires %s from the App %d, and Waybill acts as the App %d: the status stays pending",
			context, by[0], d.app)
	default:
		d.add(OK, "ruleset", "", "merging into %s requires %s from the App", d.Branch, context)
	}
}

func (d *doctor) reviews(rules []settings.Rule) {
	i := slices.IndexFunc(rules, func(r settings.Rule) bool { return r.Type == "pull_request" })
	settings := d.API.ServerURL() + "/" + d.Repository.String() + "/settings/rules"
	switch {
	case i < 0:
		d.add(Fail, "ruleset", "require a pull request at "+settings, "%s takes a push without a pull request", d.Branch)
	case !rules[i].Parameters.CodeOwners || !rules[i].Parameters.LastPush:
		d.add(Warn, "ruleset", "require both at "+settings,
			"the ruleset does not ask for a review by code owners and for approval of the last push")
	default:
		d.add(OK, "ruleset", "", "%s changes by pull requests that code owners review", d.Branch)
	}
}

// bypass looks at who may pass a ruleset: the App where an environment takes
// commits, and nobody else.
func (d *doctor) bypass(ctx context.Context, id int64) error {
	ruleset, err := d.API.Ruleset(ctx, d.Repository, id)
	if err != nil {
		return d.unread("bypass", "who may pass the ruleset", "administration: write", err)
	}
	settings := fmt.Sprintf("%s/%s/settings/rules/%d", d.API.ServerURL(), d.Repository, id)
	if ruleset.Bypass == nil {
		d.add(Warn, "bypass", "look at "+settings, "who may pass the ruleset %q is unknown: the token needs administration: write",
			ruleset.Name)
		return nil
	}
	var others []string
	app := false
	for _, actor := range *ruleset.Bypass {
		switch {
		case actor.Type == "Integration" && (actor.Actor == d.app || d.app == 0):
			app = true
		case actor.Mode != "pull_request":
			others = append(others, fmt.Sprintf("%s %d", actor.Type, actor.Actor))
		}
	}
	commits := slices.ContainsFunc(d.config.Environments, func(e config.Environment) bool { return e.Promotion == config.Auto })
	switch {
	case len(others) > 0:
		d.add(Fail, "bypass", "take them off the bypass list at "+settings, "the ruleset %q lets others than the App past: %s",
			ruleset.Name, strings.Join(others, ", "))
	case commits && !app:
		d.add(Fail, "bypass", "put the App on the bypass list at "+settings,
			"the ruleset %q does not let the App past: it cannot commit to the environments with promotion: auto", ruleset.Name)
	default:
		d.add(OK, "bypass", "", "nobody but the App may pass the ruleset %q", ruleset.Name)
	}
	return nil
}

var teamName = regexp.MustCompile(`@([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)`)

// owners looks at CODEOWNERS with GitHub's own eyes: it takes no notice of a
// team that cannot write.
func (d *doctor) owners(ctx context.Context) error {
	found, err := d.API.CodeOwnerErrors(ctx, d.Repository)
	if github.IsNotFound(err) {
		d.add(Fail, "codeowners", "write .github/CODEOWNERS, with a line for * and one for /.github/",
			"%s has no CODEOWNERS: nobody in particular is asked to review", d.Repository)
		return nil
	}
	if err != nil {
		return d.unread("codeowners", "whether the owners in CODEOWNERS count", "contents: read", err)
	}
	for _, e := range found {
		fix := e.Suggestion
		if team := teamName.FindStringSubmatch(e.Suggestion); team != nil {
			fix = fmt.Sprintf("gh api -X PUT orgs/%s/teams/%s/repos/%s -f permission=push", team[1], team[2], d.Repository)
		}
		d.add(Fail, "codeowners", fix, "%s:%d: %s: %s. GitHub asks no such owner", e.Path, e.Line, e.Kind, strings.TrimSpace(e.Source))
	}
	if len(found) == 0 {
		d.add(OK, "codeowners", "", "every owner in CODEOWNERS exists and may write")
	}
	return nil
}

// access looks at whether applications may call the repository's workflows.
func (d *doctor) access(ctx context.Context) error {
	if _, delivers := d.Files[workflowDir+workflows.In(d.Dir, "deliver.yml")]; !delivers || !d.info.Private {
		return nil
	}
	level, err := d.API.WorkflowAccess(ctx, d.Repository)
	switch {
	case err != nil:
		return d.unread("access", "who may call deliver.yml", "administration: read", err)
	case level == "none":
		d.add(Fail, "access", fmt.Sprintf("gh api -X PUT repos/%s/actions/permissions/access -f access_level=organization", d.Repository),
			"no other repository may call deliver.yml: no application can be delivered")
	default:
		d.add(OK, "access", "", "repositories of the %s may call deliver.yml", level)
	}
	return d.publicCallers(ctx)
}

// publicCallers looks for applications that GitHub lets call no workflow of a
// private repository, because they are public.
// https://docs.github.com/en/actions/reference/workflows-and-actions/reusing-workflow-configurations#access-to-reusable-workflows
func (d *doctor) publicCallers(ctx context.Context) error {
	asked := map[string]bool{}
	for _, name := range d.config.AppNames() {
		app, err := d.config.App(name)
		if err != nil {
			return err
		}
		source, err := github.ParseRepository(app.Source)
		if err != nil || asked[app.Source] { // none is named
			continue
		}
		asked[app.Source] = true
		info, err := d.API.Repo(ctx, source)
		if github.IsNotFound(err) || github.IsStatus(err, http.StatusForbidden) {
			continue // what the token does not see is not public
		}
		if err != nil {
			return err
		}
		if !info.Private {
			d.add(Fail, "access", "make "+d.Repository.String()+" public, or "+app.Source+" private",
				"%s is public, and GitHub lets no public repository call the deliver.yml of a private one", app.Source)
		}
	}
	return nil
}

// packages looks at whether the evidence of each application can be read.
func (d *doctor) packages(ctx context.Context) error {
	if d.Pull == nil {
		return nil
	}
	for _, name := range d.config.AppNames() {
		app, err := d.config.App(name)
		if err != nil {
			return err
		}
		for _, image := range app.Images() {
			d.pullable(ctx, image.Name())
		}
	}
	return nil
}

// pullable looks at whether one image can be read.
func (d *doctor) pullable(ctx context.Context, image string) {
	fix := "let " + d.Repository.String() + " read the package in its registry"
	if host, path, _ := strings.Cut(image, "/"); registry.OfGitHub(host, d.API.ServerURL()) {
		owner, packageName, _ := strings.Cut(path, "/")
		fix = fmt.Sprintf("add %s under Manage Actions access: %s/orgs/%s/packages/container/%s/settings",
			d.Repository.Name, d.API.ServerURL(), owner, strings.ReplaceAll(packageName, "/", "%2F"))
	}
	switch err := d.Pull(ctx, image); {
	case err == nil:
		d.add(OK, "packages", "", "%s can be read", image)
	case d.AsRepository:
		d.add(Fail, "packages", fix, "%s cannot be read by %s, so no digest of it can be judged: %v", image, d.Repository, err)
	default:
		d.add(Warn, "packages", fix, "%s is not public, and only a job of %s can tell whether it may read it", image, d.Repository)
	}
}

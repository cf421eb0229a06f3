// Package doctor looks at how a config or infrastructure repository is set up on
// GitHub, and says for each setting whether it is right and how to put it right.
//
// It changes nothing. What the token may not see is said to be unknown, with the
// permission that it lacks, and never counts as right. Trouble on the way to
// GitHub ends the look, because half of it would be taken for the whole.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
)

// State says how a setting is.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // weak, or unknown
	Fail State = "fail"
)

// Finding is one setting.
type Finding struct {
	// Check is plan, app, ruleset, bypass, environment, settings, codeowners, access, actions, packages, database,
	// trusted root, docker or workflows.
	Check string `json:"check"`
	State State  `json:"state"`         // ok, warn or fail
	Text  string `json:"text"`          // what there is
	Fix   string `json:"fix,omitempty"` // a command, an address or a setting that puts it right
}

// Report is how a repository is set up.
type Report struct {
	Repository string    `json:"repository"`
	Checks     []Finding `json:"checks"`
	OK         int       `json:"ok"`
	Fail       int       `json:"fail"`
	Warn       int       `json:"warn"`
}

// Reads are the permissions, as in a workflow file, with which an App sees
// everything that a token of an App can see.
var Reads = map[string]string{
	"contents": "read", "actions": "read", "administration": "read", "environments": "read", "secrets": "read",
	"organization-plan": "read",
}

// Request says what to look at.
type Request struct {
	API        settings.Client
	Repository github.Repository
	Branch     string            // the default one
	Files      map[string][]byte // of that branch
	Dir        string            // that holds waybill.yaml; empty is the top
	Version    string            // of this Waybill
	// App is the App that the caller acts as; it has no number if it is not
	// installed on the repository. If nil, it is looked for among the organisation's.
	App *apps.Installation
	// Pull reports whether an image can be read. If AsRepository, it acts with the
	// rights of the repository's own jobs, otherwise without a login.
	Pull         func(ctx context.Context, image string) error
	AsRepository bool
	// Database says when a vulnerability database was made; zero if it does not say.
	// If nil, nobody looks.
	Database func(ctx context.Context, repository string) (time.Time, error)
	// Docker reports, by its error, why no container runs on this job's runner. If nil,
	// nobody looks.
	Docker func(ctx context.Context) error
	// Root reports whether the trusted root of a Sigstore can be had: the JSON that is
	// given, otherwise the public one. If nil, nobody looks.
	Root func(trusted string) error
	Now  time.Time
}

// doctor is one look.
type doctor struct {
	Request
	report  Report
	info    *github.RepositoryInfo
	config  *config.Config
	jobs    []job
	absent  []string // environments
	appID   string   // the client ID that the workflows act as; empty if it is not known
	app     int64    // its number; 0 if it is not known
	service bool     // it deploys applications
	gate    bool     // it has a terraform gate
}

// Run looks at everything.
func Run(ctx context.Context, request Request) (Report, error) {
	d := &doctor{Request: request, report: Report{Repository: request.Repository.String(), Checks: []Finding{}}}
	var err error
	if d.info, err = d.API.Repo(ctx, d.Repository); err != nil {
		return Report{}, err
	}
	if !d.readConfig() || !d.readWorkflows() {
		return d.report, nil
	}
	for _, look := range []func(context.Context) error{
		d.plan, d.environments, d.settings, d.installation, d.ruleset, d.owners, d.access, d.actions, d.packages, d.supplies,
	} {
		if err := look(ctx); err != nil {
			return Report{}, err
		}
	}
	d.versions()
	return d.report, nil
}

func (d *doctor) add(state State, check, fix, text string, args ...any) {
	d.report.Checks = append(d.report.Checks, Finding{Check: check, State: state, Text: fmt.Sprintf(text, args...), Fix: fix})
	switch state {
	case OK:
		d.report.OK++
	case Warn:
		d.report.Warn++
	default:
		d.report.Fail++
	}
}

// unread adds what the token may not see. Any other error is returned.
func (d *doctor) unread(check, what, needs string, err error) error {
	var answer *github.Error
	if !errors.As(err,
		&answer) || !answer.RetryAt.IsZero() || answer.Status != http.StatusForbidden && answer.Status != http.StatusNotFound {
		return err
	}
	if answer.Permission != "" {
		needs = answer.Permission
	}
	d.add(Warn, check, "run waybill doctor with a token that may read it, such as GITHUB_TOKEN=$(gh auth token) of an owner",
		"%s is unknown: the token needs %s", what, needs)
	return nil
}

// readConfig finds out what the repository is for.
func (d *doctor) readConfig() bool {
	name := path.Join(d.Dir, config.FileName)
	data, there := d.Files[name]
	if !there {
		do := "waybill init config, or waybill init infra"
		for _, other := range slices.Sorted(maps.Keys(d.Files)) {
			if path.Base(other) == config.FileName {
				do = "give --path " + path.Dir(other) + ", if " + other + " is meant"
				break
			}
		}
		d.add(Fail, "settings", do, "%s has no %s on %s", d.Repository, name, d.Branch)
		return false
	}
	var err error
	if d.config, err = config.Parse(name, data); err != nil {
		d.add(Fail, "settings", "waybill check", "%v", err)
		return false
	}
	d.service = len(d.config.Environments) > 0
	_, hasGate := d.Files[workflowDir+"gate.yml"]
	d.gate = hasGate || len(d.config.Terraform().Rules) > 0
	return true
}

// https://docs.github.com/en/get-started/learning-about-github/githubs-plans
func (d *doctor) plan(ctx context.Context) error {
	if !d.info.Private {
		d.add(OK, "plan", "", "%s is public: environment secrets, rulesets and CODEOWNERS work on every plan", d.Repository)
		return nil
	}
	plan, err := d.API.Plan(ctx, d.Repository.Owner)
	switch {
	case err != nil:
		return d.unread("plan", "the plan of "+d.Repository.Owner, "organization-plan: read", err)
	case plan == "":
		d.add(Warn, "plan", "an owner sees it at "+d.API.ServerURL()+"/organizations/"+d.Repository.Owner+"/settings/billing",
			"the plan of %s is unknown: the token needs organization-plan: read", d.Repository.Owner)
	case plan == "free":
		d.add(Fail, "plan", "move "+d.Repository.Owner+" to the plan Team, or make the repository public",
			"%s has the plan free: a private repository has no environment secrets, no rulesets and no CODEOWNERS there",
			d.Repository.Owner)
	default:
		d.add(OK, "plan", "", "%s has the plan %s", d.Repository.Owner, plan)
	}
	return nil
}

// wanted are the permissions that the App needs, by scope.
func (d *doctor) wanted() map[string]string {
	var commands []string
	if d.service {
		commands = append(commands, "bump", "promote", "check", "rollback")
	}
	if d.gate {
		commands = append(commands, "gate")
	}
	wanted := map[string]string{}
	for _, name := range commands {
		command, _ := contract.Lookup(name)
		for _, p := range command.Permissions {
			if !p.OfJob() && wanted[p.Scope] != "write" {
				wanted[p.Scope] = p.Access
			}
		}
	}
	return wanted
}

// installation looks for the App, and at what it may do.
func (d *doctor) installation(ctx context.Context) error {
	found := d.App
	if found == nil {
		if d.appID == "" {
			return nil // said where the variable was looked for
		}
		installed, err := apps.Installations(ctx, d.API.Client, d.Repository.Owner)
		if err != nil {
			return d.unread("app", "what the App "+d.appID+" may do", "organization-administration: read", err)
		}
		for i := range installed {
			if d.appID == installed[i].ClientID || d.appID == fmt.Sprint(installed[i].App) {
				found = &installed[i]
			}
		}
	}
	if d.App != nil && d.App.App == 0 {
		found, d.appID = nil, d.App.ClientID
	}
	if found == nil {
		d.add(Fail, "app", "install it on "+d.Repository.String()+" from its settings, or correct the variable WAYBILL_APP_ID",
			"the App %s is not installed on %s", d.appID, d.Repository)
		return nil
	}
	d.app = found.App
	wanted := d.wanted()
	has := found.Narrowed(wanted)
	var missing []string
	for _, scope := range slices.Sorted(maps.Keys(wanted)) {
		if has[scope] == "" {
			missing = append(missing, scope+": "+wanted[scope])
		}
	}
	if len(missing) > 0 {
		d.add(Fail, "app", "grant them in the App's settings, then accept them at "+found.URL, "the App %s lacks %s", found.Slug,
			strings.Join(missing, ", "))
		return nil
	}
	if team := d.reviewingTeam(); team != "" && len(found.Narrowed(github.AskTeams)) == 0 {
		d.add(Warn, "app", "grant it "+permissions(github.AskTeams)+" of the organisation, and accept that at "+found.URL+
			"; CODEOWNERS asks its teams without it",
			"the App %s cannot ask the team %s, which waybill.yaml names as a reviewer", found.Slug, team)
		return nil
	}
	d.add(OK, "app", "", "the App %s is installed with %s", found.Slug, permissions(wanted))
	return nil
}

// reviewingTeam is the first team that an environment's pull requests ask; empty
// if there is none.
func (d *doctor) reviewingTeam() string {
	if !d.service {
		return ""
	}
	for _, env := range d.config.Environments {
		for _, reviewer := range env.Reviewers {
			if strings.Contains(reviewer, "/") {
				return reviewer
			}
		}
	}
	return ""
}

func permissions(of map[string]string) string {
	var list []string
	for _, scope := range slices.Sorted(maps.Keys(of)) {
		list = append(list, scope+": "+of[scope])
	}
	return strings.Join(list, ", ")
}

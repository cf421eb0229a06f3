// Package setup makes on GitHub what docs/getting-started.md asks for:
// repositories, a team's right to review, environments, two GitHub Apps, secrets,
// variables and rulesets. It looks first, says what it would make, makes it after
// a yes, and can be run again at any time: what is there is left as it is.
//
// What only a person can do is said with its address. Package doctor looks at
// the same settings, and judges them.
package setup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// State says how a setting is.
type State string

// The states.
const (
	There   State = "ok"
	Would   State = "would" // be made, or removed
	Made    State = "made"
	Removed State = "removed"
	Absent  State = "absent" // nothing is there to be removed
	Person  State = "you"    // only a person can do it
	Later   State = "later"  // something has to be there first
)

// Step is one setting.
type Step struct {
	Setting string `json:"setting"`       // repository, actions, team, environment, app, secret, installation, ruleset or package
	State   State  `json:"state"`         // ok, would, made, removed, absent, you or later
	Text    string `json:"text"`          // what it is
	Fix     string `json:"fix,omitempty"` // what a person has to do
}

// Report is every setting.
type Report struct {
	Steps  []Step `json:"steps"`
	DryRun bool   `json:"dry_run"`
}

// Count says how many settings are in a state.
func (r Report) Count(state State) int {
	n := 0
	for _, step := range r.Steps {
		if step.State == state {
			n++
		}
	}
	return n
}

// Request says what to make.
type Request struct {
	API      settings.Client
	GitHub   github.Options // of API; the Apps that are made act by it, with their own tokens
	Owner    string         // an organisation
	Config   string         // name of the config repository; empty for none
	Path     string         // directory of the config repository that holds waybill.yaml; empty is its top
	Infra    string         // name of the infrastructure repository; empty for none
	Apps     []string       // names of the applications' repositories
	Team     string         // who reviews; empty leaves teams alone
	Registry string         // where images are; empty is GitHub's own
	Private  bool           // whether repositories that are made are private
	DryRun   bool
	Undo     bool

	// Confirm asks whether to go on with the steps that would change something.
	Confirm func(Report) error
	// Say tells a person what to do now.
	Say func(format string, args ...any)
	// Patience is how long a person has for one page of GitHub's; 0 is ten minutes.
	Patience time.Duration
	// Poll is the time between two looks; 0 is three seconds.
	Poll time.Duration
	Keys Keys
}

// setting is one thing on GitHub.
type setting struct {
	kind, text string
	there      func(ctx context.Context) (bool, error)
	set        func(ctx context.Context) error
	unset      func(ctx context.Context) error // nil if Undo leaves it
}

// unready is why a setting cannot be made now.
type unready struct {
	state State // Person or Later
	fix   string
}

func (u unready) Error() string { return u.fix }

// setup is one call.
type setup struct {
	Request
	config, infra github.Repository
	apps          map[string]*app // by what they are for
	team          int64
	roots         []string // environments that roots are applied in; nil while there is no waybill.yaml
}

// Run looks at every setting, and makes or, if Undo is set, removes what it may.
func Run(ctx context.Context, request Request) (Report, error) {
	s := &setup{Request: request, config: github.Repository{Owner: request.Owner, Name: request.Config},
		infra: github.Repository{Owner: request.Owner, Name: request.Infra}}
	if s.Patience == 0 {
		s.Patience = 10 * time.Minute
	}
	if s.Poll == 0 {
		s.Poll = 3 * time.Second
	}
	if err := s.possible(ctx); err != nil {
		return Report{}, err
	}
	if err := s.readRoots(ctx); err != nil {
		return Report{}, err
	}
	settings := s.settings()
	report := Report{DryRun: s.DryRun, Steps: make([]Step, len(settings))}
	for i, setting := range settings {
		there, err := setting.there(ctx)
		if err != nil && !github.IsNotFound(err) {
			return Report{}, err
		}
		report.Steps[i] = Step{Setting: setting.kind, Text: setting.text, State: s.state(setting, there)}
	}
	if s.DryRun || report.Count(Would) == 0 {
		return report, nil
	}
	if err := s.Confirm(report); err != nil {
		return report, err
	}
	return report, s.carryOut(ctx, settings, &report)
}

func (s *setup) state(setting setting, there bool) State {
	switch {
	case s.Undo && setting.unset == nil:
		return There
	case s.Undo == there:
		return Would
	case there:
		return There
	}
	return Absent
}

// carryOut ends at the first error. What was made stays, and the next call goes
// on from there.
func (s *setup) carryOut(ctx context.Context, settings []setting, report *Report) error {
	for i, setting := range settings {
		step := &report.Steps[i]
		if step.State != Would {
			continue
		}
		act, done := setting.set, Made
		if s.Undo {
			act, done = setting.unset, Removed
		}
		err := act(ctx)
		var not unready
		switch {
		case errors.As(err, &not):
			step.State, step.Fix = not.state, not.fix
		case err != nil:
			return fmt.Errorf("%w: what was made before stays, and the same command goes on from here", err)
		default:
			step.State = done
		}
	}
	return nil
}

// possible refuses what cannot work before anything is made.
func (s *setup) possible(ctx context.Context) error {
	if s.Config == "" && s.Infra == "" {
		return outcome.Usagef("which repository? Give --config, --infra or both")
	}
	if err := s.API.NeedsToken("setup"); err != nil {
		return err
	}
	organisation, err := s.API.IsOrganisation(ctx, s.Owner)
	if err != nil {
		return err
	}
	if !organisation {
		return outcome.Refusedf("%s is a user, and teams and shared secrets are an organisation's: follow docs/getting-started.md, "+
			"step 2, by hand",
			s.Owner)
	}
	plan, err := s.API.Plan(ctx, s.Owner)
	if err != nil {
		return err
	}
	// https://docs.github.com/en/get-started/learning-about-github/githubs-plans
	private, err := s.anyPrivate(ctx)
	if err == nil && plan == "free" && private {
		return outcome.Refusedf("%s has the plan free: a private repository has no environment secrets, no rulesets and no "+
			"CODEOWNERS there. "+
			"Move it to the plan Team, or give --public", s.Owner)
	}
	return err
}

func (s *setup) anyPrivate(ctx context.Context) (bool, error) {
	for _, repo := range s.repositories() {
		info, err := s.API.Repo(ctx, repo)
		switch {
		case github.IsNotFound(err) && s.Private:
			return true, nil
		case github.IsNotFound(err):
		case err != nil:
			return false, err
		case info.Private:
			return true, nil
		}
	}
	return false, nil
}

// judged are the repositories whose default branch is protected.
func (s *setup) judged() (repos []github.Repository) {
	for _, repo := range []github.Repository{s.config, s.infra} {
		if repo.Name != "" {
			repos = append(repos, repo)
		}
	}
	return repos
}

func (s *setup) repositories() []github.Repository {
	repos := s.judged()
	for _, name := range s.Apps {
		repos = append(repos, github.Repository{Owner: s.Owner, Name: name})
	}
	return repos
}

// settings are in the order in which they are made: what one needs comes before.
func (s *setup) settings() (all []setting) {
	for _, repo := range s.repositories() {
		all = append(all, s.repository(repo), s.rights(repo))
	}
	if s.Config != "" {
		all = append(all, s.access())
	}
	if s.Team != "" {
		all = append(all, s.teamExists())
		for _, repo := range s.judged() {
			all = append(all, s.teamAccess(repo))
		}
	}
	for _, repo := range s.judged() {
		all = append(all, s.environment(repo, waybillEnvironment))
	}
	switch {
	case s.Infra == "":
	case s.roots == nil:
		all = append(all, s.rootsLater())
	default:
		for _, name := range s.roots {
			all = append(all, s.environment(s.infra, name))
		}
		all = append(all, s.sealKey())
	}
	all = append(all, s.appSettings()...)
	for _, repo := range s.judged() {
		all = append(all, s.ruleset(repo))
	}
	return append(all, s.packages()...)
}

// waybillEnvironment is the one of the jobs that act as the App.
const waybillEnvironment = "waybill"

func (s *setup) repository(repo github.Repository) setting {
	return setting{
		kind: "repository", text: fmt.Sprintf("%s, %s", repo, map[bool]string{true: "private", false: "public"}[s.Private]),
		there: func(ctx context.Context) (bool, error) { _, err := s.API.Repo(ctx, repo); return err == nil, err },
		set:   func(ctx context.Context) error { return s.API.CreateRepository(ctx, repo, s.Private) },
	}
}

// rights are read by default, and no job approves a pull request.
func (s *setup) rights(repo github.Repository) setting {
	wanted := settings.JobRights{Default: "read"}
	return setting{
		kind: "actions", text: fmt.Sprintf("tokens of jobs in %s read, and approve no pull request", repo),
		there: func(ctx context.Context) (bool, error) {
			has, err := s.API.JobRights(ctx, repo)
			return has == wanted, err
		},
		set: func(ctx context.Context) error {
			err := s.API.SetJobRights(ctx, repo, wanted)
			if github.IsStatus(err, http.StatusConflict) {
				return unready{
					Person,
					"the organisation sets it: see " + s.API.ServerURL() + "/organizations/" + s.Owner + "/settings/actions",
				}
			}
			return err
		},
	}
}

func (s *setup) access() setting {
	return setting{
		kind: "actions", text: "repositories of the organisation may call deliver.yml of " + s.config.String(),
		there: func(ctx context.Context) (bool, error) {
			info, err := s.API.Repo(ctx, s.config)
			if err != nil || !info.Private {
				return err == nil, err
			}
			level, err := s.API.WorkflowAccess(ctx, s.config)
			return level != "none", err
		},
		set: func(ctx context.Context) error { return s.API.SetWorkflowAccess(ctx, s.config, "organization") },
	}
}

func (s *setup) teamExists() setting {
	return setting{
		kind: "team", text: fmt.Sprintf("@%s/%s, visible to the organisation", s.Owner, s.Team),
		there: func(ctx context.Context) (there bool, err error) {
			s.team, err = s.API.Team(ctx, s.Owner, s.Team)
			return err == nil, err
		},
		set: func(ctx context.Context) error {
			if err := s.API.CreateTeam(ctx, s.Owner, s.Team); err != nil {
				return err
			}
			s.Say(
				"The team %s/%s has no members but you: add them at %s/orgs/%[1]s/teams/%[2]s/members", s.Owner, s.Team,
				s.API.ServerURL(),
			)
			return nil
		},
	}
}

// teamAccess is write access: GitHub takes no notice of an owner in CODEOWNERS
// that has less.
func (s *setup) teamAccess(repo github.Repository) setting {
	return setting{
		kind: "team", text: fmt.Sprintf("@%s/%s may write to %s, so that its reviews count", s.Owner, s.Team, repo),
		there: func(ctx context.Context) (bool, error) { return s.API.TeamMayPush(ctx, s.Team, repo) },
		set:   func(ctx context.Context) error { return s.API.LetTeamPush(ctx, s.Team, repo) },
	}
}

// environment is limited to the default branch: a workflow on another branch
// reaches none of its secrets. Undo leaves the environments of the roots: they hold
// the only copies of the key that opens plans.
func (s *setup) environment(repo github.Repository, name string) setting {
	made := setting{
		kind: "environment", text: fmt.Sprintf("%s of %s, for the default branch alone", name, repo),
		there: func(ctx context.Context) (bool, error) {
			info, err := s.API.Repo(ctx, repo)
			if err != nil {
				return false, err
			}
			limit, err := s.API.Environment(ctx, repo, name)
			return len(limit.Branches) == 1 && limit.Branches[0] == info.DefaultBranch, err
		},
		set: func(ctx context.Context) error {
			info, err := s.API.Repo(ctx, repo)
			if err != nil {
				return err
			}
			limit, err := s.API.Environment(ctx, repo, name)
			if err == nil && (limit.Protected || len(limit.Branches) > 0) {
				return unready{Person, fmt.Sprintf("it exists with other branches: allow %s alone at %s/%s/settings/environments",
					info.DefaultBranch, s.API.ServerURL(), repo)}
			}
			if err != nil && !github.IsNotFound(err) {
				return err
			}
			return s.API.LimitEnvironment(ctx, repo, name, info.DefaultBranch, 0)
		},
	}
	if name == waybillEnvironment {
		made.unset = func(ctx context.Context) error {
			return s.API.Delete(ctx, "the environment "+name+" of "+repo.String(), "repos/"+repo.String()+"/environments/"+name)
		}
	}
	return made
}

// packages are readable for the config repository only after a person's click,
// and only when the first delivery has made them.
func (s *setup) packages() (all []setting) {
	host, _, _ := strings.Cut(s.Registry, "/")
	if s.Config == "" || (host != "" && !registry.OfGitHub(host, s.API.ServerURL())) {
		return nil
	}
	for _, name := range s.Apps {
		all = append(all, setting{
			kind: "package", text: fmt.Sprintf("%s may read the image of %s, if it is private", s.config, name),
			there: func(context.Context) (bool, error) { return s.Undo, nil },
			set: func(context.Context) error {
				return unready{Later,
					fmt.Sprintf("after the first delivery, add %s under Manage Actions access: %s/orgs/%s/packages/container/%s/settings",
						s.Config, s.API.ServerURL(), s.Owner, name)}
			},
		})
	}
	return all
}

package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/doctor"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// world is a repository that is set up as docs/getting-started.md says, before
// any test takes a part of it away.
type world struct {
	*sandbox.Server
	t       *testing.T
	dir     string // its files
	app     sandbox.App
	secrets map[string]string // of the environment waybill
	infra   bool              // it has the environment infra
	seal    bool              // and the keys by which plans are sealed
	token   sandbox.Token
	private bool
	request doctor.Request
	main    []string // branches that may use the environments
	require string
	bypass  []string
	team    string // what the platform team may do
	access  string
	actions sandbox.ActionsPolicy
	off     string // state of file
	file    string
}

const config, infra = starter.Config, starter.Infra

func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	dir := t.TempDir()
	server, err := sandbox.New(sandbox.Options{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w := &world{
		Server: server, t: t, dir: filepath.Join(dir, "files"), private: true, token: sandbox.Token{User: "owner"},
		main: []string{"main"}, file: "promote.yml", team: "push", access: "organization",
		app: sandbox.App{Slug: "acme-waybill", Repositories: []string{"acme/ops"}, Permissions: map[string]string{
			"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write", "members": "read",
		}},
		secrets: map[string]string{"WAYBILL_APP_KEY": "k"}, require: "waybill/check@acme-waybill", bypass: []string{"acme-waybill"},
		request: doctor.Request{Repository: github.Repository{Owner: "acme", Name: "ops"}, Branch: "main", Version: "0.1.0",
			Now: looked, Pull: func(context.Context, string) error { return nil },
			Database: func(_ context.Context, repository string) (time.Time, error) {
				if repository != "ghcr.io/aquasecurity/trivy-db:2" {
					t.Errorf("the database %s is looked at", repository)
				}
				return looked.Add(-oldest), nil
			},
			Root: func(string) error { return nil }},
	}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := starter.Write(w.dir, kind, starter.Names{Owner: "acme", App: "backend", Platform: starter.None}, false); err != nil {
		t.Fatal(err)
	}
	if kind == infra {
		w.require, w.bypass = "waybill/gate@acme-waybill", nil
		w.infra, w.seal, w.secrets["WAYBILL_TEAM_TOKEN"] = true, true, "k"
		w.write(".github/CODEOWNERS", "* @acme/platform\n")
	}
	pin := regexp.MustCompile(`@(v0\.1\.0)\b`) // where they are not pinned by scripts/bump.sh
	for _, name := range w.workflows() {
		w.edit(name, func(text string) string { return pin.ReplaceAllString(text, "@"+strings.Repeat("a", 40)+" # $1") })
	}
	return w
}

// looked is when the doctor looks, and oldest the age up to which scan takes a database.
var looked = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

const oldest = 72 * time.Hour

// database gives the age of the vulnerability database, or why it is not there.
func (w *world) database(made time.Time, err error) {
	w.request.Database = func(context.Context, string) (time.Time, error) { return made, err }
}

func (w *world) workflows() []string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.dir, ".github/workflows/*.yml"))
	if err != nil || len(found) == 0 {
		w.t.Fatalf("no workflows: %v", err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], w.dir+"/")
	}
	return found
}

func (w *world) write(name, text string) { w.edit(name, func(string) string { return text }) }

func (w *world) edit(name string, f func(string) string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	data, _ := os.ReadFile(path) // a new file is empty
	if err := os.WriteFile(path, []byte(f(string(data))), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// look sets everything up, and looks.
func (w *world) look() doctor.Report {
	w.t.Helper()
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	check(w.CreateRepository(w.t.Context(), sandbox.Seed{Name: "acme/ops", Dir: w.dir, Private: w.private}))
	id, _, err := w.CreateApp(w.app)
	check(err)
	if strings.Contains(w.require+strings.Join(w.bypass, " "), "stranger") {
		_, _, err = w.CreateApp(sandbox.App{Slug: "stranger"})
		check(err)
	}
	if w.require != "" {
		check(w.Protect("acme/ops", w.bypass...))
		check(w.SetRequired("acme/ops", w.require))
	}
	if strings.Join(w.main, "") != "" || w.main == nil {
		check(w.SetEnvironment("acme/ops", "waybill", w.main...))
		for name, value := range w.secrets {
			check(w.SetEnvironmentSecret("acme/ops", "waybill", name, value))
		}
		check(w.SetEnvironmentVariable("acme/ops", "waybill", "WAYBILL_APP_ID", id))
	}
	if w.seal {
		check(w.SetVariable("acme/ops", "WAYBILL_SEAL_TO", "age1"))
		check(w.SetEnvironmentSecret("acme/ops", "infra", "WAYBILL_SEAL_KEY", "k"))
	}
	if w.infra {
		check(w.SetEnvironment("acme/ops", "infra", w.main...))
		check(w.SetEnvironmentSecret("acme/ops", "infra", "WAYBILL_TEAM_TOKEN", "k"))
	}
	w.SetTeam("acme/platform", "bob")
	check(w.SetTeamAccess("acme/ops", "platform", w.team))
	check(w.SetWorkflowAccess("acme/ops", w.access))
	check(w.SetActionsPolicy("acme/ops", w.actions))
	check(w.SetWorkflowState("acme/ops", w.file, w.off))
	api, err := github.New(github.Options{Token: w.CreateToken(w.token), APIURL: w.APIURL(), ServerURL: w.URL()})
	check(err)
	files, err := configrepo.NewGitHub(api, w.request.Repository).Snapshot(w.t.Context(), "main")
	check(err)
	w.request.API, w.request.Files = settings.Of(api), files.Files
	report, err := doctor.Run(w.t.Context(), w.request)
	check(err)
	return report
}

// Where everything is as the guide says, every line is ok.
func TestEverythingIsRight(t *testing.T) {
	t.Parallel()
	for kind, checks := range map[string]string{
		config: "plan environment settings app ruleset ruleset bypass codeowners access actions packages packages database trusted root workflows",
		infra:  "plan environment environment settings app ruleset ruleset bypass codeowners actions workflows",
	} {
		report := newWorld(t, kind).look()
		var seen []string
		for _, f := range report.Checks {
			seen = append(seen, f.Check)
			if f.State != doctor.OK || f.Fix != "" {
				t.Errorf("%s: %s %s: %s (%s)", kind, f.State, f.Check, f.Text, f.Fix)
			}
		}
		if got := strings.Join(seen, " "); got != checks || report.OK != len(seen) || report.Fail+report.Warn != 0 {
			t.Errorf("%s: looked at %s (%d ok, %d fail, %d warn)", kind, got, report.OK, report.Fail, report.Warn)
		}
	}
}

// Each thing that is wrong gives one line with its fix, and no other.
func TestEachThingThatIsWrong(t *testing.T) {
	t.Parallel()
	replace := func(file, old, with string) func(*world) {
		return func(w *world) {
			w.edit(".github/workflows/"+file, func(text string) string { return strings.Replace(text, old, with, 1) })
		}
	}
	for name, test := range map[string]struct {
		change           func(*world)
		state            doctor.State
		check, text, fix string
	}{
		"the App lacks a permission": {func(w *world) { w.app.Permissions["statuses"] = "read" },
			doctor.Fail, "app", "acme-waybill lacks statuses: write", "accept them at http"},
		"the App cannot ask a team": {func(w *world) { delete(w.app.Permissions, "members") },
			doctor.Warn, "app", "acme-waybill cannot ask the team acme/platform, which waybill.yaml names as a reviewer",
			"grant it members: read of the organisation"},
		"the status is set by anyone": {func(w *world) { w.require = "waybill/check" },
			doctor.Fail, "ruleset", "requires waybill/check from anyone", "set integration_id to "},
		"the status is another App's": {func(w *world) { w.require = "waybill/check@stranger" },
			doctor.Fail, "ruleset", "the status stays pending", "set integration_id to "},
		"another status is required": {func(w *world) { w.require = "ci" },
			doctor.Fail, "ruleset", "no ruleset requires waybill/check on main", "/settings/rules"},
		"another App passes the rules": {func(w *world) { w.bypass = append(w.bypass, "stranger") },
			doctor.Fail, "bypass", "lets others than the App past: Integration ", "take them off"},
		"the App does not pass the rules": {func(w *world) { w.bypass = nil },
			doctor.Fail, "bypass", "does not let the App past", "put the App on"},
		"any branch reaches the key": {func(w *world) { w.main = nil },
			doctor.Fail, "environment", "every branch may use the environment waybill", "-f name=main"},
		"a tag of the branch's name reaches the key": {func(w *world) { w.main = []string{"tag:main"} },
			doctor.Fail, "environment", "open to the branches tag main, not to main alone", "take the others out at http"},
		"other branches reach the key": {func(w *world) { w.main = []string{"main", "release/*"} },
			doctor.Fail, "environment", "open to the branches main, release/*", "take the others out at http"},
		"the key is missing": {func(w *world) { delete(w.secrets, "WAYBILL_APP_KEY") },
			doctor.Fail, "settings", "environment waybill has no secret WAYBILL_APP_KEY",
			"gh secret set WAYBILL_APP_KEY --repo acme/ops --env waybill"},
		"a secret is idle": {func(w *world) { w.secrets["WAYBILL_APPKEY"] = "typo" },
			doctor.Warn, "settings", "no job reads what the environment waybill holds: secret WAYBILL_APPKEY", "correct its name"},
		"every branch reads the key": {func(w *world) { w.SetOrganisationSecret("acme", "WAYBILL_APP_KEY", "k") },
			doctor.Fail, "settings", "a workflow on any branch can read it", "gh secret delete WAYBILL_APP_KEY"},
		"a job reads what is nowhere": {replace("check.yml", "secrets.WAYBILL_APP_KEY", "secrets.WAYBILL_APP_KEY || secrets.OTHER"),
			doctor.Warn, "settings", "has no secret OTHER", "gh secret set OTHER"},
		"the team cannot write": {func(w *world) { w.team = "pull" },
			doctor.Fail, "codeowners", "CODEOWNERS:4: Unknown owner: * @acme/platform",
			"gh api -X PUT orgs/acme/teams/platform/repos/acme/ops -f permission=push"},
		"there are no owners": {func(w *world) { _ = os.Remove(filepath.Join(w.dir, ".github/CODEOWNERS")) },
			doctor.Fail, "codeowners", "has no CODEOWNERS", "write .github/CODEOWNERS"},
		"nobody may call deliver.yml": {func(w *world) { w.access = "" },
			doctor.Fail, "access", "no other repository may call deliver.yml", "access_level=organization"},
		"an application is public": {func(w *world) {
			if err := w.CreateRepository(w.t.Context(), sandbox.Seed{Name: "acme/backend", Dir: w.t.TempDir()}); err != nil {
				w.t.Fatal(err)
			}
		}, doctor.Fail, "access", "acme/backend is public, and GitHub lets no public repository call",
			"make acme/ops public, or acme/backend private"},
		"old workflows": {replace("check.yml", "# v0.1.0", "# v0.0.9"),
			doctor.Warn, "workflows", "older Waybill than 0.1.0: check.yml: waybill-dev/waybill/actions/check@v0.0.9",
			"waybill upgrade --pull-request"},
		"an action that can be moved": {replace("check.yml", strings.Repeat("a", 40)+" #", "v1 #"),
			doctor.Warn, "workflows", "by a name that can be moved: check.yml", "pin each to a commit"},
		"an old checkout": {func(w *world) {
			w.edit(".github/workflows/deliver.yml", func(text string) string {
				return regexp.MustCompile(`(actions/checkout@[0-9a-f]{40}) # v\S+`).ReplaceAllString(text, "$1 # v3.1.0")
			})
		}, doctor.Warn, "workflows", "use an old actions/checkout: deliver.yml: actions/checkout@v3.1.0", "pin actions/checkout v"},
		"the database is old": {func(w *world) { w.database(looked.Add(-oldest-time.Second), nil) },
			doctor.Fail, "database", "trivy-db:2 is of 2026-11-24 08:59 UTC, and scan takes none that is older than 72h0m0s", "every night"},
		"the database is away, on a laptop": {func(w *world) { w.database(time.Time{}, errors.New("no such host")) },
			doctor.Warn, "database", "cannot be read from here, and no image is scanned without one: no such host", "DB_REPOSITORY"},
		"the database is away, in a job": {func(w *world) {
			w.database(time.Time{}, errors.New("no such host"))
			w.request.AsRepository = true
		}, doctor.Fail, "database", "cannot be read from here", "DB_REPOSITORY in deliver.yml"},
		"another root is away": {func(w *world) {
			w.edit(".github/workflows/deliver.yml", func(text string) string {
				return strings.Replace(text, `TRUSTED_ROOT: ""`, `TRUSTED_ROOT: "{}"`, 1)
			})
			w.request.Root = func(trusted string) error { return fmt.Errorf("%s is no root", trusted) }
		}, doctor.Warn, "trusted root", "cannot be had from here, and no signature is verified without it: {} is no root", "TRUSTED_ROOT into"},
		"Actions is off": {func(w *world) { w.actions.Disabled = true },
			doctor.Fail, "actions", "Actions is switched off in acme/ops", "/acme/ops/settings/actions"},
		"the owner's actions alone": {func(w *world) { w.actions.Allowed = "local_only" },
			doctor.Fail, "actions", "does not let the workflows use these actions, and no job with one begins: actions/checkout, " +
				"actions/download-artifact, actions/upload-artifact, waybill-dev/waybill/actions/build, ", "/acme/ops/settings/actions"},
		"GitHub's actions are allowed": {func(w *world) { w.actions.Allowed, w.actions.OfGitHub = "selected", true },
			doctor.Fail, "actions", "no job with one begins: waybill-dev/waybill/actions/build, ", "waybill-dev/waybill/**@*"},
		// https://github.com/jazzband/help/issues/413
		"one star takes no path": {func(w *world) {
			w.actions.Allowed, w.actions.OfGitHub, w.actions.Patterns = "selected", true, []string{"waybill-dev/*"}
		}, doctor.Fail, "actions", "no job with one begins: waybill-dev/waybill/actions/build, ", "waybill-dev/waybill/**@*"},
		"an action is kept out": {func(w *world) {
			w.actions.Allowed, w.actions.OfGitHub = "selected", true
			w.actions.Patterns = []string{"!*/waybill/actions/sign@*", "Waybill-Dev/**@*"}
		}, doctor.Fail, "actions", "no job with one begins: waybill-dev/waybill/actions/sign", "settings/actions"},
		"verified creators": {func(w *world) {
			w.actions.Allowed, w.actions.OfGitHub, w.actions.ByCreator = "selected", true, true
		}, doctor.Warn, "actions", "only if GitHub has verified who made them: waybill-dev/waybill/actions/build, ", "waybill-dev/waybill/**@*"},
		"nothing happened for long": {func(w *world) { w.off = "disabled_inactivity" },
			doctor.Fail, "actions", "promote.yml does not run: GitHub has switched it off, because nothing happened in the repository for 60 days",
			"gh workflow enable promote.yml --repo acme/ops"},
		"somebody switched a workflow off": {func(w *world) { w.off = "disabled_manually" },
			doctor.Fail, "actions", ".github/workflows/promote.yml does not run: it is switched off", "gh workflow enable promote.yml"},
		"the runner has no Docker": {func(w *world) {
			w.request.Docker = func(context.Context) error { return errors.New("there is no docker command on PATH") }
		}, doctor.Warn, "docker", "no Dockerfile with RUN is built: there is no docker command", "BUILDERS in deliver.yml"},
		"the plan is unknown": {func(w *world) { w.token.Permissions = allBut("organization-plan") },
			doctor.Warn, "plan", "the token needs organization-plan: read", "settings/billing"},
		"the Apps are unknown": {func(w *world) { w.token.Permissions = allBut("organization-administration") },
			doctor.Warn, "app", "may do is unknown: the token needs organization-administration: read", "gh auth token"},
		"who passes is unknown": {func(w *world) { w.token.Permissions = allBut(""); w.token.Permissions["administration"] = "read" },
			doctor.Warn, "bypass", "the token needs administration: write", "settings/rules/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, config)
			test.change(w)
			only(t, w.look(), doctor.Finding{Check: test.check, State: test.state, Text: test.text, Fix: test.fix})
		})
	}
}

func allBut(scope string) map[string]string {
	all := map[string]string{}
	for _, s := range []string{"contents", "actions", "administration", "environments", "secrets", "actions-variables",
		"organization-plan", "organization-administration"} {
		if s != scope {
			all[s] = "write"
		}
	}
	return all
}

// only asserts that there is one line that is not ok, and what it says.
func only(t *testing.T, report doctor.Report, want doctor.Finding) {
	t.Helper()
	found := 0
	for _, f := range report.Checks {
		switch {
		case f.State == doctor.OK:
		case f.State == want.State && f.Check == want.Check && strings.Contains(f.Text, want.Text) && strings.Contains(f.Fix, want.Fix):
			found++
		default:
			t.Errorf("%s %s: %s     %s", f.State, f.Check, f.Text, f.Fix)
		}
	}
	if found != 1 {
		t.Errorf("%d lines say %q", found, want.Text)
	}
}

// What is wrong in a way that several lines tell of.
func TestWhatHasSeveralLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   string
		change func(*world)
		want   []string
	}{
		"the plan free": {config, func(w *world) { w.SetPlan("acme", "free") }, []string{
			"fail plan: acme has the plan free", "fail ruleset: the plan has no rulesets for private repositories"}},
		"the App is not installed": {config, func(w *world) { w.request.App = &apps.Installation{ClientID: "Iv23x"} }, []string{
			"fail app: the App Iv23x is not installed on acme/ops"}},
		"no rules at all": {config, func(w *world) { w.require = "" }, []string{
			"fail ruleset: no ruleset requires waybill/check on main", "fail ruleset: main takes a push without a pull request"}},
		"no environment": {config, func(w *world) { w.main = []string{""} },
			[]string{"fail environment: the environment waybill does not exist"}},
		"a job's token sees what is switched off": {infra, func(w *world) {
			w.token = sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "actions": "read"}}
			w.off = "disabled_manually"
			w.file = "drift.yml"
		}, []string{"warn plan: ", "warn settings: ", "warn settings: ", "warn settings: ", "warn bypass: ",
			"fail actions: .github/workflows/drift.yml does not run", "warn actions: "}},
		"a job's token": {config, func(w *world) {
			w.token = sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "actions": "read"}}
		}, []string{"warn plan: the plan of acme is unknown",
			"warn settings: which secrets and variables the repository has is unknown: the token needs secrets: read",
			"warn settings: what the environment waybill holds is unknown: the token needs environments: read",
			"warn bypass: who may pass the ruleset",
			"warn access: who may call deliver.yml is unknown: the token needs administration: read",
			"warn actions: which actions the workflows may use is unknown: the token needs administration: read"}},
		"an organisation that asks for commits": {config, func(w *world) {
			w.actions.Pinned = true
			w.edit(".github/workflows/check.yml", func(text string) string {
				return strings.Replace(text, strings.Repeat("a", 40)+" #", "v1 #", 1)
			})
		}, []string{
			"fail actions: GitHub runs no action that is not named by a commit, and these are not: check.yml: waybill-dev/waybill/actions/check@",
			"warn workflows: workflows use actions by a name that can be moved"}},
		"nobody can tell of the package": {config, func(w *world) { w.request.Pull = denied }, []string{
			"warn packages: ghcr.io/acme/backend is not public, and only a job of acme/ops can tell",
			"warn packages: ghcr.io/acme/frontend is not public"}},
		"the package is closed": {config, func(w *world) { w.request.Pull, w.request.AsRepository = denied, true }, []string{
			"fail packages: ghcr.io/acme/backend cannot be read by acme/ops, so no digest of it can be judged: denied",
			"fail packages: ghcr.io/acme/frontend cannot be read"}},
		"a gate without its status": {infra, func(w *world) { w.require = "waybill/check@acme-waybill" }, []string{
			"fail ruleset: no ruleset requires waybill/gate on main"}},
		"plans are sealed to nobody": {infra, func(w *world) { w.seal = false }, []string{
			"fail settings: the environment infra has no secret WAYBILL_SEAL_KEY",
			"fail settings: the repository has no variable WAYBILL_SEAL_TO"}},
		"no waybill.yaml": {config, func(w *world) { _ = os.Remove(filepath.Join(w.dir, "waybill.yaml")) },
			[]string{"fail settings: acme/ops has no waybill.yaml on main"}},
		"a broken workflow": {config, func(w *world) { w.write(".github/workflows/check.yml", "a: [") },
			[]string{"fail workflows: .github/workflows/check.yml cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.kind)
			test.change(w)
			var got []string
			for _, f := range w.look().Checks {
				if f.State != doctor.OK {
					got = append(got, string(f.State)+" "+f.Check+": "+f.Text)
				}
			}
			for i, line := range got {
				if len(got) != len(test.want) || !strings.HasPrefix(line, test.want[i]) {
					t.Errorf("line %d: %s", i, line)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("%d lines, want %d", len(got), len(test.want))
			}
		})
	}
}

func denied(context.Context, string) error { return errors.New("denied") }

// Trouble of GitHub's is not taken for a setting.
func TestTroubleEndsTheLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, config)
	w.look()
	if err := w.AddFault(sandbox.Fault{Path: "/rules/branches/", Status: 400, Count: 9}); err != nil {
		t.Fatal(err)
	}
	if _, err := doctor.Run(t.Context(), w.request); err == nil || !strings.Contains(err.Error(), "list the rules of main in acme/ops") {
		t.Errorf("got %v", err)
	}
}

// "Reusable workflows can still be referenced by tag", where actions have to be named by
// commits.
func TestReusableWorkflowsByTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t, config)
	w.actions.Pinned = true
	w.write(".github/workflows/own.yml",
		"on: push\npermissions: {}\njobs:\n  a:\n    uses: acme/shared/.github/workflows/x.yml@v1\n")
	only(t, w.look(), doctor.Finding{Check: "workflows", State: doctor.Warn,
		Text: "by a name that can be moved: own.yml: acme/shared/.github/workflows/x.yml@v1"})
}

// What is allowed is allowed: the policies under which everything runs. Where builders
// are named, nobody needs Docker.
func TestAllowedActions(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]sandbox.ActionsPolicy{
		"all, by commit":      {Pinned: true},
		"what the fix names":  {Allowed: "selected", OfGitHub: true, Patterns: []string{"waybill-dev/waybill/**@*"}},
		"each by its pattern": {Allowed: "selected", Patterns: []string{"actions/*@*", "waybill-dev/*/actions/*@*"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, config)
			w.actions = policy
			w.request.Docker = func(context.Context) error { return errors.New("none") }
			w.edit(".github/workflows/deliver.yml", func(text string) string {
				return strings.Replace(text, `BUILDERS: ""`, `BUILDERS: tcp://buildkit:1234`, 1)
			})
			for _, f := range w.look().Checks {
				if f.State != doctor.OK {
					t.Errorf("%s %s: %s", f.State, f.Check, f.Text)
				}
			}
		})
	}
}

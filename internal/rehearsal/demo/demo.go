// Package demo delivers two example applications for real, on this machine: a
// Go service, and a site whose Dockerfile has RUN.
//
// It sets the stage (repositories, variables, a vulnerability database, a real
// Sigstore, a real BuildKit), pushes to each application's repository once, and
// merges a pull request once, as people would. Everything between and after happens because
// the workflows make it happen; the package only watches and tells.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/stage"
)

// Names of the example organisation, as in examples/.
const (
	configRepo = "acme/config"
	appRepo    = "acme/backend"
	frontRepo  = "acme/frontend"
	developer  = "alice"
	reviewer   = "bob"
	issuerURL  = "https://token.actions.githubusercontent.com"
)

// patience bounds the wait for the workflows of one event.
const patience = 10 * time.Minute

// Options says where things are.
type Options struct {
	Root  string   // this checkout: examples/, actions/, bin/
	Dir   string   // state, made anew; kept afterwards to look at
	Tools string   // act, fulcio, rekor-server, timestamp-server
	Env   []string // what jobs see
	Out   io.Writer
	Logf  func(format string, args ...any)
	// After, when set, is called before everything is stopped.
	After func(ctx context.Context, s *rehearsal.Sandbox, r *Report) error
}

// Report is what happened, to be compared with what should have.
type Report struct {
	Runs    []githubd.Run
	Pulls   []githubd.PullRequest
	Commits []string // of the config repository's main, newest first, a line each
	Image   imageref.Ref
	Checks  map[int]githubd.Status // of waybill/check, by pull request
	Status  string                 // what waybill status would say: files of the overlays
}

// Run delivers once.
func Run(ctx context.Context, o Options) (*Report, error) {
	d := &demo{o: o, started: time.Now()}
	defer d.stop()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"set the stage", d.stage},
		{"push to " + appRepo, func(ctx context.Context) error { return d.push(ctx, appRepo) }},
		{"merge the promotion to staging", d.merge},
		{"deliver " + frontRepo, d.frontend},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w (logs are in %s)", step.name, err, o.Dir)
		}
	}
	report, err := d.report(ctx)
	if err != nil {
		return nil, err
	}
	d.end(report)
	if o.After != nil {
		return report, o.After(ctx, d.sandbox.Sandbox, report)
	}
	return report, nil
}

type demo struct {
	o       Options
	started time.Time
	sandbox *stage.Stage
	seen    int // runs told so far

	socketDir   string // of BuildKit
	buildkit    *buildkitd.Daemon
	unsupported error // why BuildKit is not there; nil if it is

	askVars, askSecrets map[string]string // of every application
}

func (d *demo) stop() {
	if d.sandbox != nil {
		d.sandbox.Close()
	}
	if d.buildkit != nil {
		d.buildkit.Stop()
	}
	if d.socketDir != "" {
		os.RemoveAll(d.socketDir)
	}
}

func (d *demo) tell(format string, args ...any) {
	fmt.Fprintf(d.o.Out, "%6.1f s  %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) stage(ctx context.Context) (err error) {
	if err := os.RemoveAll(d.o.Dir); err != nil {
		return err
	}
	if err := d.socket(); err != nil {
		return err
	}
	d.sandbox, err = stage.Start(ctx, stage.Options{
		Root: d.o.Root, Dir: d.o.Dir, Tools: d.o.Tools, Env: d.o.Env, Logf: d.o.Logf, Tell: d.tell,
	})
	if err != nil {
		return err
	}
	return errors.Join(d.builder(ctx), d.repositories(ctx))
}

// The two Apps of the organisation: what applications ask with, which may
// create deployments in the config repository and nothing else, and what the
// config repository's own workflows move digests with, past the rules of its
// main.
var (
	AskApp = githubd.App{
		Slug: "acme-ask", Repositories: []string{configRepo},
		Permissions: map[string]string{"deployments": "write", "metadata": "read"},
	}
	MoveApp = githubd.App{Slug: "acme-waybill", Repositories: []string{configRepo, appRepo}, Permissions: map[string]string{
		"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write", "members": "read", "metadata": "read",
	}}
)

// environment holds the key of the App that moves digests, for main alone.
const environment = "waybill"

// repositories makes the two repositories of the examples, with the names of
// registry and issuer that hold here.
func (d *demo) repositories(ctx context.Context) error {
	for _, make := range []func(context.Context) error{d.config, d.application} {
		if err := make(ctx); err != nil {
			return err
		}
	}
	d.tell("repositories %s and %s are there", configRepo, appRepo)
	return nil
}

// seed copies an example, with the names that hold here.
func (d *demo) seed(name, example string) (githubd.Seed, error) {
	urls := d.sandbox.URLs()
	files := filepath.Join(d.o.Dir, "seed", example)
	err := copyTree(
		filepath.Join(d.o.Root, "examples", example), files,
		strings.NewReplacer("ghcr.io/acme", urls.Registry+"/acme", issuerURL, urls.Issuer),
	)
	if err != nil {
		return githubd.Seed{}, err
	}
	return githubd.Seed{Name: name, Dir: files, Private: true, Author: developer, Message: "Start from Waybill's example"}, nil
}

// config makes the config repository. What decides about trust stands in its
// deliver.yml; the key that moves digests is for its main alone.
func (d *demo) config(ctx context.Context) error {
	seed, err := d.seed(configRepo, "config")
	if err != nil {
		return err
	}
	trust := d.sandbox.Trust()
	for file, fill := range map[string]func(string) (string, error){
		".github/workflows/deliver.yml": trust.Fill, "waybill.yaml": trust.Pin,
	} {
		file = filepath.Join(seed.Dir, filepath.FromSlash(file))
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text, err := fill(string(data))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := d.clusterPolicy(ctx, seed.Dir); err != nil {
		return err
	}
	server := d.sandbox.GitHub
	client, private, err := server.CreateApp(MoveApp)
	if err != nil {
		return err
	}
	seed.Vars = map[string]string{"WAYBILL_TRUSTED_ROOT": d.sandbox.Variables["WAYBILL_TRUSTED_ROOT"]}
	seed.Required, seed.Protected, seed.Bypass = []string{"waybill/check@" + MoveApp.Slug}, true, []string{MoveApp.Slug}
	if err := server.CreateRepository(ctx, seed); err != nil {
		return err
	}
	return errors.Join(server.SetEnvironment(configRepo, environment, "main"),
		server.SetEnvironmentVariable(configRepo, environment, "WAYBILL_APP_ID", client),
		server.SetEnvironmentSecret(configRepo, environment, "WAYBILL_APP_KEY", private))
}

// clusterPolicy writes the policy of the cluster again, by the command in its head, as
// one does after a change of waybill.yaml.
func (d *demo) clusterPolicy(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "platform", "signatures", "waybill.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, head, _ := strings.Cut(strings.ReplaceAll(string(data), "\n# ", " "), "`waybill ")
	command, _, _ := strings.Cut(head, "`")
	policy, err := process.Command{
		Path: filepath.Join(d.o.Root, "bin", "waybill"), Args: strings.Fields(command), Dir: dir, Env: d.o.Env,
	}.Output(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(file, policy, 0o644)
}

// application makes the application's repository, which holds the key that asks
// and nothing that decides.
func (d *demo) application(ctx context.Context) error {
	seed, err := d.seed(appRepo, "app")
	if err != nil {
		return err
	}
	client, private, err := d.sandbox.GitHub.CreateApp(AskApp)
	if err != nil {
		return err
	}
	d.askVars, d.askSecrets = map[string]string{"WAYBILL_ASK_APP_ID": client}, map[string]string{"WAYBILL_ASK_APP_KEY": private}
	seed.Vars, seed.Secrets = d.askVars, d.askSecrets
	return d.sandbox.GitHub.CreateRepository(ctx, seed)
}

// copyTree copies files, names replaced, without what builds leave behind.
func copyTree(from, to string, names *strings.Replacer) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, relative)
		if e.IsDir() {
			if e.Name() == "dist" {
				return filepath.SkipDir
			}
			return os.MkdirAll(at, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, []byte(names.Replace(string(data))), 0o644)
	})
}

// push commits a change to an application and pushes it as its developer.
func (d *demo) push(ctx context.Context, repo string) error {
	token := d.sandbox.GitHub.CreateToken(githubd.Token{
		User: developer, Repositories: []string{repo}, Permissions: map[string]string{"contents": "write"},
	})
	work := filepath.Join(d.o.Dir, "checkout", repo)
	address := strings.Replace(d.sandbox.URLs().Server, "://", "://x-access-token:"+token+"@", 1) + "/" + repo + ".git"
	credentials := filepath.Join(d.o.Dir, "credentials")
	if err := os.WriteFile(credentials, []byte(address+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(credentials)
	env := append(append([]string{}, d.o.Env...), "GIT_AUTHOR_NAME="+developer, "GIT_AUTHOR_EMAIL="+developer+"@example.com",
		"GIT_COMMITTER_NAME="+developer, "GIT_COMMITTER_EMAIL="+developer+"@example.com", "GIT_TERMINAL_PROMPT=0", "HOME="+d.o.Dir)
	helper := "credential.helper=store --file=" + credentials
	if _, err := git.RunEnv(
		ctx, d.o.Dir, env, "-c", helper, "clone", "--quiet", d.sandbox.URLs().Server+"/"+repo+".git", work,
	); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "CHANGES.md"), []byte("# Changes\n\n- Greet the rehearsal.\n"), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", "CHANGES.md"}, {"commit", "--quiet", "--message", "Say what changed"},
		{"-c", helper, "push", "--quiet", "origin", "HEAD:main"},
	} {
		if _, err := git.RunEnv(ctx, work, env, args...); err != nil {
			return err
		}
	}
	d.tell("%s pushed to %s; from here on the workflows work", developer, repo)
	return d.watch(ctx)
}

// watch waits until no workflow runs, and tells of each run that ended.
func (d *demo) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.sandbox.GitHub.WaitIdle(ctx); err != nil {
		return err
	}
	var failed []string
	runs := d.runs()
	for _, r := range runs[d.seen:] {
		d.tell("  %-9s %s: %s (%s)", r.Conclusion, r.Repository, r.Title, r.Event)
		if r.Conclusion != "success" {
			failed = append(failed, fmt.Sprintf("%s: see %s", r.Title, r.Log))
		}
	}
	d.seen = len(runs)
	if len(failed) > 0 {
		return fmt.Errorf("workflow runs failed: %s", strings.Join(failed, "; "))
	}
	return nil
}

// runs lists the runs of all repositories, oldest first.
func (d *demo) runs() []githubd.Run {
	return byCreation(slices.Concat(d.sandbox.GitHub.Runs(appRepo), d.sandbox.GitHub.Runs(frontRepo), d.sandbox.GitHub.Runs(configRepo)))
}

// merge merges the promotion to staging, as a reviewer does once its check is
// green.
func (d *demo) merge(ctx context.Context) error {
	for _, p := range d.sandbox.GitHub.Pulls(configRepo) {
		if p.State != "open" || p.HeadRef != "waybill/staging/backend" {
			continue
		}
		d.tell("pull request #%d by %s: %s", p.Number, p.User, p.Title)
		for _, s := range d.sandbox.GitHub.Statuses(configRepo, p.HeadSHA) {
			d.tell("  %s %s: %s", s.State, s.Context, s.Description)
		}
		if _, err := d.sandbox.GitHub.MergePull(ctx, configRepo, p.Number, reviewer, "merge"); err != nil {
			return err
		}
		d.tell("%s merged it", reviewer)
		return d.watch(ctx)
	}
	return errors.New("there is no open promotion to staging")
}

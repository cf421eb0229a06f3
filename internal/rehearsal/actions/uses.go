package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/door/git"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// origin is where a workflow or action file comes from.
type origin struct {
	repository string // OWNER/NAME
	ref        string // refs/heads/main, refs/tags/v1 or a SHA
	sha        string
	dir        string
}

// plan is what the jobs of a run need together.
type plan struct {
	permissions map[string]string
	identity    *identity // of the jobs with id-token: write
	// environments are those of the jobs; act gives all jobs of a run the same
	// secrets, as it gives them one token.
	environments []string
}

// identity is the workflow file that OIDC tokens name as the job's.
type identity struct{ ref, sha string }

// resolver finds what a workflow uses, at any depth, and puts it on disk.
type resolver struct {
	engine *Engine
	ctx    context.Context
	dir    string
	places map[string]string // OWNER/NAME@REF as written: directory
	seen   map[string]bool
}

// unset permissions are what a new repository gives.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
var unset = sandbox.Permissions{"contents": "read", "packages": "read", "metadata": "read"}

// workflow resolves the workflow, called with the caller's permissions (nil for
// the run's own file).
func (r *resolver) workflow(w *sandbox.Workflow, from origin, caller sandbox.Permissions) (*plan, error) {
	p := &plan{permissions: map[string]string{"metadata": "read"}}
	var names []string
	for name := range w.Jobs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		job := w.Jobs[name]
		has := caller
		switch {
		case job.Permissions != nil:
			has = *job.Permissions
		case w.Permissions != nil:
			has = w.Permissions
		case caller == nil:
			has = unset
		}
		if caller != nil {
			if err := within(w.Path, name, has, caller); err != nil {
				return nil, err
			}
		}
		if job.Uses != "" {
			inner, err := r.called(job.Uses, from, has)
			if err != nil {
				return nil, fmt.Errorf("%s, job %s: %w", w.Path, name, err)
			}
			if err := p.add(inner.permissions, inner.identity); err != nil {
				return nil, err
			}
			p.environments = append(p.environments, inner.environments...)
			continue
		}
		if job.Environment != "" {
			p.environments = append(p.environments, string(job.Environment))
		}
		var signer *identity
		if has["id-token"] == "write" {
			signer = &identity{ref: from.repository + "/" + w.Path + "@" + from.ref, sha: from.sha}
		}
		if err := p.add(has, signer); err != nil {
			return nil, err
		}
		for _, step := range job.Steps {
			if err := r.action(step.Uses, from); err != nil {
				return nil, fmt.Errorf("%s, job %s: %w", w.Path, name, err)
			}
		}
	}
	return p, nil
}

// within is GitHub's refusal of a called workflow that asks for more than its
// caller has.
func within(file, job string, asks, has sandbox.Permissions) error {
	rank := map[string]int{"": 0, "none": 0, "read": 1, "write": 2}
	for scope, access := range asks {
		if scope == "metadata" || rank[access] <= rank[has[scope]] {
			continue
		}
		allowed := has[scope]
		if allowed == "" {
			allowed = "none"
		}
		return fmt.Errorf(
			"%s: the nested job %q is requesting '%s: %s', but is only allowed '%s: %s'", file, job, scope, access, scope, allowed,
		)
	}
	return nil
}

func (p *plan) add(permissions map[string]string, signer *identity) error {
	for scope, access := range permissions {
		if p.permissions[scope] != "write" && access != "none" {
			p.permissions[scope] = access
		}
	}
	if signer != nil && p.identity != nil && *signer != *p.identity {
		return fmt.Errorf(
			"jobs of %s and %s ask for id-token: write, and act gives all jobs of a run one identity", p.identity.ref, signer.ref,
		)
	}
	if signer != nil {
		p.identity = signer
	}
	return nil
}

// called resolves a reusable workflow.
func (r *resolver) called(uses string, from origin, has sandbox.Permissions) (*plan, error) {
	file, place := strings.TrimPrefix(uses, "./"), from
	if !strings.HasPrefix(uses, "./") {
		repository, path, ref, err := split(uses)
		if err != nil {
			return nil, err
		}
		if place, err = r.place(repository, ref); err != nil {
			return nil, err
		}
		file = path
	}
	data, err := os.ReadFile(filepath.Join(place.dir, file))
	if err != nil {
		return nil, fmt.Errorf("workflow was not found: %s", uses)
	}
	w, err := sandbox.ParseWorkflow(file, data)
	if err != nil {
		return nil, err
	}
	if _, callable := w.On["workflow_call"]; !callable {
		return nil, fmt.Errorf("%s has no workflow_call trigger", uses)
	}
	return r.workflow(w, place, has)
}

// action resolves an action and, where it is composite, those it uses.
func (r *resolver) action(uses string, from origin) error {
	if uses == "" || strings.HasPrefix(uses, "docker://") {
		return nil
	}
	place, path := from, strings.TrimPrefix(uses, "./")
	if strings.HasPrefix(uses, "./") && from.repository == "" {
		return fmt.Errorf("action %s is relative to nothing", uses)
	}
	if !strings.HasPrefix(uses, "./") {
		repository, inner, ref, err := split(uses)
		if err != nil {
			return err
		}
		path = inner
		if place, err = r.place(repository, ref); err != nil {
			return err
		}
	}
	key := place.dir + "\x00" + path
	if r.seen[key] {
		return nil
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	data, err := os.ReadFile(filepath.Join(place.dir, path, "action.yml"))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(place.dir, path, "action.yaml"))
	}
	if err != nil {
		if strings.HasPrefix(uses, "./") {
			return nil // made by an earlier step, perhaps
		}
		return fmt.Errorf("can't find 'action.yml' for action %s", uses)
	}
	var a struct {
		Runs struct {
			Using string
			Steps []struct{ Uses string }
		}
	}
	if err := yaml.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("read action %s: %w", uses, err)
	}
	for _, step := range a.Runs.Steps {
		if err := r.action(step.Uses, from); err != nil { // ./ is the workspace, in composite actions too
			return fmt.Errorf("action %s: %w", uses, err)
		}
	}
	return nil
}

func split(uses string) (repository, path, ref string, err error) {
	where, ref, ok := strings.Cut(uses, "@")
	parts := strings.SplitN(where, "/", 3)
	if !ok || ref == "" || len(parts) < 2 || strings.Contains(uses, "${{") {
		return "", "", "", fmt.Errorf("%q is not of the form OWNER/NAME/PATH@REF", uses)
	}
	if len(parts) == 3 {
		path = parts[2]
	}
	return parts[0] + "/" + parts[1], path, ref, nil
}

// place puts a repository at a ref on disk: one of the sandbox, a directory
// that stands for it, or the stand-in for one of GitHub's own actions.
func (r *resolver) place(repository, ref string) (origin, error) {
	o := origin{repository: repository, ref: ref, sha: ref}
	bare := r.engine.o.GitHub.GitDir(repository)
	if bare != "" {
		for _, full := range []string{"refs/heads/" + ref, "refs/tags/" + ref, ref} {
			if sha, err := git.RunEnv(r.ctx, bare, r.engine.o.Env, "rev-parse", "--verify", "--quiet", full+"^{commit}"); err == nil {
				o.ref, o.sha = full, sha
				break
			}
		}
	}
	key := repository + "@" + ref
	if dir, ok := r.places[key]; ok {
		o.dir = dir
		return o, nil
	}
	var err error
	switch {
	case bare != "":
		o.dir = filepath.Join(r.dir, strings.ReplaceAll(repository, "/", "+")+"@"+strings.ReplaceAll(ref, "/", "+"))
		err = r.engine.checkout(r.ctx, repository, o.sha, o.dir)
	case r.engine.o.Local[repository] != "":
		o.dir, err = r.engine.export(r.ctx, r.engine.o.Local[repository])
	default:
		o.dir = filepath.Join(r.dir, filepath.Base(repository))
		var found bool
		if found, err = writeStandIn(repository, o.dir, filepath.Join(r.dir, "artifacts")); err == nil && !found {
			err = fmt.Errorf("%s is not in the sandbox, and there is no network here", key)
		}
	}
	if err != nil {
		return o, err
	}
	r.places[key] = o.dir
	return o, nil
}

// ofActions are the files that Waybill's actions need where nothing is compiled.
var ofActions = regexp.MustCompile(`^(action\.yml|actions/.*|\.github/workflows/.*)$`)

// export copies a directory without what git ignores, once. act copies the whole of
// it for each step that uses it. Therefore the copy of a Waybill whose binaries are
// here has no sources.
func (e *Engine) export(ctx context.Context, dir string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done, ok := e.exports[dir]; ok {
		return done, nil
	}
	out, err := git.RunEnv(ctx, dir, e.o.Env, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return "", fmt.Errorf("list the files of %s: %w", dir, err)
	}
	target := filepath.Join(e.o.Dir, fmt.Sprintf("export-%d", len(e.exports)))
	if err := os.RemoveAll(target); err != nil {
		return "", fmt.Errorf("copy %s: %w", dir, err)
	}
	released := e.released(dir)
	for _, name := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, or no file
		}
		if released && !ofActions.MatchString(name) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("copy %s: %w", dir, err)
		}
		to := filepath.Join(target, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", fmt.Errorf("copy %s: %w", dir, err)
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			return "", fmt.Errorf("copy %s: %w", dir, err)
		}
	}
	if err := e.release(target); err != nil {
		return "", err
	}
	e.exports[dir] = target
	return target, nil
}

// Package tool prepares terraform for the roots of a run: which program each root
// gets, with which environment, in a directory of its own, and with which login
// to a cloud.
//
// terraform starts with a closed environment: what is not named is not passed on.
// Raw plans and tokens lie below one private directory, which Close removes.
package tool

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/release"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/scratch"
)

// Request says how terraform is run.
type Request struct {
	Top         string   // of the checkout
	Program     string   // path, or name on PATH
	Version     string   // exact or a constraint; if empty, waybill.yaml or the tree names it
	Mirror      string   // where releases are fetched from
	PluginCache string   // directory; if empty, there is none
	Backend     []string // settings that the configuration leaves open
	Env         []string // names of the variables that are passed on
	LockTimeout time.Duration
	Unlocked    bool // plans without the state's lock
	// Login names the cloud roles that terraform gets; Tokens gives the job's identity
	// for them.
	Login  cloud.Request
	Tokens cloud.Tokens
	Getenv func(string) string
	Say    func(format string, args ...any)
}

// Kit is terraform ready to be run, and what ends with it.
type Kit struct {
	Tool
	r      Request
	work   *scratch.Dir
	logout func()
}

// Prepare makes the private directory of a run. Callers must Close the kit.
func Prepare(r Request) (*Kit, error) {
	if err := process.Private(); err != nil {
		return nil, err
	}
	for _, name := range r.Env {
		if why := terraform.Refuses(name); why != "" {
			return nil, outcome.Usagef("--env %s: %s", name, why)
		}
	}
	why, err := terraform.Settings(r.Getenv, r.Top)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return nil, outcome.Refusedf("%s. Change that file, or name other settings by TF_CLI_CONFIG_FILE", why)
	}
	cache := r.PluginCache
	if cache != "" {
		if cache, err = filepath.Abs(cache); err == nil {
			err = os.MkdirAll(cache, 0o755)
		}
		if err != nil {
			return nil, fmt.Errorf("make the plugin cache: %w", err)
		}
	}
	work, err := scratch.New("")
	if err != nil {
		return nil, err
	}
	t := Tool{
		Program: r.Program, Work: work.Path, Holds: work.Held(), PluginCache: cache, LockTimeout: r.LockTimeout, Unlocked: r.Unlocked,
		Backend: r.Backend,
	}
	t.versions = new(terraform.Versions)
	t.Env = func(variables []string) []string { return terraform.Env(r.Getenv, r.Env, variables) }
	return &Kit{Tool: t, r: r, work: work, logout: func() {}}, nil
}

// Top is that of the checkout.
func (k *Kit) Top() string { return k.r.Top }

// Close ends the login and removes the private directory.
func (k *Kit) Close() {
	k.logout()
	k.work.Remove()
}

func (k *Kit) chooser() *release.Chooser {
	return &release.Chooser{Program: k.Program, Env: k.Env(nil), Dir: k.Work, Mirror: k.r.Mirror, Say: k.r.Say, Versions: k.versions}
}

// Choose gives each root the terraform it asks for: by the request, else by
// waybill.yaml, else by the version file in the tree. required_version always
// holds as well.
func (k *Kit) Choose(ctx context.Context, list []roots.Root) error {
	programs, err := k.choose(ctx, list)
	k.Programs = programs
	return err
}

// ChooseEach does the same, and lets a root for which there is no terraform be
// broken by itself: it gives those, by directory.
func (k *Kit) ChooseEach(ctx context.Context, list []roots.Root) map[string]error {
	if k.Choose(ctx, list) == nil {
		return nil
	}
	broken, all := make(map[string]error), make(map[string]string)
	for _, root := range list {
		programs, err := k.choose(ctx, []roots.Root{root})
		if err != nil {
			broken[root.Dir] = err
		}
		maps.Copy(all, programs)
	}
	k.Programs = all
	return broken
}

func (k *Kit) choose(ctx context.Context, list []roots.Root) (map[string]string, error) {
	common, err := roots.Config(k.r.Top)
	if err != nil {
		return nil, err
	}
	chooser, programs := k.chooser(), make(map[string]string)
	for _, root := range list {
		wishes, err := k.wishes(ctx, root, common.Version)
		if err != nil {
			return nil, err
		}
		if programs[root.Dir], err = chooser.Choose(ctx, wishes); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// wishes are the versions that a root asks for; common is the one of waybill.yaml.
func (k *Kit) wishes(ctx context.Context, root roots.Root, common string) ([]release.Wish, error) {
	sources, err := roots.ReadSources(ctx, k.r.Top, root.Dir, nil)
	if err != nil {
		return nil, err
	}
	wishes, err := release.TreeWishes(k.r.Top, root.Dir, k.Program, sources.Dirs)
	if err != nil {
		return nil, err
	}
	return k.prefer(wishes, root.Version, common), nil
}

// Stays reports whether a root that was planned by made, program and version, would be
// planned by the same today. It installs nothing.
func (k *Kit) Stays(ctx context.Context, root roots.Root, made string) (bool, error) {
	common, err := roots.Config(k.r.Top)
	if err != nil {
		return false, err
	}
	wishes, err := k.wishes(ctx, root, common.Version)
	if err != nil {
		return false, err
	}
	return k.chooser().Stays(ctx, made, wishes)
}

// prefer puts the version that the request or waybill.yaml names in the place of
// the version files.
func (k *Kit) prefer(tree []release.Wish, ofRoot, common string) []release.Wish {
	named := release.Wish{Constraint: k.r.Version, From: "the input terraform_version"}
	if named.Constraint == "" {
		named = release.Wish{Constraint: ofRoot, From: "waybill.yaml"}
	}
	if named.Constraint == "" {
		named.Constraint = common
	}
	if named.Constraint == "" {
		return tree
	}
	var wishes []release.Wish
	for _, w := range tree {
		if strings.HasPrefix(w.From, "required_version") {
			wishes = append(wishes, w)
		}
	}
	return append(wishes, named)
}

// AsPlanned gives each root the terraform that its plan was made with: made is
// program and version, by directory. A terraform that cannot be had is left to
// the comparison, which says what differs.
func (k *Kit) AsPlanned(ctx context.Context, made map[string]string) error {
	if strings.ContainsRune(k.Program, filepath.Separator) {
		return nil
	}
	chooser := k.chooser()
	k.Programs = make(map[string]string)
	for dir, version := range made {
		program, number, _ := strings.Cut(version, " ")
		if program != k.Program || program != "terraform" {
			continue
		}
		path, err := chooser.Choose(ctx, []release.Wish{{Constraint: number, From: "the plan of " + dir}})
		if err != nil {
			return err
		}
		k.Programs[dir] = path
	}
	return nil
}

// Login gives terraform, and nothing else, the cloud roles that the request
// names, and keeps them up until Close. Without such roles it does nothing.
func (k *Kit) Login(ctx context.Context) error {
	request := k.r.Login
	if request == (cloud.Request{}) {
		return nil
	}
	if request.Azure != nil {
		azure := *request.Azure
		azure.Refreshing = true
		request.Azure = &azure
	}
	dir := filepath.Join(k.Work, "login")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a directory for the token: %w", err)
	}
	session, err := cloud.Open(ctx, k.r.Tokens, request, dir)
	if err != nil {
		return err
	}
	stop := session.Keep(context.WithoutCancel(ctx)) // terraform may need it to end in order
	env := k.Env
	k.Env = func(variables []string) []string { return session.Into(env(variables)) }
	k.logout = func() {
		if err := session.Err(); err != nil {
			k.r.Say("the cloud login could not be kept fresh: %v", err)
		}
		stop()
	}
	return nil
}

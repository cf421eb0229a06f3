package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

// Tool is how terraform is run for every root.
type Tool struct {
	Program     string                            // path, or name on PATH
	Programs    map[string]string                 // of the roots that have one of their own, by directory
	Env         func(variables []string) []string // for a root with these variables
	Work        string                            // directory of ours alone, for data directories and plans
	Holds       *os.File                          // the lock of Work
	PluginCache string
	LockTimeout time.Duration
	Unlocked    bool // plans without the state's lock
	// Backend are settings that the configuration leaves open, KEY=VALUE or files.
	Backend []string
	// Guard judges a root's configuration before anything of it runs: before
	// terraform initialises, with no data directory, and when it has, with it.
	Guard func(ctx context.Context, dir, dataDir string) error
	// Given are values of variables for a root; nil is none.
	Given    func(dir, workspace string) map[string]string
	initLock *sync.Mutex
	versions *terraform.Versions
}

// Together gives the tool for roots that are planned at the same time: they
// wait for each other where terraform fills the plugin cache.
func (t Tool) Together() Tool {
	t.initLock = new(sync.Mutex)
	return t
}

// Open gives a root, with a data directory of its own, called name, below Work.
func (t Tool) Open(top string, at roots.Root, name string, variables []string) (*terraform.Root, string, error) {
	dir := at.Dir
	private := filepath.Join(t.Work, name)
	if err := os.MkdirAll(private, 0o700); err != nil {
		return nil, "", fmt.Errorf("make a working directory: %w", err)
	}
	program := t.Program
	if own := t.Programs[dir]; own != "" {
		program = own
	}
	options := terraform.Options{
		Path: program, Dir: filepath.Join(top, filepath.FromSlash(dir)), DataDir: filepath.Join(private, "data"),
		PluginCache: t.PluginCache, Env: t.rootEnv(at, variables), LockTimeout: t.LockTimeout,
		PlanUnlocked: t.Unlocked, Versions: t.versions, Holds: t.Holds,
	}
	if t.initLock != nil {
		options.InitLock = t.initLock
	}
	if t.Guard != nil {
		options.Guard = func(ctx context.Context, dataDir string) error { return t.Guard(ctx, dir, dataDir) }
	}
	return terraform.Open(options), private, nil
}

// rootEnv is the environment of a root. A value that is given to it goes before
// one that the job has.
func (t Tool) rootEnv(at roots.Root, variables []string) []string {
	env := t.Env(variables)
	if t.Given == nil {
		return env
	}
	given := t.Given(at.Dir, at.Workspace)
	for _, name := range variables {
		if value, is := given[name]; is {
			env = append(env, "TF_VAR_"+name+"="+value)
		}
	}
	return env
}

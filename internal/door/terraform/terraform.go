// Package terraform is the only door to the terraform (or OpenTofu) command
// line, and to the libraries that read its plans and its language.
//
// terraform runs with the environment it is given and nothing else, never asks
// a question, and never takes a lock file it would have to change. Its words
// may quote values of variables: they are returned, or handed to the writer that
// the caller gives, and printed nowhere else.
//
// It starts terraform through internal/door/process rather than terraform-exec:
// that library either hands over the whole environment of this process, tokens
// included, or refuses every TF_VAR_ variable, which is how a workflow passes a
// secret without putting it into arguments or a file.
package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// grace is how long terraform has between the interrupt and the kill: time to
// let a resource that is being created end, and to write the state.
const grace = 2 * time.Minute

// Options says which terraform, where.
type Options struct {
	Path string // of the program, or its name on PATH; empty is terraform
	Dir  string // of the root, absolute
	// DataDir is where terraform keeps modules, providers and the backend's
	// settings: one for each root and run.
	DataDir string
	// PluginCache is a directory that roots share providers in; empty is none.
	PluginCache string
	// InitLock is held while terraform fills the plugin cache, which it may not
	// do twice at the same time. nil is none.
	InitLock sync.Locker
	// Guard is asked before terraform initialises, with no directory, and when it
	// has, with the data directory: modules and providers are fetched then, and
	// nothing of them has run. nil lets everything pass.
	Guard       func(ctx context.Context, dataDir string) error
	Env         []string // NAME=value
	LockTimeout time.Duration
	// PlanUnlocked plans without the state's lock, for a role that may only read.
	PlanUnlocked bool
	// Versions are those that programs said before: each is asked once. nil asks again.
	Versions *Versions
	// Holds is the lock of the directory that the files lie in: terraform can outlive
	// this process. nil is none.
	Holds *os.File
}

// Versions are what programs said of their version, by path.
type Versions struct {
	lock  sync.Mutex
	known map[string]string
}

func (v *Versions) of(program string, ask func() (string, error)) (version string, err error) {
	if v == nil {
		return ask()
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	if version = v.known[program]; version != "" {
		return version, nil
	}
	if version, err = ask(); err != nil {
		return "", err
	}
	if v.known == nil {
		v.known = make(map[string]string)
	}
	v.known[program] = version
	return version, nil
}

// Root is a terraform root: a directory and the program to work on it with.
type Root struct{ o Options }

// Open gives a root; it starts nothing.
func Open(o Options) *Root {
	if o.Path == "" {
		o.Path = "terraform"
	}
	return &Root{o: o}
}

// Program is what is started: a path, or a name on PATH.
func (r *Root) Program() string { return r.o.Path }

// Version is the program and its version, such as "terraform 1.11.4".
func (r *Root) Version(ctx context.Context) (string, error) {
	return r.o.Versions.of(r.o.Path, func() (string, error) { return r.version(ctx) })
}

func (r *Root) version(ctx context.Context) (string, error) {
	out, err := r.output(ctx, "version")
	if err != nil {
		return "", fmt.Errorf("ask for the version: %w", err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	name, number, ok := strings.Cut(strings.TrimSpace(first), " v")
	if !ok {
		return "", fmt.Errorf("ask for the version: %q is not what terraform answers", first)
	}
	return strings.ToLower(name) + " " + number, nil
}

// Init prepares the data directory: backend, modules, providers. The lock file
// must already name every provider.
func (r *Root) Init(ctx context.Context, backendConfig []string) error {
	return r.initialise(ctx, initArgs(backendConfig))
}

func (r *Root) initialise(ctx context.Context, args []string) error {
	guard := r.o.Guard
	if guard == nil {
		guard = func(context.Context, string) error { return nil }
	}
	if err := guard(ctx, ""); err != nil {
		return err
	}
	err := r.fetch(ctx, args)
	if placeErr := r.place(); placeErr != nil && err == nil {
		return placeErr
	}
	// Also where it failed: what the guard says of a provider that the lock file
	// does not name is clearer than what terraform says.
	if guardErr := guard(ctx, r.o.DataDir); guardErr != nil {
		return guardErr
	}
	if IsReason(err, OtherArchive) {
		return outcome.Refusedf("a fetched module is not the archive whose checksum its source names (its server answers otherwise, or the "+
			"checksum is wrong): %w", err)
	}
	if err != nil {
		return fmt.Errorf("initialise: %w", err)
	}
	return nil
}

func (r *Root) fetch(ctx context.Context, args []string) error {
	if r.o.PluginCache != "" && r.o.InitLock != nil {
		r.o.InitLock.Lock()
		defer r.o.InitLock.Unlock()
	}
	_, err := r.output(ctx, args...)
	return err
}

func initArgs(backendConfig []string) []string {
	args := []string{"init", "-input=false", "-no-color", "-lockfile=readonly"}
	for _, c := range backendConfig {
		args = append(args, "-backend-config="+c)
	}
	return args
}

// validWorkspace keeps a name from being an option, or a step out of a directory.
var validWorkspace = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// SelectWorkspace goes to a workspace that exists.
func (r *Root) SelectWorkspace(ctx context.Context, name string) error {
	if !validWorkspace.MatchString(name) {
		return fmt.Errorf("select workspace %q: a workspace is named by letters, digits, ., - and _", name)
	}
	if _, err := r.output(ctx, "workspace", "select", "-no-color", name); err != nil {
		var failed *Error
		if errors.As(err, &failed) && strings.Contains(failed.Words, "doesn't exist") { // in both programs
			return fmt.Errorf("select workspace %q: %w\n(if its name is right, create it once: terraform workspace new %s)", name, err, name)
		}
		return fmt.Errorf("select workspace %q: %w", name, err)
	}
	return nil
}

// Workspaces lists those that the backend has.
func (r *Root) Workspaces(ctx context.Context) (names []string, err error) {
	out, err := r.output(ctx, "workspace", "list", "-no-color")
	if err != nil {
		return nil, fmt.Errorf("list the workspaces: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "*")); validWorkspace.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Format lists the files that are not formatted as terraform fmt would.
func (r *Root) Format(ctx context.Context) ([]string, error) {
	out, err := r.output(ctx, "fmt", "-check", "-no-color", "-list=true")
	files := strings.Fields(string(out))
	if err != nil && len(files) == 0 {
		return nil, fmt.Errorf("check the format: %w", err)
	}
	return files, nil
}

// InitWithoutBackend prepares the data directory for Validate alone.
func (r *Root) InitWithoutBackend(ctx context.Context) error {
	return r.initialise(ctx, append(initArgs(nil), "-backend=false"))
}

// Validate checks the configuration. It starts the providers.
func (r *Root) Validate(ctx context.Context) error {
	if _, err := r.output(ctx, "validate", "-no-color"); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}

// PlanOptions says what is planned.
type PlanOptions struct {
	Out      string // file for the plan
	VarFiles []string
	Destroy  bool
	// RefreshOnly plans to take over what changed outside, and nothing else.
	RefreshOnly bool
}

// Plan writes a plan to a file. It gives what terraform warns of.
func (r *Root) Plan(ctx context.Context, o PlanOptions) (warnings []string, err error) {
	out, err := r.output(ctx, planArgs(o, r.lockArg())...)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return warningsIn(string(out)), nil
}

// lockArg is how a plan treats the lock. A plan that was made while somebody
// else applied is of an earlier state, which apply refuses by its serial.
func (r *Root) lockArg() string {
	if r.o.PlanUnlocked {
		return "-lock=false"
	}
	return lockTimeoutArg(r.o.LockTimeout)
}

func planArgs(o PlanOptions, lock string) []string {
	args := []string{"plan", "-input=false", "-no-color", "-out=" + o.Out, lock}
	if o.Destroy {
		args = append(args, "-destroy")
	}
	if o.RefreshOnly {
		args = append(args, "-refresh-only")
	}
	for _, f := range o.VarFiles {
		args = append(args, "-var-file="+f)
	}
	return args
}

func lockTimeoutArg(d time.Duration) string {
	return fmt.Sprintf("-lock-timeout=%ds", int(d.Seconds()))
}

// maxQuick is the largest plan that terraform reads with less collection of garbage. A
// plan of this size takes a few hundred megabytes.
const maxQuick = 512 << 10

// Show gives a plan's JSON form.
func (r *Root) Show(ctx context.Context, planFile string) ([]byte, error) {
	var out bytes.Buffer
	command := r.command(&out, "show", "-json", "-no-color", planFile)
	if info, err := os.Stat(planFile); err == nil && info.Size() <= maxQuick {
		command.Env = append([]string{"GOGC=400"}, command.Env...) // a quarter less processor time; what the user sets wins
	}
	if err := command.Run(ctx); err != nil {
		return nil, fmt.Errorf("read the plan: %w", explain(err, ""))
	}
	return out.Bytes(), nil
}

// StateID names one version of a state. A root without state has neither.
type StateID struct {
	Lineage string
	Serial  uint64
	// Resources is how many the state holds, without data sources.
	Resources int
}

// stateJSON is the part of a state that is read.
type stateJSON struct {
	Lineage   string `json:"lineage"`
	Serial    uint64 `json:"serial"`
	Resources []struct {
		Mode string `json:"mode"`
	} `json:"resources"`
}

func (s stateJSON) id() StateID {
	id := StateID{Lineage: s.Lineage, Serial: s.Serial}
	for _, r := range s.Resources {
		if r.Mode != "data" {
			id.Resources++
		}
	}
	return id
}

// State says which version of the state the backend holds.
func (r *Root) State(ctx context.Context) (StateID, error) {
	out, err := r.PullState(ctx)
	if err != nil {
		return StateID{}, err
	}
	return ParseState(out)
}

// PullState is the state that the backend holds; it is empty where there is none.
func (r *Root) PullState(ctx context.Context) ([]byte, error) {
	out, err := r.output(ctx, "state", "pull")
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return bytes.TrimSpace(out), nil
}

// ParseState says which version a state is.
func ParseState(state []byte) (StateID, error) {
	if len(state) == 0 {
		return StateID{}, nil
	}
	var read stateJSON
	if err := json.Unmarshal(state, &read); err != nil {
		return StateID{}, fmt.Errorf("read the state: %w", err)
	}
	return read.id(), nil
}

// Apply carries out a plan that Plan wrote, and hands each event to see. Files of
// variables are for those that the plan does not hold, because they are ephemeral;
// terraform refuses another value of any other.
func (r *Root) Apply(ctx context.Context, planFile string, varFiles []string, see func(Event)) error {
	events := &eventWriter{see: see}
	args := []string{"apply", "-input=false", "-no-color", "-json", lockTimeoutArg(r.o.LockTimeout)}
	for _, f := range varFiles {
		args = append(args, "-var-file="+f)
	}
	command := r.command(nil, append(args, planFile)...)
	err := runFollowed(ctx, command, r.o.DataDir, events)
	events.flush()
	if err == nil {
		return nil
	}
	return fmt.Errorf("apply: %w", explain(err, strings.Join(events.errors, "\n")))
}

func (r *Root) command(stdout io.Writer, args ...string) process.Command {
	env := append([]string{}, r.o.Env...)
	env = append(env, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1", "TF_DATA_DIR="+r.o.DataDir)
	if r.o.PluginCache != "" {
		env = append(env, "TF_PLUGIN_CACHE_DIR="+r.o.PluginCache)
	}
	return process.Command{
		Path: r.o.Path, Args: args, Env: env, Dir: r.o.Dir, Stdout: stdout, Grace: grace, Group: true, Holds: r.o.Holds,
		// Providers open sockets to terraform, and write where the configuration says.
		Confined: &process.Confinement{Write: []string{"/"}, Reaches: true},
	}
}

func (r *Root) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	if err := r.command(&out, args...).Run(ctx); err != nil {
		return out.Bytes(), explain(err, "")
	}
	return out.Bytes(), nil
}

// Package githubd is a stand-in for GitHub on loopback: the REST and GraphQL
// endpoints that Waybill uses, smart HTTP for git, and the permissions, limits
// and error shapes that go with them, over real bare git repositories.
//
// Commits, trees, comparisons, merges and archives are git's own; a branch
// moves by compare-and-swap as on GitHub. What git does not hold (pull requests,
// comments, statuses, runs, tokens) is kept in one JSON file. The package
// reports events and starts nothing: internal/rehearsal/actions does. It is for
// rehearsals and tests; it keeps no secret from anybody on the machine.
package githubd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// Options says where the state is.
type Options struct {
	Dir string // of the repositories and the state; kept between starts
	// Now is the time of everything; nil is the clock.
	Now func() time.Time
	// Env is what git and the programs it starts need: PATH, HOME.
	Env []string
	// ListsAtMost is how many entries a recursive list of a tree has before it is cut; 0 is
	// 100,000, as on GitHub. https://docs.github.com/en/rest/git/trees#get-a-tree
	ListsAtMost int
}

// Server is the stand-in. Give it a listener, then SetURL.
type Server struct {
	o         Options
	mux       *http.ServeMux
	endpoints []string // METHOD PATTERN of the REST API

	mu      sync.Mutex
	url     string
	state   state
	faults  []*Fault
	onEvent []func(Event)
	cache   map[string]any // immutable answers about git objects, by repository and id
	refs    map[string]*sync.Mutex
	sealing sealing
	changed *sync.Cond
}

// state is what the JSON file holds.
type state struct {
	Serial       int64
	Repositories map[string]*repository // by lower-case OWNER/NAME
	Tokens       map[string]*Token
	Teams        map[string][]string // users by lower-case ORG/SLUG
	Manifests    map[string]manifest // by code, until each is exchanged
	Apps         []*App

	Organisations map[string]*organisation // by lower-case name
}

type repository struct {
	ID            int64
	Owner, Name   string
	Private       bool
	DefaultBranch string
	Created       time.Time
	Required      []string // status contexts that a merge needs, CONTEXT or CONTEXT@SLUG of the App that must report it
	Protected     bool     // the default branch moves by merging pull requests only
	Bypass        []string // slugs of the Apps that may move it all the same
	Number        int      // last number of a pull request or issue
	Pulls         []*pull
	Issues        []*issue
	Comments      []*comment
	Deleted       []deletion
	Statuses      []*status
	Activities    []activity
	Access        map[string]string // permission by lower-case user; write for others
	Queue         []queued
	Runs          []*Run
	RunNumbers    map[string]int // by workflow path
	SARIF         []*sarifUpload
	Attestations  []attestation
	Releases      []*release
	Deployments   []*deployment
	Environments  map[string]*environment
	Secrets, Vars map[string]string

	TeamAccess     map[string]string // permission by lower-case slug of a team
	Actions        ActionsPolicy
	Disabled       map[string]string // states of workflows that are not active, by file name
	WorkflowAccess string            // who may use its workflows; empty is none
	JobRights      string            // of tokens whose workflow says nothing; empty is write
	NoJobPulls     bool              // a job's token may open no pull request
	Ruleset        string            // name of its ruleset; empty is the default branch
}

func (r *repository) fullName() string { return r.Owner + "/" + r.Name }

// New opens the state under o.Dir, or begins it.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, cache: map[string]any{}, refs: map[string]*sync.Mutex{}}
	s.changed = sync.NewCond(&s.mu)
	var err error
	if s.sealing, err = newSealing(); err != nil {
		return nil, err
	}
	s.state = state{Repositories: map[string]*repository{}, Tokens: map[string]*Token{}}
	if err := os.MkdirAll(filepath.Join(o.Dir, "repositories"), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the repositories: %w", err)
	}
	data, err := os.ReadFile(s.stateFile())
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return nil, fmt.Errorf("read the state: %w", err)
	default:
		if err := json.Unmarshal(data, &s.state); err != nil {
			return nil, fmt.Errorf("read the state %s: %w", s.stateFile(), err)
		}
	}
	for _, repo := range s.state.Repositories {
		for _, r := range repo.Runs {
			if r.Status != "completed" {
				r.Status, r.Conclusion, r.Reason = "completed", "cancelled", "the sandbox ended"
			}
		}
	}
	s.routes()
	return s, nil
}

// Listen starts the server on a random port of loopback; close ends it.
func (s *Server) Listen(ctx context.Context) (close func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	s.SetURL("http://" + listener.Addr().String())
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }() // ends with close
	return func() { _ = server.Close() }, nil
}

// SetURL says at which root the server is reached.
func (s *Server) SetURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = strings.TrimSuffix(url, "/")
}

// URL is the root of the pages and of git, as GITHUB_SERVER_URL.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// APIURL is the root of the REST API, as GITHUB_API_URL.
func (s *Server) APIURL() string { return s.URL() + "/api/v3" }

// GraphQLURL is the GraphQL endpoint, as GITHUB_GRAPHQL_URL.
func (s *Server) GraphQLURL() string { return s.URL() + "/api/graphql" }

// OnEvent adds a listener to everything that GitHub would offer to workflows.
func (s *Server) OnEvent(f func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onEvent = append(s.onEvent, f)
}

func (s *Server) emit(events ...Event) {
	s.mu.Lock()
	listeners := append([]func(Event){}, s.onEvent...)
	s.mu.Unlock()
	for _, e := range events {
		for _, f := range listeners {
			f(e)
		}
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fault(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) stateFile() string { return filepath.Join(s.o.Dir, "github.json") }

// Save writes the state; it is written after every change too.
func (s *Server) Save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save()
}

func (s *Server) save() error {
	s.changed.Broadcast()
	data, err := json.Marshal(s.state)
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	temporary := s.stateFile() + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return os.Rename(temporary, s.stateFile())
}

// change runs f on the state and writes it.
func (s *Server) change(f func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.state)
	_ = s.save() // a full disk shows at the next git write
}

func (s *state) next() int64 { s.Serial++; return s.Serial }

func (s *Server) now() time.Time { return s.o.Now().UTC().Truncate(time.Second) }

// Seed is a repository to make.
type Seed struct {
	Name    string // OWNER/NAME
	Dir     string // whose files are the first commit; empty makes an empty repository
	Branch  string // default main
	Private bool
	Message string
	Author  string // user name
	// Required are the status contexts that merging needs: CONTEXT from anybody,
	// CONTEXT@SLUG from the App of that slug alone.
	Required []string
	// Protected lets the default branch move by merging pull requests only, and
	// by what the Apps of these slugs do.
	Protected bool
	Bypass    []string
	Secrets   map[string]string
	Vars      map[string]string
}

// CreateRepository makes a repository with one commit. It raises no event, as
// if Actions were switched on afterwards.
func (s *Server) CreateRepository(ctx context.Context, seed Seed) error {
	owner, name, ok := strings.Cut(seed.Name, "/")
	if !ok || owner == "" || name == "" || strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") ||
		strings.HasPrefix(owner, ".") {
		return fmt.Errorf("create repository %q: the form is OWNER/NAME", seed.Name)
	}
	if seed.Branch == "" {
		seed.Branch = "main"
	}
	if seed.Message == "" {
		seed.Message = "Begin"
	}
	if seed.Author == "" {
		seed.Author = owner
	}
	s.mu.Lock()
	_, exists := s.state.Repositories[strings.ToLower(seed.Name)]
	s.mu.Unlock()
	if exists {
		return fmt.Errorf("create repository %s: it exists already", seed.Name)
	}
	repo := &repository{
		Owner: owner, Name: name, Private: seed.Private, DefaultBranch: seed.Branch, Created: s.now(), Required: seed.Required,
		Protected: seed.Protected, Bypass: seed.Bypass,
		RunNumbers: map[string]int{}, Secrets: seed.Secrets, Vars: seed.Vars,
	}
	dir := s.gitDir(repo)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("create repository %s: %w", seed.Name, err)
	}
	if _, err := git.RunEnv(
		ctx, filepath.Dir(dir), s.o.Env, "init", "--quiet", "--bare", "--initial-branch="+seed.Branch, dir,
	); err != nil {
		return fmt.Errorf("create repository %s: %w", seed.Name, err)
	}
	if seed.Dir != "" {
		if err := s.firstCommit(ctx, dir, seed); err != nil {
			return fmt.Errorf("create repository %s: %w", seed.Name, err)
		}
	}
	s.change(func(st *state) {
		repo.ID = st.next()
		st.Repositories[strings.ToLower(seed.Name)] = repo
	})
	return nil
}

// firstCommit commits the files of the seed.
func (s *Server) firstCommit(ctx context.Context, dir string, seed Seed) error {
	index := filepath.Join(dir, "seed-index")
	defer os.Remove(index)
	env := slices.Concat(s.o.Env, s.identity(seed.Author), []string{"GIT_INDEX_FILE=" + index})
	abs, err := filepath.Abs(seed.Dir)
	if err != nil {
		return err
	}
	if _, err := git.RunEnv(ctx, dir, env, "--work-tree="+abs, "add", "--all", "--force", "."); err != nil {
		return err
	}
	tree, err := git.RunEnv(ctx, dir, env, "write-tree")
	if err != nil {
		return err
	}
	commit, err := git.RunEnv(ctx, dir, env, "commit-tree", tree, "-m", seed.Message)
	if err != nil {
		return err
	}
	_, err = git.RunEnv(ctx, dir, s.o.Env, "update-ref", "refs/heads/"+seed.Branch, commit)
	return err
}

// Repositories lists the names of all repositories.
func (s *Server) Repositories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, r := range s.state.Repositories {
		names = append(names, r.fullName())
	}
	sort.Strings(names)
	return names
}

// Variables gives the secrets and variables of a repository's Actions.
func (s *Server) Variables(name string) (secrets, vars map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.state.Repositories[strings.ToLower(name)]; r != nil {
		return clone(r.Secrets), clone(r.Vars)
	}
	return nil, nil
}

// SetSecret sets a secret of a repository's Actions.
func (s *Server) SetSecret(name, key, value string) error {
	return s.set(name, func(r *repository) *map[string]string { return &r.Secrets }, key, value)
}

// SetVariable sets a variable of a repository's Actions.
func (s *Server) SetVariable(name, key, value string) error {
	return s.set(name, func(r *repository) *map[string]string { return &r.Vars }, key, value)
}

func (s *Server) set(name string, which func(*repository) *map[string]string, key, value string) error {
	err := fmt.Errorf("repository %s does not exist", name)
	s.change(func(st *state) {
		if r := st.Repositories[strings.ToLower(name)]; r != nil {
			m := which(r)
			if *m == nil {
				*m = map[string]string{}
			}
			(*m)[key] = value
			err = nil
		}
	})
	return err
}

// GitDir is the bare repository on disk, or empty.
func (s *Server) GitDir(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.state.Repositories[strings.ToLower(name)]; r != nil {
		return s.gitDir(r)
	}
	return ""
}

func (s *Server) gitDir(r *repository) string {
	return filepath.Join(s.o.Dir, "repositories", strings.ToLower(r.Owner), strings.ToLower(r.Name)+".git")
}

func (s *Server) lookup(name string) *repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Repositories[strings.ToLower(name)]
}

func clone(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Package rehearsal is the rehearsal: a registry, a stand-in for GitHub that runs
// workflows with act, and an OIDC issuer, all on loopback and on random ports.
//
// Nothing in it is for production, it holds no secret worth keeping, and it
// needs no network. Its user makes repositories and tokens, pushes,
// and watches: everything else follows from events.
package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/actions"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/rehearsal/registry"
)

// Options says where the sandbox keeps its state and what its jobs see.
type Options struct {
	Dir string // of repositories, blobs, runs and logs
	// Act is the program that runs workflows; empty looks on PATH, and "none"
	// runs none.
	Act string
	// Env is what jobs see of the outside, beside what Actions defines.
	Env []string
	// Local are directories that stand for OWNER/NAME at every ref.
	Local map[string]string
	// Binaries is a directory of Waybill's binaries, which actions install from
	// there, verified; empty installs as elsewhere.
	Binaries string
	// Logf, when set, is told which runs start and end.
	Logf func(format string, args ...any)
	Keep bool // leaves the clones of finished runs
}

// Sandbox is a running rehearsal.
type Sandbox struct {
	GitHub   *githubd.Server
	Registry *registry.Server
	Issuer   *oidc.Issuer
	engine   *actions.Engine
	stop     func()
}

// URLs is where everything is.
type URLs struct {
	Server   string `json:"server"`  // GITHUB_SERVER_URL; git is at SERVER/OWNER/NAME.git
	API      string `json:"api"`     // GITHUB_API_URL
	GraphQL  string `json:"graphql"` // GITHUB_GRAPHQL_URL
	Admin    string `json:"admin"`   // root of what a rehearsal does besides the API
	Registry string `json:"registry"`
	Issuer   string `json:"issuer"`
}

// URLs gives the addresses.
func (s *Sandbox) URLs() URLs {
	return URLs{
		Server: s.GitHub.URL(), API: s.GitHub.APIURL(), GraphQL: s.GitHub.GraphQLURL(), Admin: s.GitHub.URL() + "/_sandbox",
		Registry: s.Registry.Host, Issuer: s.Issuer.URL(),
	}
}

// Start starts everything. Close ends it.
func Start(ctx context.Context, o Options) (_ *Sandbox, err error) {
	s := &Sandbox{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.Registry, err = registry.Start(ctx, filepath.Join(o.Dir, "blobs")); err != nil {
		return nil, err
	}
	if s.Issuer, err = oidc.Start(ctx); err != nil {
		return nil, err
	}
	if s.GitHub, err = githubd.New(githubd.Options{Dir: filepath.Join(o.Dir, "github"), Env: o.Env}); err != nil {
		return nil, err
	}
	if s.stop, err = s.GitHub.Listen(ctx); err != nil {
		return nil, err
	}
	if o.Act == "none" {
		return s, nil
	}
	if o.Act == "" {
		if o.Act, err = process.LookPath("act"); err != nil {
			return nil, errors.New("start the sandbox: act is not on PATH: install it (go install github.com/nektos/act@v0.2.89), " +
				"or name it")
		}
	}
	s.engine, err = actions.Start(context.WithoutCancel(ctx), actions.Options{
		GitHub: s.GitHub, Act: o.Act, Dir: filepath.Join(o.Dir, "runs"), Env: o.Env, Local: o.Local, Binaries: o.Binaries,
		Issuer: s.Issuer, Logf: o.Logf, Keep: o.Keep,
	})
	return s, err
}

// Close cancels what runs, and ends everything.
func (s *Sandbox) Close() {
	if s.engine != nil {
		s.engine.Close()
	}
	if s.stop != nil {
		s.stop()
	}
	if s.Issuer != nil {
		s.Issuer.Stop()
	}
	if s.Registry != nil {
		s.Registry.Stop()
	}
}

// Environment picks what jobs see out of an environment: where programs are,
// and where Go keeps what it built and downloaded. Each run has a home of its
// own, so the defaults below the user's home are spelt out.
func Environment(getenv func(string) string) []string {
	home := getenv("HOME")
	path := cmp.Or(getenv("GOPATH"), filepath.Join(home, "go"))
	defaults := map[string]string{
		"GOCACHE": filepath.Join(home, ".cache", "go-build"), "GOMODCACHE": filepath.Join(path, "pkg", "mod"),
		"PATH": "/usr/local/bin:/usr/bin:/bin",
	}
	var env []string
	for _, name := range []string{
		"PATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GOTOOLCHAIN",
		"SSL_CERT_FILE", "LANG", "GOGC",
	} {
		if value := cmp.Or(getenv(name), defaults[name]); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

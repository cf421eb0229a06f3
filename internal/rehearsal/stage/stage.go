// Package stage starts everything that a delivery needs on this machine: the
// sandbox, a real Sigstore that trusts its issuer, and a vulnerability
// database in its registry.
//
// What it gives is told to repositories as variables, as on github.com, where
// a variable cannot name a file.
package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
	"github.com/waybill-dev/waybill/workflows"
)

// Actions is the repository of Waybill's actions, which the checkout stands for.
const Actions = "waybill-dev/waybill"

// Options says where things are.
type Options struct {
	Root  string   // this checkout: actions/, bin/, testdata/
	Dir   string   // state
	Tools string   // act, fulcio, rekor-server, timestamp-server
	Env   []string // what jobs see
	Keep  bool     // leaves the clones of finished runs
	Logf  func(format string, args ...any)
	// Tell, when set, hears of each part that is up.
	Tell func(format string, args ...any)
}

// Stage is what was started. Close ends it.
type Stage struct {
	*rehearsal.Sandbox
	// Variables are for every repository: mirror of the database, signing
	// configuration, trusted root.
	Variables map[string]string
	stack     *sigstored.Stack
}

// Start starts everything.
func Start(ctx context.Context, o Options) (_ *Stage, err error) {
	s := &Stage{Variables: make(map[string]string)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	tell := o.Tell
	if tell == nil {
		tell = func(string, ...any) {}
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	s.Sandbox, err = rehearsal.Start(ctx, rehearsal.Options{
		Dir: o.Dir, Act: filepath.Join(o.Tools, "act"), Env: o.Env,
		Binaries: filepath.Join(o.Root, "bin"),
		Local:    map[string]string{Actions: o.Root}, Logf: o.Logf, Keep: o.Keep,
	})
	if err != nil {
		return nil, err
	}
	urls := s.URLs()
	tell("rehearsal is up: registry %s, GitHub stand-in %s", urls.Registry, urls.Server)
	s.stack, err = sigstored.Start(ctx, sigstored.Options{
		Tools: o.Tools, State: filepath.Join(o.Dir, "sigstore"), Issuers: []string{urls.Issuer},
	})
	if err != nil {
		return nil, err
	}
	tell("Sigstore is up: Fulcio, Rekor, timestamp authority")
	database, err := pushDatabase(ctx, o.Root, urls.Registry)
	if err != nil {
		return nil, err
	}
	tell("vulnerability database %s", database)
	s.Variables["WAYBILL_DB_REPOSITORY"] = database
	for name, file := range map[string]string{
		"WAYBILL_SIGNING_CONFIG": s.stack.SigningConfig, "WAYBILL_TRUSTED_ROOT": s.stack.TrustedRoot,
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s.Variables[name] = string(data)
	}
	return s, nil
}

// Trust is what deliver.yml of a config repository here has to say.
func (s *Stage) Trust() workflows.Trust {
	return workflows.Trust{
		Database: s.Variables["WAYBILL_DB_REPOSITORY"], SigningConfig: s.Variables["WAYBILL_SIGNING_CONFIG"],
		TrustedRoot: s.Variables["WAYBILL_TRUSTED_ROOT"],
	}
}

// Close cancels what runs, and ends everything.
func (s *Stage) Close() {
	if s.Sandbox != nil {
		s.Sandbox.Close()
	}
	if s.stack != nil {
		s.stack.Stop()
	}
}

func pushDatabase(ctx context.Context, root, host string) (string, error) {
	advisories, err := filepath.Glob(filepath.Join(root, "testdata", "advisories", "*.yaml"))
	if err != nil || len(advisories) == 0 {
		return "", errors.Join(errors.New("testdata/advisories holds no advisories"), err)
	}
	repository, err := imageref.ParseRepository(host + "/acme/trivy-db")
	if err != nil {
		return "", err
	}
	client := registry.New(registry.Options{})
	if _, err := vulndb.Push(ctx, client, repository, vulndb.Database{
		Advisories: advisories, UpdatedAt: time.Now().Add(-time.Hour),
	}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%d", repository.Name(), vulndb.SchemaVersion), nil
}

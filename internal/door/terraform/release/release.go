// Package release chooses the terraform that a root asks for: the one that is
// there, where it satisfies, else the required version from HashiCorp's releases
// or a mirror of them.
//
// A release is used only when HashiCorp's signature on its checksums, and the
// archive's checksum, are right; hc-install does both, with the key that it
// carries. A mirror can withhold a version, and cannot put another into its
// place: the program is asked for its version before it is used. OpenTofu is
// taken from PATH alone.
package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// DefaultMirror is where HashiCorp's releases are.
const DefaultMirror = "https://releases.hashicorp.com"

const timeout = 5 * time.Minute

// Wish is a version or a constraint, and who asks for it.
type Wish struct {
	Constraint string // 1.11.4, ~> 1.11.0
	From       string // waybill.yaml, required_version of infra/prod/main.tf, …
}

// Chooser gives roots their terraform.
type Chooser struct {
	Program string   // name on PATH, or path; a path is never replaced by an installed release
	Env     []string // of the child that says its version
	// Versions are those that programs said before; nil asks again.
	Versions *terraform.Versions
	Dir      string // for what is installed
	Mirror   string // empty is DefaultMirror
	Key      string // armored, of the releases' signer; empty is HashiCorp's
	// Absent passes over what is on PATH.
	Absent bool
	Say    func(format string, args ...any)

	mu        sync.Mutex
	installed map[string]string // by constraint
	there     *identity         // of Program, once it was asked
}

// Choose gives the program for a root with these wishes, all of which hold.
func (c *Chooser) Choose(ctx context.Context, wishes []Wish) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(wishes) == 0 {
		return c.Program, nil
	}
	constraints, err := parse(wishes)
	if err != nil {
		return "", err
	}
	there, err := c.found(ctx)
	missing := errors.Is(err, terraform.ErrNotFound)
	switch {
	case err == nil && constraints.Check(there.number):
		return c.Program, nil
	case err != nil && !missing:
		return "", err
	}
	what := "it is not on PATH"
	if err == nil {
		what = "on PATH is " + there.program + " " + there.number.String()
		if strings.ContainsRune(c.Program, filepath.Separator) {
			what = c.Program + " is " + there.program + " " + there.number.String()
		}
	}
	if c.Program != "terraform" || err == nil && there.program != "terraform" {
		return "", outcome.Refusedf(
			"%s: %s, and the root asks for %s: only HashiCorp's terraform is installed in the version that is asked for; provide "+
				"the right one",
			c.Program, what, describe(wishes),
		)
	}
	return c.install(ctx, constraints, wishes, what)
}

// Stays reports whether Choose would give the program that made is, such as terraform
// 1.11.4. It installs nothing: of a range of versions that would be installed, each counts
// as the one. What Choose refuses is not the one.
func (c *Chooser) Stays(ctx context.Context, made string, wishes []Wish) (bool, error) {
	name, number, _ := strings.Cut(made, " ")
	was, err := version.NewVersion(number)
	if err != nil {
		return false, nil // nobody knows what it is
	}
	constraints, err := parse(wishes)
	if err != nil {
		return false, nil // Choose says what is wrong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	there, err := c.found(ctx)
	switch {
	case errors.Is(err, terraform.ErrNotFound):
		return constraints.Check(was), nil
	case err != nil:
		return false, err
	case len(wishes) == 0 || constraints.Check(there.number):
		return there.program == name && there.number.Equal(was), nil
	}
	return c.Program == "terraform" && name == there.program && constraints.Check(was), nil
}

func (c *Chooser) install(ctx context.Context, constraints version.Constraints, wishes []Wish, what string) (string, error) {
	if path := c.installed[constraints.String()]; path != "" {
		return path, nil
	}
	mirror := c.Mirror
	if mirror == "" {
		mirror = DefaultMirror
	}
	if u, err := url.Parse(mirror); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return "", outcome.Usagef("%q is not the address of a mirror: want https://HOST/PATH, without a password", mirror)
	}
	mirror = strings.TrimSuffix(mirror, "/")
	dir, err := os.MkdirTemp(c.Dir, "terraform-")
	if err != nil {
		return "", fmt.Errorf("make a directory for terraform: %w", err)
	}
	c.say("terraform: %s, asked for is %s: installing from %s", what, describe(wishes), mirror)
	path, err := c.fetch(ctx, constraints, mirror, dir)
	if err != nil {
		return "", explain(err, mirror, wishes)
	}
	got, err := c.versionOf(ctx, path)
	if err != nil {
		return "", err
	}
	if got.program != "terraform" || !constraints.Check(got.number) {
		return "", outcome.Refusedf(
			"%s gave %s %s for %s: it is signed, and not what was asked for", mirror, got.program, got.number, describe(wishes),
		)
	}
	c.say("terraform %s: checksum and signature are right", got.number)
	if c.installed == nil {
		c.installed = make(map[string]string)
	}
	c.installed[constraints.String()] = path
	return path, nil
}

var errChecksum = errors.New("checksum mismatch")

// fetch lets hc-install verify and unpack into a directory that holds nothing
// else. That matters: where the checksum is wrong, hc-install (up to 0.10.0)
// unpacks nothing, loses its error, and goes on with what lies there. Its log
// says what it was.
func (c *Chooser) fetch(ctx context.Context, constraints version.Constraints, mirror, dir string) (path string, err error) {
	var said bytes.Buffer
	logger := log.New(&said, "", 0)
	if exact, ok := exactly(constraints); ok {
		source := &releases.ExactVersion{
			Product: product.Terraform, Version: exact, InstallDir: dir, Timeout: timeout, ApiBaseURL: mirror,
			ArmoredPublicKey: c.Key,
		}
		source.SetLogger(logger)
		path, err = source.Install(ctx)
	} else {
		source := &releases.LatestVersion{
			Product: product.Terraform, Constraints: constraints, InstallDir: dir, Timeout: timeout, ApiBaseURL: mirror,
			ArmoredPublicKey: c.Key,
		}
		source.SetLogger(logger)
		path, err = source.Install(ctx)
	}
	if strings.Contains(said.String(), "checksum does not match") {
		return "", errChecksum
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the archive could not be unpacked: %w", err)
	}
	return path, err
}

func (c *Chooser) say(format string, args ...any) {
	if c.Say != nil {
		c.Say(format, args...)
	}
}

// found asks the program for its version, once for all roots.
func (c *Chooser) found(ctx context.Context) (identity, error) {
	if c.Absent {
		return identity{}, terraform.ErrNotFound
	}
	if c.there == nil {
		there, err := c.versionOf(ctx, c.Program)
		if err != nil {
			return identity{}, err
		}
		c.there = &there
	}
	return *c.there, nil
}

type identity struct {
	program string
	number  *version.Version
}

func (c *Chooser) versionOf(ctx context.Context, program string) (identity, error) {
	text, err := terraform.Open(terraform.Options{Path: program, Dir: c.Dir, DataDir: c.Dir, Env: c.Env, Versions: c.Versions}).Version(ctx)
	if err != nil {
		return identity{}, err
	}
	name, number, _ := strings.Cut(text, " ")
	v, err := version.NewVersion(number)
	if err != nil {
		return identity{}, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	return identity{name, v}, nil
}

func parse(wishes []Wish) (version.Constraints, error) {
	var all version.Constraints
	for _, w := range wishes {
		constraints, err := version.NewConstraint(w.Constraint)
		if err != nil {
			return nil, outcome.Usagef(
				"%s: %q is neither a version such as 1.11.4 nor a constraint such as ~> 1.11.0", w.From, w.Constraint,
			)
		}
		all = append(all, constraints...)
	}
	return all, nil
}

// exactly finds the one version that a constraint names.
func exactly(constraints version.Constraints) (*version.Version, bool) {
	for _, c := range constraints {
		if v, err := version.NewVersion(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(c.String()), "="))); err == nil &&
			constraints.Check(v) {
			return v, true
		}
	}
	return nil, false
}

func describe(wishes []Wish) string {
	var parts []string
	for _, w := range wishes {
		parts = append(parts, fmt.Sprintf("%s (%s)", w.Constraint, w.From))
	}
	return strings.Join(parts, " and ")
}

// explain tells what a mirror must not do from what it cannot. hc-install has no
// types for either.
func explain(err error, mirror string, wishes []Wish) error {
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("unable to verify checksums signature", "no suitable sig file"):
		return outcome.Refusedf(
			"%s: the checksums of terraform %s are not signed by the key of HashiCorp's releases: nothing was run: %w", mirror,
			describe(wishes), err,
		)
	case errors.Is(err, errChecksum), has("no checksum found"):
		return outcome.Refusedf(
			"%s: the archive of terraform %s is not the one whose checksum is signed: nothing was run: %w", mirror,
			describe(wishes), err,
		)
	case has("no matching version found", `: 404`):
		return outcome.Refusedf("%s has no terraform %s: %w", mirror, describe(wishes), err)
	}
	return fmt.Errorf("install terraform %s from %s: %w", describe(wishes), mirror, err)
}

// Package hold keeps digests out of environments until somebody lets them in.
//
// A hold is a file of the config repository, so that it has an author and a
// history, and so that nobody takes it away without a change that others see.
// It keeps a place at its digest, or it keeps single digests out of every
// environment that they would newly enter, which is what a rollback leaves behind.
// The package reads and writes such files and asks no registry.
package hold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Rule is the name of the rule in decisions.
const Rule = "hold"

// Dir holds the holds.
const Dir = ".waybill/holds/"

// Path is where the hold of an application in an environment lies.
func Path(app, env string) string { return Dir + env + "/" + app + ".yaml" }

// Hold keeps digests out of a place.
type Hold struct {
	App    string `yaml:"app" json:"-"`
	Env    string `yaml:"env" json:"-"`
	Reason string `yaml:"reason" json:"reason"`
	// Digests are kept out here and in every other environment. Without any, the
	// place keeps the digest that it has.
	Digests []string `yaml:"digests,omitempty" json:"digests,omitempty"`
}

// File is the hold as a file.
func (h Hold) File() []byte {
	h.Reason = strings.Join(strings.Fields(h.Reason), " ")
	var out bytes.Buffer
	fmt.Fprintf(&out, "# waybill hold --lift --app %s --env %s takes this away.\n", h.App, h.Env)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	_ = encoder.Encode(h) // texts alone
	return out.Bytes()
}

// Parse reads a hold. A file that cannot be read keeps everything out.
func Parse(file string, data []byte, app, env string) Hold {
	broken := func(why string) Hold {
		return Hold{App: app, Env: env, Reason: file + " cannot be read, so everything is kept out: " + why}
	}
	if err := limit.YAML(file, data); err != nil {
		return broken(err.Error())
	}
	var h Hold
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&h); err != nil {
		return broken(err.Error())
	}
	if h.App != app || h.Env != env {
		return broken(fmt.Sprintf("it is of %q in %q", h.App, h.Env))
	}
	return h
}

// What says in a few words what is held, and why.
func (h Hold) What() string {
	if len(h.Digests) == 0 {
		return "is held: " + h.Reason
	}
	var list []string
	for _, d := range h.Digests {
		list = append(list, imageref.ShortDigest(d))
	}
	return "keeps out " + strings.Join(list, ", ") + ": " + h.Reason
}

// Covers reports whether h keeps out whatever other does.
func (h Hold) Covers(other Hold) bool {
	if len(h.Digests) == 0 || len(other.Digests) == 0 {
		return len(h.Digests) == 0
	}
	for _, d := range other.Digests {
		if !slices.Contains(h.Digests, d) {
			return false
		}
	}
	return true
}

// Reader reads files of the config repository.
type Reader interface {
	File(ctx context.Context, rev, path string) ([]byte, error)
}

// Of reads the hold of a place; found is false where there is none.
func Of(ctx context.Context, repo Reader, rev, app, env string) (h Hold, found bool, err error) {
	data, err := repo.File(ctx, rev, Path(app, env))
	if errors.Is(err, configrepo.ErrNotFound) {
		return Hold{}, false, nil
	}
	if err != nil {
		return Hold{}, false, fmt.Errorf("look for a hold of %s in %s: %w", app, env, err)
	}
	return Parse(Path(app, env), data, app, env), true, nil
}

// Entry is a digest that would enter an environment.
type Entry struct {
	Rev   string // of the config repository
	App   config.App
	Env   string
	Image imageref.Ref
	// Returning is for a digest that goes back to where it ran: a hold that keeps
	// a place at its digest does not stand in the way of that.
	Returning bool
}

// Reasons says which holds keep a digest out of an environment: that of the place
// itself, and, for single digests, those of the application's other environments.
// A digest that was taken out of one is not let into another, whether that comes
// before or after.
func Reasons(ctx context.Context, repo Reader, e Entry) ([]evidence.Reason, error) {
	var reasons []evidence.Reason
	for _, name := range withEnv(e.App.Environments, e.Env) {
		h, found, err := Of(ctx, repo, e.Rev, e.App.Name, name)
		if err != nil {
			return nil, err
		}
		whole := found && len(h.Digests) == 0
		switch {
		case !found || whole && (name != e.Env || e.Returning):
		case whole:
			reasons = append(reasons, h.refuses(fmt.Sprintf("%s is held at the digest that it has: %s", e.Env, h.Reason)))
		case slices.Contains(h.Digests, e.Image.Digest()):
			reasons = append(reasons, h.takenOut())
		}
	}
	return reasons, nil
}

// Among says which holds of all files keep a digest out, of whatever application and
// environment they are: a second name for an image, or an environment that a
// change takes away, lifts none.
func Among(files map[string][]byte, digest string) []evidence.Reason {
	var reasons []evidence.Reason
	for _, file := range slices.Sorted(maps.Keys(files)) {
		env, app, ok := Named(file)
		if !ok {
			continue
		}
		if h := Parse(file, files[file], app, env); slices.Contains(h.Digests, digest) {
			reasons = append(reasons, h.takenOut())
		}
	}
	return reasons
}

// Named reads the place out of the name of a hold's file.
func Named(file string) (env, app string, ok bool) {
	name, ok := strings.CutPrefix(file, Dir)
	if !ok {
		return "", "", false
	}
	return strings.Cut(strings.TrimSuffix(name, ".yaml"), "/")
}

func (h Hold) takenOut() evidence.Reason {
	return h.refuses(fmt.Sprintf("held since it was taken out of %s: %s", h.Env, h.Reason))
}

func (h Hold) refuses(detail string) evidence.Reason {
	return evidence.Reason{Rule: Rule, State: evidence.Refused, Detail: detail,
		Remedy: fmt.Sprintf("lift it with waybill hold --lift --app %s --env %s", h.App, h.Env)}
}

func withEnv(environments []string, env string) []string {
	if slices.Contains(environments, env) {
		return environments
	}
	return append(slices.Clone(environments), env)
}

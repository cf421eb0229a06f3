// Package history reads and changes what a config repository says runs
// where: which digest, since when, and what a change of it would render to.
//
// The config repository is the record. A digest runs in an environment from
// the commit that brought it to the branch until the commit that replaced it;
// nothing is asked of a cluster.
package history

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Target is where the application's image is named in env.
func Target(app config.App, env string) overlay.Target {
	return overlay.Target{Path: app.Overlay(env), Image: app.Image, Values: app.Helm(env).Image}
}

// Read finds what runs in env according to the files of one commit.
func Read(files map[string][]byte, app config.App, env string) (overlay.Place, error) {
	return overlay.Read(files, Target(app, env))
}

// Placeholder reports whether a digest is all zeros, which starter files hold
// until the first bump: no image has it.
func Placeholder(ref imageref.Ref) bool { return !ref.IsZero() && strings.Trim(ref.Hex(), "0") == "" }

// Runs reports whether ref is the digest of an image that can run.
func Runs(ref imageref.Ref) bool { return !ref.IsZero() && !Placeholder(ref) }

// Branches is the config repository, as reading the tip of a branch uses it.
type Branches interface {
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
}

// Tip is the newest commit of a branch, its files, and the configuration in them.
type Tip struct {
	*configrepo.Snapshot
	Config *config.Config
}

// ReadTip reads the tip of a branch.
func ReadTip(ctx context.Context, repo Branches, branch string) (Tip, error) {
	head, err := repo.Head(ctx, branch)
	if err != nil {
		return Tip{}, fmt.Errorf("read the head of %s: %w", branch, err)
	}
	snapshot, err := repo.Snapshot(ctx, head)
	if err != nil {
		return Tip{}, fmt.Errorf("read %s: %w", branch, err)
	}
	cfg, err := Load(snapshot.Files)
	return Tip{Snapshot: snapshot, Config: cfg}, err
}

// Load reads waybill.yaml from the files of one commit.
func Load(files map[string][]byte) (*config.Config, error) {
	data, ok := files[config.FileName]
	if !ok {
		return nil, fmt.Errorf("the config repository has no %s at its root: waybill init config writes a first one", config.FileName)
	}
	return config.Parse(config.FileName, data)
}

// Change is an edited overlay and what it does to the rendered objects.
type Change struct {
	overlay.Result
	Objects []render.Change
}

// Prepare edits the overlay to name ref and holds the rendering of both sides
// against each other: only the image may differ, and something must use it.
func Prepare(ctx context.Context, files map[string][]byte, app config.App, env string, ref imageref.Ref) (Change, error) {
	result, err := overlay.Set(files, Target(app, env), ref)
	if err != nil {
		return Change{}, err
	}
	change := Change{Result: result}
	if len(result.Edits) == 0 {
		return change, nil
	}
	after, err := objects(ctx, With(files, result.Place.File, result.After), app, env)
	if err != nil {
		return Change{}, err
	}
	if !uses(after, ref) {
		return Change{}, fmt.Errorf("%s: no rendered container of %s in %s would use %s: the overlay names the image, but nothing takes it from there", result.Place.File, app.Name, env, ref)
	}
	before, err := objects(ctx, files, app, env)
	if err != nil {
		if result.Place.Ref.IsZero() && result.Place.Tag == "" { // a chart may require the digest that is not there yet
			before, err = nil, nil
		}
		if err != nil {
			return Change{}, err
		}
	}
	change.Objects = render.Diff(before, after)
	if before != nil {
		if err := onlyImage(render.DiffWithSecrets(before, after), result.Place, ref); err != nil {
			return Change{}, fmt.Errorf("%s: %w", result.Place.File, err)
		}
	}
	return change, nil
}

// With gives the files with one of them changed.
func With(files map[string][]byte, name string, data []byte) map[string][]byte {
	changed := make(map[string][]byte, len(files)+1)
	for k, v := range files {
		changed[k] = v
	}
	changed[name] = data
	return changed
}

func objects(ctx context.Context, files map[string][]byte, app config.App, env string) ([]render.Object, error) {
	return render.New(files).App(ctx, app, env)
}

func uses(objects []render.Object, ref imageref.Ref) bool {
	for _, image := range render.Images(objects) {
		repository, digest, _ := strings.Cut(image, "@")
		if digest == ref.Digest() && strings.HasPrefix(repository, ref.Repository()) {
			return true
		}
	}
	return false
}

// onlyImage refuses a difference that is more than the old digest or tag
// becoming the new digest.
func onlyImage(changes []render.Change, was overlay.Place, ref imageref.Ref) error {
	for _, c := range changes {
		if c.Kind != render.Changed {
			return fmt.Errorf("changing the digest would leave %s %s; only the image may differ", c.Object, c.Kind)
		}
		for _, f := range c.Fields {
			if f.Old == nil || f.New == nil || !onlyDigest(*f.Old, *f.New, was, ref) {
				return fmt.Errorf("changing the digest would also change %s of %s; only the image may differ", f.Path, c.Object)
			}
		}
	}
	return nil
}

func onlyDigest(old, changed string, was overlay.Place, ref imageref.Ref) bool {
	if !was.Ref.IsZero() && strings.ReplaceAll(old, was.Ref.Digest(), ref.Digest()) == changed {
		return true
	}
	rest, isImage := strings.CutPrefix(changed, ref.Repository())
	return isImage && strings.HasSuffix(rest, "@"+ref.Digest()) && strings.HasPrefix(old, ref.Repository()) && was.Ref.IsZero()
}

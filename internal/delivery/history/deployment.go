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
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// Target is where the application's image is named in env.
func Target(app config.App, env string) overlay.Target {
	helm := app.Helm(env)
	return overlay.Target{
		Path: app.Overlay(env), Image: app.Image, Values: helm.Image, Chart: helm.Chart, Apart: app.Part != "",
	}
}

// Read finds what runs in env according to the files of one commit, for an application
// of one image or a part of one; ReadSet does for any.
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

// Branch is a branch of Waybill's own, such as that of an application's promotion:
// waybill/ENV/APP. That of a directory of the repository begins otherwise, so that two
// directories never share one: waybill/+DIR/ENV/APP. No environment's name has a plus.
func (t Tip) Branch(parts ...string) string {
	if t.Dir != "" {
		parts = append([]string{strings.ReplaceAll("/"+t.Dir, "/", "+")}, parts...)
	}
	return "waybill/" + strings.Join(parts, "/")
}

// GroupBranch is the branch of a group's promotion into an environment. No application's
// name has a plus.
func (t Tip) GroupBranch(env, group string) string { return t.Branch(env, "+"+group) }

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
	cfg, err := Load(snapshot)
	return Tip{Snapshot: snapshot, Config: cfg}, err
}

// Load reads waybill.yaml from the files of one commit.
func Load(s *configrepo.Snapshot) (*config.Config, error) {
	if data, ok := s.Files[config.FileName]; ok {
		return config.Parse(path.Join(s.Dir, config.FileName), data)
	}
	at, do := "at its root", "waybill init config writes a first one"
	if s.Dir != "" {
		at = "in " + s.Dir
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		if dir, file := path.Split(name); file == config.FileName {
			do = fmt.Sprintf("if %s is meant, give --path %s", path.Join(s.Dir, name), path.Join(s.Dir, dir))
			break
		}
	}
	if s.Beside(config.FileName) {
		at += " in commit " + text.Commit(s.Commit)
		do = "your working directory has one, and Waybill reads what is committed: git add and git commit it, " +
			"or name the branch that has it with --branch"
	}
	return nil, fmt.Errorf("the config repository has no %s %s: %s", config.FileName, at, do)
}

// Change is an edited overlay and what it does to the rendered objects.
type Change struct {
	overlay.Result
	Objects []render.Change
	Copies  map[string][]byte // files that go with it; nil is a file to delete

	rendered []*render.Renderer // by which it was found
}

// RestsOn reports whether anything of a directory, or that file, was read to prepare the
// change.
func (c Change) RestsOn(files map[string][]byte, at string) bool {
	for name := range files {
		if _, in := below(name, at); in && slices.ContainsFunc(c.rendered, func(r *render.Renderer) bool { return r.Read(name) }) {
			return true
		}
	}
	return false
}

// Prepare edits the overlay among the files of a renderer to name the images of a set and holds the rendering of
// both sides against each other: only the images may differ, and something must use each. An image that the set
// does not have stays as it is. Where a chart takes nothing from a field for the digest, the digest is written into
// the tag.
func Prepare(ctx context.Context, on *render.Renderer, app config.App, env string, to Set) (Change, error) {
	p := preparation{ctx: ctx, on: on, app: app, env: env}
	for i, part := range app.Parts() {
		if i >= len(to) || to[i].IsZero() {
			continue
		}
		wanted := target{app: part, Target: Target(part, env), ref: to[i]}
		place, err := overlay.Read(on.Files(), wanted.Target)
		if err != nil {
			return Change{}, err
		}
		if wanted.form = place.Form; place.Form == overlay.Kustomize && place.Line == 0 {
			if p.before == nil {
				if p.before, err = p.objects(on); err != nil {
					return Change{}, err
				}
			}
			wanted.Names = names(p.before, part)
		}
		p.wanted = append(p.wanted, wanted)
	}
	change, unused, err := p.set()
	if err == nil && len(unused) > 0 && p.tag(unused) {
		if tagged, still, nowErr := p.set(); len(still) == 0 {
			change, unused, err = tagged, still, nowErr
		}
	}
	if err == nil && len(unused) > 0 {
		w := p.wanted[unused[0]]
		err = fmt.Errorf("%s: no rendered container of %s in %s would use %s: the overlay names the image, but nothing takes it from there%s",
			change.Place.File, w.app.Title(), env, w.ref, p.instead(change, w.app))
	}
	if err != nil {
		return Change{}, err
	}
	change.rendered = p.rendered
	return change, nil
}

// Edit edits the overlay to name the images of a set, and renders nothing.
func Edit(files map[string][]byte, app config.App, env string, to Set) (overlay.Result, error) {
	p := preparation{on: render.New(files)}
	for i, part := range app.Parts() {
		if i < len(to) && !to[i].IsZero() {
			p.wanted = append(p.wanted, target{app: part, Target: Target(part, env), ref: to[i]})
		}
	}
	return p.edit()
}

// tag has the digests that nothing used written into tags, and reports whether that is
// another way to write them.
func (p *preparation) tag(unused []int) (other bool) {
	for _, i := range unused {
		if p.wanted[i].form == overlay.Helm {
			p.wanted[i].Tagged, other = true, true
		}
	}
	return other
}

// objects renders the place.
func (p *preparation) objects(r *render.Renderer) ([]render.Object, error) {
	p.rendered = append(p.rendered, r)
	return r.App(p.ctx, p.app, p.env)
}

// WithCopies adds copies to a change that was prepared on them, and what both together do
// to the rendered objects of files.
func (c *Change) WithCopies(
	ctx context.Context, files map[string][]byte, app config.App, env string, copies map[string][]byte,
) error {
	if c.Copies = copies; len(copies) == 0 {
		return nil
	}
	before, err := objects(ctx, files, app, env)
	if err != nil {
		before = nil // what the copies bring may be what was missing
	}
	after, err := objects(ctx, With(Copied(files, copies), c.Place.File, c.After), app, env)
	if err != nil {
		return fmt.Errorf("render %s in %s with the files of promote.paths: %w", app.Name, env, err)
	}
	c.Objects = render.Diff(before, after)
	return nil
}

// preparation is one change of one overlay.
type preparation struct {
	ctx    context.Context
	on     *render.Renderer
	app    config.App
	env    string
	wanted []target
	before []render.Object // nil until it is needed

	rendered []*render.Renderer
}

// target is an image that the overlay shall name.
type target struct {
	app config.App // the part
	overlay.Target
	form   overlay.Form
	ref    imageref.Ref
	was    overlay.Place
	edited bool
}

// edit edits the overlay, and renders nothing. An overlay that names every digest
// already has no edits.
func (p *preparation) edit() (result overlay.Result, err error) {
	files := p.on.Files()
	for i := range p.wanted {
		w := &p.wanted[i]
		one, err := overlay.Set(files, w.Target, w.ref)
		if err != nil {
			return result, err
		}
		w.was, w.edited = one.Place, len(one.Edits) > 0
		if i == 0 {
			result = one
			result.Edits = slices.Clone(one.Edits)
		} else {
			result.Edits, result.After = append(result.Edits, one.Edits...), one.After
		}
		if w.edited {
			files = With(files, one.Place.File, one.After)
		}
	}
	return result, nil
}

// set edits the overlay, and lists the images that nothing of what it renders then
// uses. An overlay that names every digest already is not rendered.
func (p *preparation) set() (change Change, unused []int, err error) {
	if change.Result, err = p.edit(); err != nil || len(change.Edits) == 0 {
		return change, nil, err
	}
	after, err := p.objects(p.on.With(change.Place.File, change.After))
	if err != nil {
		return change, nil, err
	}
	there := false // whether every image was named before
	for i, w := range p.wanted {
		if w.edited && !uses(after, w.form, w.ref) {
			unused = append(unused, i)
		}
		there = there || !w.was.Ref.IsZero() || w.was.Tag != ""
	}
	if len(unused) > 0 {
		return change, unused, nil
	}
	if p.before == nil {
		p.before, err = p.objects(p.on)
		if err != nil && there {
			return change, nil, err
		} // else a chart may require the digest that is not there yet
	}
	change.Objects = render.Diff(p.before, after)
	if err == nil {
		if err = onlyImages(render.DiffWithSecrets(p.before, after), p.wanted); err != nil {
			err = fmt.Errorf("%s: %w", change.Place.File, err)
		}
		return change, nil, err
	}
	return change, nil, nil
}

// instead says where the images of the application stand that are rendered in place of
// the one that the overlay names: a replacement or a patch brings them from there.
func (p *preparation) instead(change Change, app config.App) string {
	on := p.on.With(change.Place.File, change.After)
	after, err := p.objects(on)
	if err != nil {
		return ""
	}
	for _, image := range render.Images(after) {
		name, digest := imageref.Split(image)
		if !overlay.SameRepository(name, app.Image) {
			continue
		}
		for _, part := range []string{image, digest} { // a replacement can bring the digest alone
			for _, file := range slices.Sorted(maps.Keys(on.Files())) {
				before, _, found := strings.Cut(string(on.Files()[file]), part)
				if found && part != "" && on.Read(file) {
					return fmt.Sprintf(". They run %s, which stands in line %d of %s, and a replacement or a patch takes it from there: "+
						"edit that line, or take out what copies it", image, strings.Count(before, "\n")+1, file)
				}
			}
		}
	}
	return ""
}

// names are the spellings under which objects name the application's image.
func names(objects []render.Object, app config.App) []string {
	var list []string
	for _, image := range render.Images(objects) {
		if name, _ := imageref.Split(image); overlay.SameRepository(name, app.Image) && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// With gives the files with one of them changed.
func With(files map[string][]byte, name string, data []byte) map[string][]byte {
	changed := maps.Clone(files)
	changed[name] = data
	return changed
}

func objects(ctx context.Context, files map[string][]byte, app config.App, env string) ([]render.Object, error) {
	return render.New(files).App(ctx, app, env)
}

// uses reports whether objects run the digest. What an Argo CD Application hands
// to a chart renders to no image here, so there the text is enough.
func uses(objects []render.Object, form overlay.Form, ref imageref.Ref) bool {
	for _, image := range render.Images(objects) {
		if name, digest := imageref.Split(image); digest == ref.Digest() && overlay.SameRepository(name, ref.Name()) {
			return true
		}
	}
	return form == overlay.Application
}

// onlyImages refuses a difference that is more than old digests or tags becoming the
// new digests, in images and in texts that quote them.
func onlyImages(changes []render.Change, wanted []target) error {
	var quoted []string
	for _, w := range wanted {
		if !w.was.Ref.IsZero() {
			quoted = append(quoted, w.was.Ref.Digest(), w.ref.Digest())
		}
	}
	isImage := func(object string, f render.Field) bool {
		return f.Old != nil && f.New != nil && slices.ContainsFunc(wanted, func(w target) bool {
			return becomes(*f.Old, *f.New, w.ref) || w.hands(object, *f.New)
		})
	}
	for _, c := range changes {
		for _, f := range c.Fields {
			if isImage(c.Object, f) {
				quoted = append(quoted, *f.Old, *f.New)
			}
		}
	}
	replacer := strings.NewReplacer(quoted...)
	for _, c := range changes {
		if c.Kind != render.Changed {
			return fmt.Errorf("changing the digest would leave %s %s; only the image may differ", c.Object, c.Kind)
		}
		for _, f := range c.Fields {
			if !isImage(c.Object, f) && (f.Old == nil || f.New == nil || replacer.Replace(*f.Old) != *f.New) {
				return fmt.Errorf("changing the digest would also change %s of %s; only the image may differ", f.Path, c.Object)
			}
		}
	}
	return nil
}

// deployers are the kinds whose fields hand images to what they deploy.
var deployers = []string{"Application", "ApplicationSet", "HelmRelease"}

// hands reports whether a field of a deployer hands the digest to what that deploys. Such an
// object is the file itself, in which nothing but the digest was changed: a digest that was
// empty, a tag with a digest behind it, or the digest without algorithm.
func (w target) hands(object, text string) bool {
	kind, _, _ := strings.Cut(object, " ")
	return (w.form == overlay.Application || w.form == overlay.Manifest) && slices.Contains(deployers, kind) &&
		strings.HasSuffix(text, w.ref.Hex())
}

// becomes reports whether an image of the repository becomes ref.
func becomes(old, changed string, ref imageref.Ref) bool {
	name, digest := imageref.Split(changed)
	before, _ := imageref.Split(old)
	return digest == ref.Digest() && overlay.SameRepository(name, ref.Name()) && overlay.SameRepository(before, ref.Name())
}

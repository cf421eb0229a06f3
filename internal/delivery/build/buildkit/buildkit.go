// Package buildkit builds images by a BuildKit daemon at any address, and is
// the only importer of BuildKit's client.
//
// The daemon is asked for one solve per builder, for all of that builder's
// platforms. What a daemon of this machine built comes back as an OCI layout on
// disk, from which the images of the platforms are taken. A remote daemon pushes
// it to the registry by itself, untagged, and the images are read there, so that
// no layer passes through this machine. Attestation manifests stay behind: the
// provenance that BuildKit adds is read for the digests of base images and then
// dropped, because Waybill attests in its own step, with its own identity.
// The index that is delivered is made and pushed by the caller, last: a build that
// fails or is cancelled leaves nothing that has a name or is ever signed.
//
// A cache that cannot be read or written is a warning: the image is built without.
package buildkit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/log"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Engine builds with BuildKit.
type Engine struct {
	Builders Builders
	Local    string // address of this machine's daemon; empty is DefaultAddress
	// Container is used where the address is Auto and no daemon answers at Local.
	Container Container
	// Credentials gives the login for a registry host, empty for none: for base
	// images and caches.
	Credentials func(host string) (username, password string, err error)
	Progress    io.Writer // what the daemon is doing; nil shows nothing
	// Getenv reads what caches of the clouds and of Actions need; nil reads nothing.
	Getenv func(name string) string
	Dir    string // for temporary files; empty is the system's
	// Registry reads what a remote daemon has pushed. If nil, every image comes
	// through this machine.
	Registry Registry

	alone bool // whether one daemon builds, so that the terminal is its own
}

var _ build.Engine = Engine{}

// Build builds an image for each platform of the request.
func (e Engine) Build(ctx context.Context, r build.Request, file *build.Dockerfile) (_ build.Built, err error) {
	_ = log.SetLevel("error") // containerd's store warns of file systems without fsverity, which is most
	dir, err := os.MkdirTemp(e.Dir, "waybill-build-")
	if err != nil {
		return build.Built{}, fmt.Errorf("make a directory for the layers: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = outcome.Join(err, remove())
		}
	}()
	builders, leave, err := e.find(ctx, r, file)
	if err != nil {
		return build.Built{}, err
	}
	defer func() {
		if err := leave(); err != nil { // the images are there all the same
			e.Container.say("note: %v", err)
		}
	}()
	byAddress := map[string][]build.Platform{}
	for _, p := range r.Platforms {
		byAddress[builders.address(p)] = append(byAddress[builders.address(p)], p)
	}
	addresses := slices.Sorted(maps.Keys(byAddress))
	e.alone = len(addresses) == 1
	results := make([]result, len(addresses))
	group, ctx := errgroup.WithContext(ctx)
	for i, address := range addresses {
		group.Go(func() (err error) {
			results[i], err = e.solve(ctx, task{r, address, filepath.Join(dir, strconv.Itoa(i)), byAddress[address], file})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return build.Built{}, err
	}
	built := build.Built{Close: remove}
	for _, p := range r.Platforms {
		for _, result := range results {
			if image, ok := result.images[p]; ok {
				built.Images = append(built.Images, build.Image{Platform: p, Image: image, Took: result.took})
			}
		}
	}
	seen := map[evidence.BaseImage]bool{}
	for _, result := range results {
		built.Steps = append(built.Steps, result.steps...)
		for _, base := range result.bases {
			if !seen[base] {
				seen[base] = true
				built.BaseImages = append(built.BaseImages, base)
			}
		}
	}
	slices.SortFunc(built.BaseImages, func(a, b evidence.BaseImage) int { return strings.Compare(a.Name+a.Digest, b.Name+b.Digest) })
	return built, nil
}

// task is what one daemon builds.
type task struct {
	build.Request
	address, dir string // of the daemon, and for its layers
	platforms    []build.Platform
	file         *build.Dockerfile
}

// solve has one daemon build for its platforms. A remote one pushes what it has
// built by itself; if it cannot, the image comes through this machine.
func (e Engine) solve(ctx context.Context, t task) (found result, err error) {
	start := time.Now()
	c, err := connect(ctx, t.address, t.file, t.Request)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	options, err := e.options(t)
	if err != nil {
		return result{}, err
	}
	if err := checkBases(ctx, c, t.Request, t.platforms, t.file); err != nil {
		return result{}, err
	}
	done, pushed := answer{}, false
	if e.pushes(t) {
		done, pushed = e.run(ctx, c, t, pushing(options, t)), true
		if cannotPush(done.err) && ctx.Err() == nil {
			e.Container.say("BuildKit at %s cannot push to the registry, so the image comes through this machine: %s",
				t.address, strings.TrimPrefix(firstLine(done.err.Error()), "failed to solve: "))
			steps := done.steps
			done, pushed = e.run(ctx, c, t, options), false
			done.steps = steps
		}
	} else {
		done = e.run(ctx, c, t, options)
	}
	if ctx.Err() != nil {
		return result{}, fmt.Errorf("build with BuildKit at %s: %w", t.address, context.Cause(ctx))
	}
	if warned := warn(t.Request, t.file, done.warnings); done.err == nil && warned != nil {
		return result{}, warned
	}
	if done.err != nil {
		more := e.trouble(ctx, t.address, done.err)
		return result{}, fmt.Errorf("build with BuildKit at %s: %w%s", t.address, located(t.file, done.err), more)
	}
	if pushed {
		found, err = e.readPushed(ctx, t, done.response)
	} else {
		found, err = readResult(t.dir, t.platforms)
	}
	found.took, found.steps = time.Since(start), done.steps
	return found, err
}

// answer is how a solve ended.
type answer struct {
	response *client.SolveResponse
	warnings []client.VertexWarning
	steps    []build.Step
	err      error
}

// run carries a solve out, and shows what it does.
func (e Engine) run(ctx context.Context, c *client.Client, t task, options client.SolveOpt) (a answer) {
	statuses, seen := make(chan *client.SolveStatus), newWatch(e.Container.say)
	var group errgroup.Group
	group.Go(func() (err error) {
		a.warnings, err = show(e.Progress, e.alone, seen.through(statuses))
		return err
	})
	response, err := c.Solve(ctx, nil, options, statuses) // closes statuses
	if shown := group.Wait(); err == nil {
		err = shown
	}
	a.response, a.err, a.steps = response, err, seen.list()
	return a
}

// warn hands warnings on. One is an error.
func warn(r build.Request, file *build.Dockerfile, warnings []client.VertexWarning) (err error) {
	for _, w := range warnings {
		found := warning(file, w)
		if r.Warn != nil {
			r.Warn(found)
		}
		err = outcome.Join(err, wrongBase(found))
	}
	return err
}

func (e Engine) options(t task) (client.SolveOpt, error) {
	r, file := t.Request, t.file
	files, err := openContext(r)
	if err != nil {
		return client.SolveOpt{}, fmt.Errorf("open the build context: %w", err)
	}
	recipe, err := fsutil.NewFS(filepath.Dir(file.Path))
	if err != nil {
		return client.SolveOpt{}, fmt.Errorf("open the Dockerfile's directory: %w", err)
	}
	from, to, err := e.caches(r, t.platforms)
	if err != nil {
		return client.SolveOpt{}, err
	}
	secrets := map[string][]byte{}
	for _, s := range r.Secrets {
		if secrets[s.ID] = s.Value; s.File != "" {
			if secrets[s.ID], err = os.ReadFile(s.File); err != nil {
				return client.SolveOpt{}, fmt.Errorf("read secret %s: %w", s.ID, err)
			}
		}
	}
	mounts := map[string]fsutil.FS{"context": files, "dockerfile": recipe}
	more, err := r.Directories()
	if err != nil {
		return client.SolveOpt{}, err
	}
	for name, dir := range more {
		if mounts[r.Mount(name)], err = fsutil.NewFS(dir); err != nil {
			return client.SolveOpt{}, fmt.Errorf("open the build context %s: %w", name, err)
		}
	}
	attachables := []session.Attachable{secretsprovider.FromMap(secrets), &login{credentials: e.Credentials}}
	if len(r.SSH) > 0 {
		agent, err := e.agent(r.SSH)
		if err != nil {
			return client.SolveOpt{}, err
		}
		attachables = append(attachables, agent)
	}
	return client.SolveOpt{
		AllowedEntitlements: r.Allow,
		Frontend:            "dockerfile.v0",
		FrontendAttrs:       attributes(t.platforms, r, file),
		LocalMounts:         mounts,
		Exports: []client.ExportEntry{{
			Type: client.ExporterOCI, OutputDir: t.dir, Attrs: exported(r.Compression),
		}},
		CacheImports: from, CacheExports: to,
		Session: attachables,
	}, nil
}

// exported are the settings of the exporter. A compression that is asked for is
// forced: what the daemon has of an earlier build would keep the one it had.
// https://github.com/moby/buildkit#imageregistry
func exported(c build.Compression) map[string]string {
	a := map[string]string{"tar": "false", "oci-mediatypes": "true", "rewrite-timestamp": "true"}
	if c != (build.Compression{}) {
		a["compression"], a["force-compression"] = c.Name(), "true"
	}
	if c.Level > 0 {
		a["compression-level"] = strconv.Itoa(c.Level)
	}
	return a
}

// agent hands SSH agents and keys to RUN --mount=type=ssh: ID[=SOCKET|KEY[,…]].
// Without a path it is the agent of this process.
func (e Engine) agent(list []string) (session.Attachable, error) {
	var configs []sshprovider.AgentConfig
	for _, text := range list {
		id, paths, given := strings.Cut(text, "=")
		c := sshprovider.AgentConfig{ID: id}
		if given {
			c.Paths = strings.Split(paths, ",")
		} else if e.Getenv == nil || e.Getenv("SSH_AUTH_SOCK") == "" {
			return nil, outcome.Usagef("--ssh %s: no SSH agent runs here (SSH_AUTH_SOCK): give %s=SOCKET or %s=KEY", text, id, id)
		} else {
			c.Paths = []string{e.Getenv("SSH_AUTH_SOCK")}
		}
		configs = append(configs, c)
	}
	agent, err := sshprovider.NewSSHAgentProvider(configs)
	if err != nil {
		return nil, fmt.Errorf("--ssh: %w", err)
	}
	return agent, nil
}

// openContext gives the context with the metadata that git tracks.
func openContext(r build.Request) (fsutil.FS, error) {
	files, err := fsutil.NewFS(r.Context)
	if err != nil || r.Tracked == nil {
		return files, err
	}
	return fsutil.NewFilterFS(files, &fsutil.FilterOpt{Map: func(p string, stat *types.Stat) fsutil.MapResult {
		mode, t := r.Tracked.Metadata(filepath.ToSlash(p), fs.FileMode(stat.Mode), time.Unix(0, stat.ModTime))
		stat.Mode, stat.ModTime = uint32(mode), t.UnixNano()
		return fsutil.MapResultKeep
	}})
}

// attributes are the inputs of BuildKit's Dockerfile frontend.
func attributes(platforms []build.Platform, r build.Request, file *build.Dockerfile) map[string]string {
	var names []string
	for _, p := range platforms {
		names = append(names, p.String())
	}
	a := map[string]string{
		"filename": filepath.Base(file.Path), "platform": strings.Join(names, ","),
		"attest:provenance":           "mode=min,version=v1", // for the digests of base images
		"build-arg:SOURCE_DATE_EPOCH": strconv.FormatInt(r.Epoch.Unix(), 10),
	}
	maps.Copy(a, r.Attributes())
	if r.Target != "" {
		a["target"] = r.Target
	}
	for name, value := range r.Args {
		if value != "" || name != "SOURCE_DATE_EPOCH" { // an empty one would leave the time of the build in the image
			a["build-arg:"+name] = value
		}
	}
	for name, value := range r.Labels {
		a["label:"+name] = value
	}
	return a
}

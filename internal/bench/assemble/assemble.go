// Package assemble measures the assemble engine against a warm BuildKit daemon
// that builds and pushes the same Dockerfile: one that copies a binary for each
// of two platforms and a directory that both share.
//
// The two take turns on the same machine, registry and input, and what they
// push is compared afterwards: a figure is printed only for the same files,
// modes and configuration. BuildKit is at its best: running, with its cache
// filled, without provenance. Waybill has its layer cache on disk, as on a laptop.
package assemble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	engine "github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
)

// Size says how much is built, and how often.
type Size struct {
	Runs, BinaryMB, Shared int
}

// Full is what docs/benchmarks.md tells of.
var Full = Size{Runs: 9, BinaryMB: 8, Shared: 300}

const platforms = "linux/amd64,linux/arm64"

var epoch = time.Unix(1_700_000_000, 0).UTC()

const dockerfile = `FROM scratch
ARG TARGETARCH
COPY shared /srv/shared/
COPY --chmod=0555 app-$TARGETARCH /app
ENV MODE=production
LABEL org.opencontainers.image.title=bench
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app"]
`

// Run measures and writes the figures to out. tools is the directory that holds
// buildkitd; docker-registry is looked for on PATH.
func Run(ctx context.Context, out io.Writer, tools string, size Size) (err error) {
	if err := buildkitd.Supported(); err != nil {
		return fmt.Errorf("measure assemble against BuildKit: %w", err)
	}
	b, err := start(ctx, tools, size)
	if err != nil {
		return fmt.Errorf("measure assemble against BuildKit: %w", err)
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	fmt.Fprintf(
		out,
		"multi-arch image of a Dockerfile that executes nothing (2 platforms, %d MB binary each, %d shared files), built and "+
			"pushed, median of %d, alternating\n",
		size.BinaryMB, size.Shared, size.Runs,
	)
	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"the binaries are new", b.writeBinaries}, {"one small file is new", b.writeSmall},
		{"nothing is new", func() error { return nil }},
	} {
		ours, peer, err := b.measure(ctx, c.change)
		if err != nil {
			return fmt.Errorf("measure assemble against BuildKit: %w", err)
		}
		fmt.Fprintf(
			out, "  %-22s waybill %6.0f ms   warm BuildKit %6.0f ms   %.1f times faster\n", c.name, ms(ours), ms(peer),
			peer.Seconds()/ours.Seconds(),
		)
	}
	if err := b.compare(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "  both pushed the same files, modes and configuration")
	return err
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

type bench struct {
	size       Size
	dir        string
	registry   *dockerregistry.Registry
	daemon     *buildkitd.Daemon
	client     *registry.Client
	repository name.Repository
	built      string // what each pushed last
	peer       string
	seed       uint64
}

func start(ctx context.Context, tools string, size Size) (_ *bench, err error) {
	b := &bench{size: size, client: registry.New(registry.Options{})}
	if b.dir, err = os.MkdirTemp("", "wb"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop())
		}
	}()
	program, err := process.LookPath("docker-registry")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(b.dir, "registry"), 0o755); err != nil {
		return nil, err
	}
	if b.registry, err = dockerregistry.Start(ctx, program, filepath.Join(b.dir, "registry")); err != nil {
		return nil, err
	}
	if b.daemon, err = buildkitd.Start(ctx, buildkitd.Options{
		Program: filepath.Join(tools, "buildkitd"), Dir: filepath.Join(b.dir, "b"), Registries: []string{b.registry.Host},
	}); err != nil {
		return nil, err
	}
	if b.repository, err = name.NewRepository(b.registry.Host + "/bench/waybill"); err != nil {
		return nil, err
	}
	return b, b.writeContext()
}

func (b *bench) stop() error {
	if b.daemon != nil {
		b.daemon.Stop()
	}
	if b.registry != nil {
		b.registry.Stop()
	}
	return os.RemoveAll(b.dir)
}

func (b *bench) context() string { return filepath.Join(b.dir, "context") }

func (b *bench) writeContext() error {
	shared := filepath.Join(b.context(), "shared")
	if err := os.MkdirAll(shared, 0o755); err != nil {
		return err
	}
	for i := range b.size.Shared {
		text := bytes.Repeat(fmt.Appendf(nil, "file %d of what the platforms share\n", i), 1+i%100)
		if err := os.WriteFile(filepath.Join(shared, fmt.Sprintf("%03d.txt", i)), text, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(b.context(), "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	return b.writeBinaries()
}

// writeBinaries makes binaries that nobody has seen out of this very program:
// what is compressed is machine code, with a few bytes of each page changed.
func (b *bench) writeBinaries() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := os.Open(self)
	if err != nil {
		return err
	}
	defer f.Close()
	b.seed++
	for i, arch := range []string{"amd64", "arm64"} {
		data := make([]byte, b.size.BinaryMB<<20)
		if _, err := io.ReadFull(io.NewSectionReader(f, int64(i)<<20, int64(len(data))), data); err != nil {
			return fmt.Errorf("read %s: %w", self, err)
		}
		random := rand.NewChaCha8([32]byte{byte(b.seed), byte(b.seed >> 8), byte(i)})
		for at := 0; at < len(data); at += 4096 {
			random.Read(data[at : at+4])
		}
		if err := os.WriteFile(filepath.Join(b.context(), "app-"+arch), data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// writeSmall makes one of the shared files another.
func (b *bench) writeSmall() error {
	b.seed++
	return os.WriteFile(filepath.Join(b.context(), "shared", "000.txt"), fmt.Appendf(nil, "%d\n", b.seed), 0o644)
}

// measure gives the median times of both, each run on the same input.
func (b *bench) measure(ctx context.Context, change func() error) (ours, peer time.Duration, err error) {
	steps := []func(context.Context) error{b.waybill, b.buildkit}
	times := make([][]time.Duration, len(steps))
	for run := range b.size.Runs + 1 { // the first one warms up
		if err := change(); err != nil {
			return 0, 0, err
		}
		for i := range steps {
			turn := (i + run) % len(steps)
			start := time.Now()
			if err := steps[turn](ctx); err != nil {
				return 0, 0, err
			}
			if run > 0 {
				times[turn] = append(times[turn], time.Since(start))
			}
		}
	}
	return median(times[0]), median(times[1]), nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func (b *bench) waybill(ctx context.Context) error {
	file, err := build.ReadDockerfile(b.context(), "")
	if err != nil {
		return err
	}
	list, err := build.ParsePlatforms([]string{"linux/amd64", "linux/arm64"})
	if err != nil {
		return err
	}
	cache := layercache.Options{Dir: filepath.Join(b.dir, "layers"), Key: filepath.Join(b.dir, "key")}
	session, err := b.client.Session(ctx)
	if err != nil {
		return err
	}
	built, err := engine.Engine{Images: session, Dir: b.dir, Cache: cache, Send: session.PushLayer}.Build(
		ctx, build.Request{Context: b.context(), Platforms: list, Epoch: epoch, Push: []name.Repository{b.repository}}, file,
	)
	if err != nil {
		return err
	}
	defer built.Close()
	index, _, err := build.Index(built.Images, nil)
	if err != nil {
		return err
	}
	// A repository for each: what one pushed would save the other the work.
	ref, err := b.client.PushIndex(ctx, b.repository, index)
	b.built = ref.String()
	return err
}

func (b *bench) buildkit(ctx context.Context) error {
	b.peer = b.registry.Host + "/bench/buildkit:1"
	return b.daemon.BuildAndPush(ctx, b.context(), platforms, b.peer, epoch)
}

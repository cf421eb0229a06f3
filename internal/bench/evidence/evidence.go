// Package evidence measures scan, bill of materials, signature, three
// attestations and verification of one image with two platforms: Waybill
// against the trivy and cosign command lines in a row.
//
// Both work on the same registry, image, vulnerability database and key, and
// have the database on disk. Both state of each platform what it holds, in two
// formats, and what was found in it. Trivy scans each platform once and writes the
// bills of materials and the predicate by conversion, which is the quickest it can
// be told to. Signing is with a key, so that no server's speed is measured.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/registry"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
)

const (
	runs     = 5
	password = "bench"
)

// Run measures and writes the figures to out. tools is the directory that holds
// trivy, cosign and crane, which is also what the image has in it; waybill and
// waybill-scan are in the directory above. spent is the processor time of the
// processes that have ended so far.
func Run(ctx context.Context, out io.Writer, tools string, spent func() time.Duration) error {
	return run(ctx, out, plan{tools, spent, []int{0, 4000, 10_000}, runs})
}

type plan struct {
	tools string
	spent func() time.Duration
	node  []int // packages of Node, for each kind of image
	runs  int   // of each
}

func run(ctx context.Context, out io.Writer, p plan) (err error) {
	b, err := start(ctx, p.tools)
	if err != nil {
		return fmt.Errorf("measure evidence: %w", err)
	}
	b.spent = p.spent
	defer func() { err = errors.Join(err, b.stop()) }()
	_, err = fmt.Fprintf(out, "scan, SBOM, signature, three attestations and verification of an image with 2 platforms, "+
		"median of %d, alternating\n", p.runs)
	for _, b.node = range p.node {
		if err == nil {
			err = b.chain(ctx, out, p.runs)
		}
	}
	return err
}

// chain measures the whole on images of one kind.
func (b *bench) chain(ctx context.Context, out io.Writer, runs int) error {
	var ours, peer []cost
	var oursReads, peerReads float64
	for i := range runs + 1 { // the first fetches the databases
		a, readsA, err := b.measure(ctx, b.waybill)
		if err != nil {
			return fmt.Errorf("measure evidence: waybill: %w", err)
		}
		p, readsP, err := b.measure(ctx, b.commandLines)
		if err != nil {
			return fmt.Errorf("measure evidence: trivy and cosign: %w", err)
		}
		if i > 0 {
			ours, peer = append(ours, a), append(peer, p)
			oursReads, peerReads = readsA, readsP
		}
	}
	wall := func(c cost) time.Duration { return c.wall }
	cpu := func(c cost) time.Duration { return c.cpu }
	a, p := median(ours, wall), median(peer, wall)
	_, err := fmt.Fprintf(out, "  %5d packages of Node (%d MB)   waybill %6.0f ms   trivy and cosign in a row %6.0f ms   "+
		"%.1f times faster, %.1f times by processor time; each layer is read %.1f times by waybill, %.1f times by the others\n",
		b.node, b.size>>20, a.Seconds()*1000, p.Seconds()*1000, p.Seconds()/a.Seconds(),
		median(peer, cpu).Seconds()/median(ours, cpu).Seconds(), oursReads, peerReads)
	return err
}

// cost is what one way of doing it all took.
type cost struct{ wall, cpu time.Duration }

func median(costs []cost, of func(cost) time.Duration) time.Duration {
	var times []time.Duration
	for _, c := range costs {
		times = append(times, of(c))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

type bench struct {
	dir, tools string
	registry   *sandbox.Server
	proxy      *counter
	client     *registry.Client
	size       int64 // of the layers
	made       int   // images so far
	node       int   // packages of Node in each platform
	spent      func() time.Duration
}

func start(ctx context.Context, tools string) (_ *bench, err error) {
	b := &bench{client: registry.New(registry.Options{})}
	if b.tools, err = filepath.Abs(tools); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "waybill-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop())
		}
	}()
	if b.registry, err = sandbox.Start(ctx, filepath.Join(b.dir, "registry")); err != nil {
		return nil, err
	}
	if b.proxy, err = newCounter(ctx, b.registry.Host); err != nil {
		return nil, err
	}
	advisories, err := writeAdvisories(b.dir)
	if err != nil {
		return nil, err
	}
	repository, err := imageref.ParseRepository(b.proxy.host + "/trivy-db")
	if err != nil {
		return nil, err
	}
	if _, err := vulndb.Push(ctx, b.client, repository, vulndb.Database{
		Advisories: []string{advisories}, UpdatedAt: time.Now(),
	}); err != nil {
		return nil, err
	}
	return b, b.run(ctx, filepath.Join(b.tools, "cosign"), "generate-key-pair")
}

func (b *bench) stop() error {
	if b.proxy != nil {
		b.proxy.stop()
	}
	if b.registry != nil {
		b.registry.Stop()
	}
	return os.RemoveAll(b.dir)
}

// measure times one way of doing it all, on an image that nobody has seen, and
// counts how often each of its layers is read.
func (b *bench) measure(ctx context.Context, do func(context.Context, image) error) (cost, float64, error) {
	im, err := b.push(ctx)
	if err != nil {
		return cost{}, 0, err
	}
	b.proxy.reset()
	started, used := time.Now(), b.spent()
	if err := do(ctx, im); err != nil {
		return cost{}, 0, err
	}
	return cost{time.Since(started), b.spent() - used}, b.proxy.reads(im.layers), nil
}

func (b *bench) waybill(ctx context.Context, im image) error {
	if err := b.write(im); err != nil {
		return err
	}
	program := filepath.Join(filepath.Dir(b.tools), "waybill")
	for _, args := range [][]string{
		{
			"scan", im.ref.String(), "--db-repository", b.proxy.host + "/trivy-db:2", "--severity", "none", "--report",
			"report.json", "--sbom-cyclonedx", "sbom.cdx.json", "--sbom-spdx", "sbom.spdx.json",
		},
		{
			"sign", im.ref.String(), "--key", "cosign.key", "--sbom", "sbom.cdx.json", "--scan-report", "report.json",
			"--provenance", "build.json",
		},
		{"verify", im.ref.String(), "--key", "cosign.pub", "--policy", "waybill.yaml", "--env", "prod"},
	} {
		if err := b.run(ctx, program, args...); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) commandLines(ctx context.Context, im image) error {
	if err := b.write(im); err != nil {
		return err
	}
	for _, c := range slices.Concat(b.trivy(im), b.cosign(im)) {
		if err := b.run(ctx, c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// trivy is what a platform needs: one scan, and the report in each form by conversion.
func (b *bench) trivy(im image) (commands [][]string) {
	program, quiet := filepath.Join(b.tools, "trivy"), []string{"--quiet", "--cache-dir", filepath.Join(b.dir, "trivy")}
	for i, platform := range im.platforms {
		report := fmt.Sprintf("report-%d.json", i)
		commands = append(commands, slices.Concat([]string{program, "image"}, quiet, []string{
			"--db-repository", b.proxy.host + "/trivy-db:2", "--scanners", "vuln,secret", "--list-all-pkgs", "--format", "json",
			"--output", report,
			"--skip-version-check", "--disable-telemetry", "--offline-scan", "--image-src", "remote", "--platform", platform,
			im.ref.String(),
		}))
		for format, file := range map[string]string{"cyclonedx": "sbom", "spdx-json": "spdx", "cosign-vuln": "vuln"} {
			commands = append(commands, slices.Concat([]string{program, "convert"}, quiet, []string{
				"--format", format, "--output", fmt.Sprintf("%s-%d.json", file, i), report,
			}))
		}
	}
	return commands
}

// cosign signs the index, states its provenance, and states of each platform what
// trivy found there.
func (b *bench) cosign(im image) (commands [][]string) {
	program, index := filepath.Join(b.tools, "cosign"), im.ref.String()
	sign := []string{"--key", "cosign.key", "--tlog-upload=false", "--yes"}
	verify := []string{"--key", "cosign.pub", "--insecure-ignore-tlog=true"}
	commands = append(commands, slices.Concat([]string{program, "sign"}, sign, []string{index}))
	checks := [][]string{slices.Concat([]string{program, "verify"}, verify, []string{index})}
	state := func(kind, file, ref string) {
		commands = append(commands, slices.Concat([]string{program, "attest"}, sign, []string{"--type", kind, "--predicate", file, ref}))
		checks = append(checks, slices.Concat([]string{program, "verify-attestation"}, verify, []string{"--type", kind, ref}))
	}
	state("slsaprovenance1", "provenance.json", index)
	for i, platform := range im.platforms {
		manifest := im.ref.Repository() + "@" + im.digests[platform]
		state("cyclonedx", fmt.Sprintf("sbom-%d.json", i), manifest)
		state("vuln", fmt.Sprintf("vuln-%d.json", i), manifest)
	}
	return append(commands, checks...)
}

func (b *bench) run(ctx context.Context, program string, args ...string) error {
	return process.Command{
		Path: program, Args: args, Dir: b.dir,
		Env: []string{"HOME=" + b.dir, "PATH=/usr/bin:/bin", "COSIGN_PASSWORD=" + password, "NO_COLOR=1"},
	}.Run(ctx)
}

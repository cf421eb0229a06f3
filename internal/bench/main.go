// Command bench measures Waybill against its peers, each pair in the same run,
// and prints Markdown. make bench builds what it needs first, and writes the
// figures into a document.
//
//	go run ./internal/bench [PART ...]
//	go run ./internal/bench -write docs/benchmarks.md
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/bench/assemble"
	"github.com/waybill-dev/waybill/internal/bench/evidence"
)

// part is one comparison.
type part struct {
	name string
	run  func(ctx context.Context, e environment) error
}

var parts = []part{
	{"overlay", overlayEdits},
	{"check", checking}, // first of those that start our own binary, for its memory
	{"render", rendering},
	{"status", statusOfMany},
	{"race", race},
	{"assemble", func(ctx context.Context, e environment) error {
		e.printf("\n### Multi-arch image of a Dockerfile that executes nothing\n\n```\n")
		defer e.printf("```\n")
		return assemble.Run(ctx, e.out, e.tools, assemble.Full)
	}},
	{"build-large", buildLarge},
	{"build-monorepo", buildMonorepo},
	{"build-join", buildJoin},
	{"infra-summary", infraSummary},
	{"infra-seal", infraSeal},
	{"infra-roots", infraRoots},
	{"infra-gate", infraGate},
	{"infra-matrix", infraMatrix},
	{"evidence", func(ctx context.Context, e environment) error {
		e.printf("\n### Scan, SBOM, sign, attest and verify\n\n```\n")
		defer e.printf("```\n")
		return evidence.Run(ctx, e.out, e.tools, spent)
	}},
}

// environment is what the parts share.
type environment struct {
	root  string // of the checkout, with bin/ and bin/tools/ built
	tools string
	out   io.Writer
	env   []string
	sizes
}

// sizes say how much each part does.
type sizes struct {
	most      int // runs of a part; 0 leaves it to the part
	edited    int // kustomizations
	rendered  int // overlays
	checked   int // overlays
	places    int // applications of a large repository, in four environments each
	commits   int // of that repository
	writers   int // processes that bump at once
	resources int // of the plan that is summarised
	sealedMB  int
	roots     int
	changed   int // resources of the largest root that goes through the gate
	spread    int // roots of a pull request that a matrix of jobs plans
	contextMB int // files of a build context, of a megabyte each
	layerMB   int
	images    int // of a repository
	burn      int // hundred thousands of steps that a RUN computes
}

var fullSize = sizes{
	edited: 43, rendered: 200, checked: 1000, places: 1000, commits: 16_000, writers: 50, resources: 10_000, sealedMB: 50,
	roots: 40, changed: 500, spread: 1000, contextMB: 1300, layerMB: 2000, images: 20, burn: 50_000,
}

// runs is how often a part that wants n runs has them.
func (s sizes) runs(n int) int {
	if s.most > 0 {
		return min(s.most, n)
	}
	return n
}

// same fails where the two sides did not do the same work: no figure counts then.
func same(what string, ours, peer, want int) error {
	if ours != want || peer != want {
		return fmt.Errorf("%s: Waybill %d, the peer %d, want %d of each: the two did not do the same", what, ours, peer, want)
	}
	return nil
}

func (e environment) printf(format string, args ...any) { fmt.Fprintf(e.out, format, args...) }

// bin is one of our own binaries.
func (e environment) bin(name string) string { return filepath.Join(e.root, "bin", name) }

// tool is a peer.
func (e environment) tool(name string) string { return filepath.Join(e.tools, name) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if len(names) == 2 && names[0] == summariseFlag {
		return summarise(os.Stdout, names[1])
	}
	document := ""
	if len(names) == 2 && names[0] == "-write" {
		document, names = names[1], nil
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	var figures bytes.Buffer
	e := environment{
		root: root, tools: filepath.Join(root, "bin", "tools"), out: io.MultiWriter(os.Stdout, &figures), env: os.Environ(),
		sizes: fullSize,
	}
	e.printf("%s", machine(time.Now()))
	for _, p := range parts {
		// infra names all of infra-….
		if len(names) > 0 && !slices.ContainsFunc(
			names, func(name string) bool { return p.name == name || strings.HasPrefix(p.name, name+"-") },
		) {
			continue
		}
		if err := p.run(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if document != "" {
		return writeFigures(document, figures.Bytes())
	}
	return nil
}

// figures are the times of several runs.
type figures []time.Duration

func (f figures) median() time.Duration {
	sorted := slices.Sorted(slices.Values(f))
	return sorted[len(sorted)/2]
}

func (f figures) String() string {
	return fmt.Sprintf("%s (%s to %s)", milliseconds(f.median()), milliseconds(slices.Min(f)), milliseconds(slices.Max(f)))
}

func milliseconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// alternate times both sides in turn, ours first, so that both see the same
// machine.
func alternate(runs int, ours, peer func() error) (a, b figures, err error) {
	for range runs {
		for _, side := range []struct {
			f   func() error
			out *figures
		}{{ours, &a}, {peer, &b}} {
			begin := time.Now()
			if err := side.f(); err != nil {
				return nil, nil, err
			}
			*side.out = append(*side.out, time.Since(begin))
		}
	}
	return a, b, nil
}

func (e environment) compare(title, ours, peer string, a, b figures) {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(b[i]) / float64(a[i])
	}
	slices.Sort(ratios)
	e.printf("\n### %s\n\n| | median (range), %d runs in turn |\n|---|---|\n| %s | %s |\n| %s | %s |\n| **ratio** | **%.1f** (%.1f "+
		"to %.1f) |\n",
		title, len(a), ours, a, peer, b, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
}

func changedLines(before, after string) int {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	// Longest common subsequence: what git diff would call unchanged.
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return len(a) + len(b) - 2*table[0][0]
}

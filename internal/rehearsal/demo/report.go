package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func byCreation(runs []githubd.Run) []githubd.Run {
	slices.SortStableFunc(runs, func(a, b githubd.Run) int { return int(a.ID - b.ID) })
	return runs
}

func (d *demo) report(ctx context.Context) (*Report, error) {
	r := &Report{Runs: d.runs(), Pulls: d.sandbox.GitHub.Pulls(configRepo), Checks: make(map[int]githubd.Status)}
	for _, p := range r.Pulls {
		for _, s := range d.sandbox.GitHub.Statuses(configRepo, p.HeadSHA) {
			if s.Context == "waybill/check" {
				r.Checks[p.Number] = s
			}
		}
	}
	dir := d.sandbox.GitHub.GitDir(configRepo)
	log, err := git.RunEnv(ctx, dir, d.o.Env, "log", "--first-parent", "--format=%h %an: %s", "main")
	if err != nil {
		return nil, err
	}
	r.Commits = strings.Split(strings.TrimSpace(log), "\n")
	message, err := git.RunEnv(
		ctx, dir, d.o.Env, "log", "--grep=^bump backend", "-1", "--format=%(trailers:key=Waybill-Image,valueonly)", "main",
	)
	if err != nil {
		return nil, err
	}
	if r.Image, err = imageref.Parse(message); err != nil {
		return nil, fmt.Errorf("read which image was bumped: %w", err)
	}
	return r, nil
}

// end tells what came out, and where to look. Bodies of pull requests are left
// as files.
func (d *demo) end(r *Report) {
	fmt.Fprintf(d.o.Out, "\nDelivered %s\n\nmain of %s:\n", r.Image, configRepo)
	for _, c := range r.Commits {
		fmt.Fprintf(d.o.Out, "  %s\n", c)
	}
	fmt.Fprintln(d.o.Out, "\nPull requests:")
	bodies := filepath.Join(d.o.Dir, "pull-requests")
	_ = os.MkdirAll(bodies, 0o755)
	for _, p := range r.Pulls {
		state := p.State
		if p.Merged {
			state = "merged"
		}
		check := r.Checks[p.Number]
		fmt.Fprintf(d.o.Out, "  #%d %-7s %s\n     check %s: %s\n", p.Number, state, p.Title, check.State, check.Description)
		_ = os.WriteFile(filepath.Join(bodies, fmt.Sprintf("%d.md", p.Number)), []byte("# "+p.Title+"\n\n"+p.Body), 0o644)
	}
	fmt.Fprintf(
		d.o.Out,
		"\nLook at %s:\n  pull-requests/   what reviewers read\n  runs/            what each workflow logged\n  github/          "+
			"the repositories, bare: git -C … log -p\n",
		d.o.Dir,
	)
}

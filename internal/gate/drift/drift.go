// Package drift finds what changed outside of terraform, and keeps one GitHub
// issue per root open while it is so.
//
// Drift is what a full plan calls changed outside and would change back: the
// configuration asks for one value, somebody set another. What changed outside
// and the configuration does not ask about (a counter, a time of last use) is
// counted, and code that is not applied yet is named as that. Where
// terraform can refresh and not plan, everything that changed outside and that
// the configuration sets is drift. A root that cannot be planned is broken for
// itself alone. No sensitive value is shown. What never was in the state cannot
// be found.
package drift

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request says where drift is looked for.
type Request struct {
	Top       string // of the repository, absolute
	Roots     []roots.Root
	Tool      tool.Tool
	Parallel  int // roots planned at the same time; 0 is 4
	Unmanaged bool
	Ignores   []config.DriftIgnore
	// Unapplied is how long merged code may stay unapplied; 0 is for ever.
	Unapplied time.Duration
	All       bool // Roots are all there are: an ignore without a match is one for good
	Now       time.Time
	Broken    map[string]error // roots, by directory, that cannot be planned
}

// What became of a root.
const (
	Drifted = "drifted"
	Clean   = "clean"
	Overdue = "unapplied" // its code is merged for too long, and not applied
	Broken  = "broken"    // terraform could not plan it
)

// Report is what was found.
type Report struct {
	Roots   []Root   `json:"roots"`
	Matrix  *Matrix  `json:"matrix,omitempty"`  // of jobs, where that was asked for
	Ignores []Ignore `json:"ignores,omitempty"` // that do not ignore: expired, or without a match
}

// Root is what was found in one root.
type Root struct {
	Dir       string     `json:"dir"`
	Workspace string     `json:"workspace"`
	Status    string     `json:"status"`
	Problem   string     `json:"problem,omitempty"` // why it is broken, or could only be refreshed
	Drift     []Resource `json:"drift,omitempty"`
	Ignored   []Ignored  `json:"ignored,omitempty"`
	// Unmanaged counts resources that changed outside where the configuration
	// does not say what should be.
	Unmanaged int         `json:"unmanaged,omitempty"`
	Unapplied []Unapplied `json:"unapplied,omitempty"`
	// Since is the commit that changed the root's files last, and when, where its code
	// is merged for too long and not applied.
	Since string `json:"since,omitempty"`
	Issue *Issue `json:"issue,omitempty"`
}

// Resource is one that drifted: how it is now, against the state.
type Resource struct {
	summary.Resource
	Back string `json:"back"` // what a plan would do about it
}

// Unapplied is what a plan would do beside changing drift back.
type Unapplied struct {
	Address string `json:"address"`
	Action  string `json:"action"`
}

const defaultParallel = 4

// Find plans every root, at the same time, and says what drifted.
func Find(ctx context.Context, r Request) (*Report, error) {
	if len(r.Roots) == 0 {
		return nil, outcome.Usagef("there is no root to look for drift in")
	}
	r.Tool = r.Tool.Together()
	found := make([]planned, len(r.Roots))
	group := new(errgroup.Group)
	if group.SetLimit(r.Parallel); r.Parallel <= 0 {
		group.SetLimit(defaultParallel)
	}
	for i, root := range r.Roots {
		group.Go(func() error {
			found[i] = r.plan(ctx, strconv.Itoa(i), root)
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails: each root has its own error
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var plans []*terraform.Plan
	for _, f := range found {
		if f.plan != nil {
			plans = append(plans, f.plan)
		}
	}
	secrets := redact.FindSecrets(plans...).Also(redact.GivenSecrets(r.Tool.Env(nil)))
	judge := newJudge(r, secrets)
	report := &Report{}
	for i, root := range r.Roots {
		report.Roots = append(report.Roots, judge.root(root, found[i]))
	}
	report.Ignores = judge.ignores.idle(r.All && len(plans) == len(r.Roots))
	return report, nil
}

// planned is what terraform said of one root.
type planned struct {
	plan      *terraform.Plan
	refreshed bool      // the plan says what changed outside, and nothing of the way back
	err       error     // why there is no plan, or no way back
	changed   time.Time // when a commit changed the root's files last; zero where that is not known
	commit    string
}

// lastChange finds the commit that changed the root's files last.
func (p *planned) lastChange(ctx context.Context, top string, sources *roots.Sources) {
	out, err := git.Run(ctx, top, append([]string{"log", "-1", "--format=%ct %h", "--"}, sources.Paths()...)...)
	seconds, commit, found := strings.Cut(strings.TrimSpace(out), " ")
	if at, numberErr := strconv.ParseInt(seconds, 10, 64); err == nil && numberErr == nil && found {
		p.changed, p.commit = time.Unix(at, 0).UTC(), commit
	}
}

func (r Request) plan(ctx context.Context, name string, root roots.Root) (p planned) {
	if err := r.Broken[root.Dir]; err != nil {
		return planned{err: err}
	}
	if r.Tool.Guard != nil { // before anything of the configuration runs
		if err := r.Tool.Guard(ctx, root.Dir, ""); err != nil {
			return planned{err: err}
		}
	}
	sources, err := roots.ReadSources(ctx, r.Top, root.Dir, root.VarFiles)
	if err != nil {
		return planned{err: err}
	}
	defer func() { p.err = redact.GivenSecrets(r.Tool.Env(sources.Sensitive)).Error(p.err) }()
	tf, private, err := r.Tool.Open(r.Top, root, name, sources.Variables)
	if err != nil {
		return planned{err: err}
	}
	if _, err := plan.Initialise(ctx, tf, root.Workspace, r.Tool.Backend); err != nil {
		return planned{err: err}
	}
	root.RefreshOnly = false // what the code would change back is what is looked for
	options := root.Options(r.Top, filepath.Join(private, "plan"))
	_, err = tf.Plan(ctx, options)
	if err != nil && ctx.Err() == nil && !terraform.IsReason(err, terraform.Locked) {
		// What drifted may be what stands in the way: prevent_destroy refuses to
		// plan the replacement that somebody's change asks for.
		options.RefreshOnly = true
		if _, refreshErr := tf.Plan(ctx, options); refreshErr != nil {
			return planned{err: err}
		}
		p.refreshed, p.err = true, err
	} else if err != nil {
		return planned{err: err}
	}
	shown, err := tf.Show(ctx, options.Out)
	if err != nil {
		return planned{err: outcome.Join(p.err, err)}
	}
	if p.plan, err = terraform.ParsePlan(shown); err != nil {
		return planned{err: outcome.Join(p.err, err)}
	}
	p.lastChange(ctx, r.Top, sources)
	return p
}

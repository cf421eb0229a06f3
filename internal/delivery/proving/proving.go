// Package proving starts the workflows that verify deployments, and reads how they ended.
//
// A workflow is started once for a deployment. What is known of it are statuses of the
// commit that brought the deployment, set by Waybill's own identity: that it is about to
// be started, which run that is, and how that ended. Before a start a reference is made
// that can be made once, so that of two who try at the same time one starts it. The run
// itself, read by its number, says how it ended.
//
// Only statuses that Waybill set count, because anybody who may push can set one.
package proving

import (
	"context"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// Prover works on one config repository.
type Prover struct {
	API        *github.Client
	Repository github.Repository
	Dir        string // of the repository that holds waybill.yaml; empty is its top
	Branch     string // of the deployments; workflows without a ref are taken from there
	Now        func() time.Time

	// Say is told what was started and how runs ended.
	Say func(format string, args ...any)
	// Dry writes nothing.
	Dry bool

	mu     sync.Mutex
	me     string // login that this identity acts as
	latest map[string][]github.Status
	known  map[string]finding // by commit and context, until a status is set
}

// lost is after how long a start that left no run counts as lost, and is tried again. No
// job that starts one lasts as long.
const lost = time.Hour

// finding is what is known of a workflow and a deployment.
type finding struct {
	rules.Verification
	status   *github.Status // the newest that counts
	attempts int            // that have begun
	start    bool           // whether it is time to start one
}

// verification is a workflow that verifies a deployment.
type verification struct {
	config.Verification
	app, env string
	ran      history.Period
}

// Found is what a workflow found of a deployment.
func (p *Prover) Found(
	ctx context.Context, v config.Verification, app, env string, ran history.Period,
) (rules.Verification, error) {
	found, err := p.find(ctx, verification{v, app, env, ran})
	return found.Verification, err
}

// context is the name of the status.
func (p *Prover) context(v verification) string {
	return path.Join("waybill/verify", p.Dir, v.env, v.app, v.Name())
}

// reference is the one that is made before the start of an attempt.
func (p *Prover) reference(v verification, attempt int) string {
	return p.references(v) + v.ran.Commit + "/" + strconv.Itoa(attempt)
}

func (p *Prover) references(v verification) string { return "refs/" + p.context(v) + "/" }

// find reads the statuses, and the run where they do not say yet that it has succeeded.
func (p *Prover) find(ctx context.Context, v verification) (finding, error) {
	latest, err := p.statuses(ctx, v.ran.Commit)
	if err != nil {
		return finding{}, err
	}
	name := p.context(v)
	i := slices.IndexFunc(latest, func(s github.Status) bool { return s.Context == name })
	if i < 0 {
		return finding{start: true}, nil
	}
	if s := latest[i]; s.State == "success" {
		if ours, err := p.ours(ctx, s.By); err != nil || ours {
			return finding{Verification: rules.Verification{State: rules.VerifyPassed, URL: s.TargetURL}, status: &s}, err
		}
	}
	key := v.ran.Commit + " " + name
	p.mu.Lock()
	found, known := p.known[key]
	p.mu.Unlock()
	if known {
		return found, nil
	}
	all, err := p.API.StatusHistory(ctx, p.Repository, v.ran.Commit, name)
	if err != nil {
		return finding{}, err
	}
	if found, err = p.read(ctx, v, all); err == nil {
		p.mu.Lock()
		if p.known == nil {
			p.known = make(map[string]finding)
		}
		p.known[key] = found
		p.mu.Unlock()
	}
	return found, err
}

// statuses are the latest ones of a commit.
func (p *Prover) statuses(ctx context.Context, commit string) ([]github.Status, error) {
	p.mu.Lock()
	known, ok := p.latest[commit]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	found, err := p.API.StatusesOf(ctx, p.Repository, []string{commit})
	return found[commit], err
}

// ours reports whether Waybill set a status. Where a person asks, what a bot said counts:
// which one acts for Waybill is not known there, and nothing is decided there.
func (p *Prover) ours(ctx context.Context, by string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.me == "" {
		me, err := p.API.Viewer(ctx)
		if err != nil {
			return false, err
		}
		p.me = me
	}
	const bot = "[bot]"
	return strings.EqualFold(by, p.me) || !strings.HasSuffix(p.me, bot) && strings.HasSuffix(by, bot), nil
}

var attempted = regexp.MustCompile(`^attempt (\d{1,6}): `)

// read makes sense of all statuses, newest first. One that names a run counts before one
// that tells of a start, whichever came first: somebody who was too late may have said
// that it is about to be started.
func (p *Prover) read(ctx context.Context, v verification, all []github.Status) (finding, error) {
	f := finding{start: true}
	var begun *github.Status
	for _, s := range all {
		ours, err := p.ours(ctx, s.By)
		if err != nil {
			return f, err
		}
		if !ours {
			continue
		}
		if m := attempted.FindStringSubmatch(s.Description); m != nil {
			n, _ := strconv.Atoi(m[1])
			f.attempts = max(f.attempts, n)
		}
		id, named := p.runOf(s.TargetURL)
		if !named {
			if begun == nil {
				begun = &s
			}
			continue
		}
		if got, known, err := p.run(ctx, v, id, s); err != nil || known {
			return finding{Verification: got, status: &s, attempts: f.attempts}, err
		}
	}
	if begun == nil {
		return f, nil
	}
	f.start = p.Now().Sub(begun.Updated) > lost
	f.Said, f.status = begun.Description, begun
	if begun.State == "pending" && !f.start {
		f.State = rules.VerifyRunning
	}
	return f, nil
}

// runOf is the number of the run in the address of its page.
func (p *Prover) runOf(page string) (id int64, ok bool) {
	number, below := strings.CutPrefix(page, p.API.ServerURL()+"/"+p.Repository.String()+"/actions/runs/")
	if !below {
		return 0, false
	}
	id, err := strconv.ParseInt(number, 10, 64)
	return id, err == nil && id > 0
}

// run asks how a run ended that a status names. It is not known where the run is gone and
// nothing was said of its end, and where it is of another workflow. Whoever may not look
// at runs takes what the status says.
func (p *Prover) run(
	ctx context.Context, v verification, id int64, s github.Status,
) (found rules.Verification, known bool, err error) {
	states := map[string]string{"success": rules.VerifyPassed, "failure": rules.VerifyFailed, "pending": rules.VerifyRunning}
	found = rules.Verification{URL: s.TargetURL, State: states[s.State]}
	got, err := p.API.Run(ctx, p.Repository, id)
	switch {
	case github.IsStatus(err, http.StatusForbidden):
		return found, found.State != "", nil
	case github.IsNotFound(err):
		return found, found.State != "" && found.State != rules.VerifyRunning, nil
	case err != nil:
		return found, false, err
	case got.Workflow != v.Workflow || got.Event != "workflow_dispatch":
		return found, false, nil
	case !got.Completed:
		found.State = rules.VerifyRunning
	case got.Conclusion == "success":
		found.State = rules.VerifyPassed
	default:
		found.State, found.Said = rules.VerifyFailed, got.Conclusion
	}
	return found, true, nil
}

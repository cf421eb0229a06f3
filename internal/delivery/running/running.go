// Package running looks at what runs: every digest that the config repository names
// is scanned again, judged by the policy of its environment, and told in one issue
// for each application.
//
// Invariant: an image that could not be scanned closes no issue and hides no other
// application's findings; the command then ends as broken. It reads the config
// repository and reports; it changes neither it nor any image.
package running

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/github/keptissue"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Repository is the config repository, as it is read here.
type Repository = history.Branches

// Request says where to look.
type Request struct {
	Branch string
	App    string // empty is all
	Now    time.Time
	// Scan looks at an image as it is today, by its layers or by bom, where there is
	// one. The job's password is for host.
	Scan func(ctx context.Context, image imageref.Ref, host string, bom []byte) (evidence.ScanReport, error)
	// Attested is what signers of the policy attested of an image. Nil lets layers be
	// read always; keys are those of waybill.yaml.
	Attested func(ctx context.Context, image imageref.Ref, policy evidence.Policy, keys [][]byte) (Attested, error)
	// Bases are the base images of an image that have changed since it was built, as
	// its provenance by a signer of the policy names them; keys are those of waybill.yaml.
	Bases func(ctx context.Context, image imageref.Ref, policy evidence.Policy, keys [][]byte) ([]Base, error)
	Say   func(format string, args ...any)
}

// Attested is what a scan of the image found when it was delivered.
type Attested struct {
	BOM  []byte // CycloneDX
	Scan evidence.ScanReport
}

// Report is what was found, by application.
type Report struct {
	Apps []App `json:"apps"`
	All  bool  `json:"-"` // whether it is of every application
	// Dir is the directory of the repository that was looked at; empty is all of it.
	Dir string `json:"-"`
}

// App is what was found in what runs of one application.
type App struct {
	App      string           `json:"app"`
	Source   string           `json:"source,omitempty"` // repository that it is built from
	Images   []Image          `json:"images"`
	Findings []Finding        `json:"findings"`           // that its policy would refuse, worst first
	Notes    []string         `json:"notes,omitempty"`    // secrets, and distributions that ended
	Rebuilds []Rebuild        `json:"rebuilds,omitempty"` // what building again would fix
	Problems []string         `json:"problems,omitempty"` // why something of it is not known
	Issue    *keptissue.Issue `json:"issue,omitempty"`

	dir string // as Report.Dir
}

// Image is a digest and where it runs.
type Image struct {
	Image        imageref.Ref `json:"image"`
	Environments []string     `json:"environments"`
}

// Finding is a finding and where it runs.
type Finding struct {
	ID           string            `json:"id"`
	Package      string            `json:"package"`
	Version      string            `json:"version,omitempty"`
	FixedVersion string            `json:"fixedVersion,omitempty"`
	Severity     evidence.Severity `json:"severity"`
	URL          string            `json:"url,omitempty"`
	Environments []string          `json:"environments"`
}

// Look scans each digest once, whatever number of places it runs in.
func Look(ctx context.Context, repo Repository, r Request) (*Report, error) {
	tip, err := history.ReadTip(ctx, repo, r.Branch)
	if err != nil {
		return nil, err
	}
	names := tip.Config.AppNames()
	if r.App != "" {
		names = []string{r.App}
	}
	report := &Report{All: r.App == "", Dir: tip.Dir}
	l := look{Request: r, tip: tip, known: make(map[seen]scanned)}
	for _, name := range names {
		app, err := tip.Config.App(name)
		if err != nil {
			return nil, err
		}
		report.Apps = append(report.Apps, l.app(ctx, app))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return report, nil
}

type scanned struct {
	report evidence.ScanReport
	err    error
}

// seen is an image, and the bill of materials by which it was looked at.
type seen struct {
	image imageref.Ref
	bom   [sha256.Size]byte // zero is by its layers
}

type look struct {
	Request
	tip   history.Tip
	known map[seen]scanned
}

func (l look) app(ctx context.Context, app config.App) App {
	found := App{App: app.Name, Source: app.Source, Images: []Image{}, Findings: []Finding{}}
	used := make(map[imageref.Ref]*evidence.Policy) // by which the image was judged first
	for _, env := range app.Environments {
		for _, part := range app.Parts() {
			l.place(ctx, &found, part, env, used)
		}
	}
	for _, image := range found.Images {
		if len(found.Findings) > 0 {
			l.rebuilds(ctx, &found, image.Image, *used[image.Image])
		}
	}
	slices.SortStableFunc(found.Findings, func(a, b Finding) int {
		return slices.Index(evidence.Severities(), a.Severity) - slices.Index(evidence.Severities(), b.Severity)
	})
	return found
}

// place looks at one image in one environment.
func (l look) place(ctx context.Context, found *App, part config.App, env string, used map[imageref.Ref]*evidence.Policy) {
	place, err := history.Read(l.tip.Files, part, env)
	switch {
	case err != nil:
		found.problem("%s: %v", env, err)
		return
	case place.Tag != "":
		found.problem("%s: %s is named by the tag %s, which can be moved: name a digest", env, part.Image.Name(), place.Tag)
		return
	case !history.Runs(place.Ref):
		return
	}
	policy := l.tip.Config.PolicyFor(part, env)
	s := l.delivered(ctx, place.Ref, policy)
	if s.err != nil {
		found.problem("%s: scan %s: %v", env, place.Ref.Short(), s.err)
		return
	}
	found.add(env, place.Ref, s.report, policy, l.Now)
	if used[place.Ref] == nil {
		used[place.Ref] = &policy
	}
}

// delivered scans an image by what was attested of it, where that is all there, and
// else by its layers. All but findings and the end of support is what was found in the
// same layers then: it does not change with the database.
func (l look) delivered(ctx context.Context, image imageref.Ref, policy evidence.Policy) scanned {
	if l.Attested == nil {
		return l.scan(ctx, image, image.Registry(), nil)
	}
	known, err := l.Attested(ctx, image, policy, l.tip.Config.PublicKeys())
	if err != nil {
		l.Say("note     the layers of %s are read: %v", image.Short(), err)
		return l.scan(ctx, image, image.Registry(), nil)
	}
	s := l.scan(ctx, image, image.Registry(), known.BOM)
	if s.err != nil {
		return s
	}
	s.report.Platforms = slices.Clone(s.report.Platforms)
	for i, p := range s.report.Platforms {
		for _, was := range known.Scan.Platforms {
			if was.Digest == p.Digest {
				was.Findings, was.EndOfLife = p.Findings, p.EndOfLife
				s.report.Platforms[i] = was
			}
		}
	}
	s.report.Checked = append(slices.Clone(known.Scan.Checked), evidence.CheckEndOfLife)
	return s
}

// scan scans each image once.
func (l look) scan(ctx context.Context, image imageref.Ref, host string, bom []byte) scanned {
	key := seen{image: image}
	if bom != nil {
		key.bom = sha256.Sum256(bom)
	}
	s, ok := l.known[key]
	if !ok {
		s.report, s.err = l.Scan(ctx, image, host, bom)
		l.known[key] = s
	}
	return s
}

func (a *App) problem(format string, args ...any) {
	a.Problems = append(a.Problems, fmt.Sprintf(format, args...))
}

func (a *App) add(env string, ref imageref.Ref, report evidence.ScanReport, policy evidence.Policy, now time.Time) {
	i := slices.IndexFunc(a.Images, func(i Image) bool { return i.Image == ref })
	if i < 0 {
		i, a.Images = len(a.Images), append(a.Images, Image{Image: ref})
	}
	a.Images[i].Environments = append(a.Images[i].Environments, env)
	for _, f := range policy.Threshold.Blocking(report, now) {
		k := slices.IndexFunc(a.Findings, func(o Finding) bool {
			return o.ID == f.ID && o.Package == f.Package && o.Version == f.Version
		})
		if k < 0 {
			k, a.Findings = len(a.Findings), append(a.Findings, Finding{
				ID: f.ID, Package: f.Package, Version: f.Version, FixedVersion: f.FixedVersion, Severity: f.Severity, URL: f.URL,
			})
		}
		if !slices.Contains(a.Findings[k].Environments, env) { // two images of one application can have it
			a.Findings[k].Environments = append(a.Findings[k].Environments, env)
		}
	}
	for _, note := range policy.Beside(report, now) {
		if line := env + ": " + note; !slices.Contains(a.Notes, line) {
			a.Notes = append(a.Notes, line)
		}
	}
}

// reports reports whether there is something that an issue should say.
func (a App) reports() bool { return len(a.Findings)+len(a.Notes) > 0 }

package running

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// Base is a base image of what runs whose name stands for another image by now.
type Base struct {
	Name string // as the Dockerfile has it, with its tag
	Was  imageref.Ref
	Now  imageref.Ref
}

// Rebuild is a base image with which an application has fewer findings if it is
// only built again.
type Rebuild struct {
	Base  string   `json:"base"`
	Was   string   `json:"was"` // digest
	Now   string   `json:"now"`
	Fixes []string `json:"fixes"` // findings, as ID PACKAGE
}

// rebuilds looks for the newer base images that would fix findings: the package came
// with the base image that was used, and with today's the finding is gone. What cannot
// be looked at is only said: it is advice, and the findings stand without it.
func (l look) rebuilds(ctx context.Context, app *App, image imageref.Ref, policy evidence.Policy) {
	bases, err := l.Bases(ctx, image, policy, l.tip.Config.PublicKeys())
	if err != nil {
		l.Say("note     base images of %s are not known: %v", image.Short(), err)
	}
	for _, base := range bases {
		was, now := l.scan(ctx, base.Was, image.Registry(), nil), l.scan(ctx, base.Now, image.Registry(), nil)
		if was.err != nil || now.err != nil {
			l.Say("note     base image %s was not compared with today's: %v", base.Name, cmp.Or(was.err, now.err))
			continue
		}
		r := Rebuild{Base: base.Name, Was: base.Was.Digest(), Now: base.Now.Digest()}
		for _, f := range app.Findings {
			if has(was.report, f) && !found(now.report, f) {
				r.Fixes = append(r.Fixes, f.ID+" "+f.Package)
			}
		}
		known := slices.ContainsFunc(app.Rebuilds, func(o Rebuild) bool { return o.Base == r.Base && o.Was == r.Was })
		if len(r.Fixes) > 0 && !known {
			app.Rebuilds = append(app.Rebuilds, r)
		}
	}
}

// has reports whether the package of a finding is in an image, in that version.
func has(r evidence.ScanReport, f Finding) bool {
	return slices.ContainsFunc(r.Platforms, func(p evidence.PlatformScan) bool {
		return slices.ContainsFunc(p.Packages, func(pkg evidence.Package) bool { return pkg.Name == f.Package && pkg.Version == f.Version })
	})
}

func found(r evidence.ScanReport, f Finding) bool {
	return slices.ContainsFunc(r.Platforms, func(p evidence.PlatformScan) bool {
		return slices.ContainsFunc(p.Findings, func(o evidence.Finding) bool { return o.ID == f.ID && o.Package == f.Package })
	})
}

// advice says what building again fixes.
func (a App) advice() string {
	var out strings.Builder
	for _, r := range a.Rebuilds {
		fmt.Fprintf(&out, "\nBuilt again, on today's %s (%s, was %s), it loses %s: %s.\n", markdown.Code(text.Line(r.Base)),
			markdown.Code(imageref.ShortDigest(r.Now)), markdown.Code(imageref.ShortDigest(r.Was)),
			text.Count(len(r.Fixes), "finding"), markdown.Text(text.Line(text.List(r.Fixes, 10))))
	}
	return out.String()
}

package bump_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// overtaken is a repository in which somebody else commits right before the first
// commit.
type overtaken struct {
	*configrepotest.Repo
	t         *testing.T
	by        map[string]string
	done      bool
	snapshots int
}

func (o *overtaken) Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error) {
	o.snapshots++
	return o.Repo.Snapshot(ctx, rev)
}

func (o *overtaken) Commit(ctx context.Context, r configrepo.Request) (string, error) {
	if !o.done {
		o.done = true
		o.Repo.Write(o.t, "main", "faster", o.by)
	}
	return o.Repo.Commit(ctx, r)
}

// Who loses the race judges again, unless nothing changed that the decision rests on.
func TestLosingTheRace(t *testing.T) {
	t.Parallel()
	names := func(app, env string, n int) map[string]string {
		return map[string]string{configrepotest.Overlay(app, env): configrepotest.OverlayText(app, demo(n).Digest())}
	}
	held := hold.Hold{App: "demo-api", Env: "dev", Reason: "the migration runs"}
	for what, test := range map[string]struct {
		by        map[string]string
		snapshots int
		refused   string
	}{
		"another application":   {names("demo-web", "dev", 9), 1, ""},
		"its other environment": {names("demo-api", "prod", 1), 2, ""},
		"its base": {map[string]string{
			"apps/demo-api/base/deployment.yaml": configrepotest.Deployment("demo-api", "demo-api") + "# more\n",
		}, 2, ""},
		"an overlay that it reads": {map[string]string{
			configrepotest.Overlay("shared", "dev"): "resources: [../../base]\n# more\n",
		}, 2, ""},
		"a file that nobody knows": {map[string]string{"more.yaml": "a: 1\n"}, 2, ""},
		"a hold": {map[string]string{
			hold.Path("demo-api", "dev"): string(held.File()),
		}, 2, "dev is held at the digest that it has"},
		"the rules": {map[string]string{
			"waybill.yaml": configrepotest.Config("demo-api", "demo-web", "shared") + "  builders: [nobody]\n",
		}, 2, "nobody"},
		"a newer digest": {names("demo-api", "dev", 3), 2, "an ancestor of the deployed"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.Files("demo-api", "demo-web", "shared")
			files[configrepotest.Overlay("shared", "dev")] = "resources: [../../base]\n"
			files[configrepotest.Overlay("demo-api", "dev")] = strings.Replace(
				configrepotest.OverlayText("demo-api", configrepotest.Placeholder),
				"- ../../base\n", "- ../../base\n  - ../../../shared/overlays/dev\n", 1,
			)
			r := configrepotest.Local(t, files)
			images := evidencetest.NewRegistry(image(1), image(2), image(3))
			o := &overtaken{Repo: r, t: t, by: test.by}
			result, err := bump.Run(t.Context(), o, judge(r, images), request(2))
			if test.refused != "" {
				if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("got %v, want %s", err, test.refused)
				}
				return
			}
			if err != nil || !result.Changed || result.Attempts != 2 || o.snapshots != test.snapshots {
				t.Errorf("%+v after %d snapshots, want %d: %v", result.Changed, o.snapshots, test.snapshots, err)
			}
			for name, text := range test.by {
				if got := r.Text(t, "main", name); got != strings.TrimSpace(text) {
					t.Errorf("%s is lost:\n%s", name, got)
				}
			}
		})
	}
}

// A decision grows old: freezes begin, and evidence does not last for ever.
func TestAnOldDecisionIsMadeAgain(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api", "demo-web"))
	images := evidencetest.NewRegistry(image(1))
	o := &overtaken{Repo: r, t: t, by: map[string]string{
		configrepotest.Overlay("demo-web", "dev"): configrepotest.OverlayText("demo-web", demo(9).Digest()),
	}}
	late := judge(r, images)
	late.Now = func() time.Time {
		if o.done {
			return r.Clock.Now().Add(2 * time.Minute)
		}
		return r.Clock.Now()
	}
	if result, err := bump.Run(t.Context(), o, late, request(1)); err != nil || !result.Changed || o.snapshots != 2 {
		t.Errorf("%v after %d snapshots: %v", result.Changed, o.snapshots, err)
	}
}

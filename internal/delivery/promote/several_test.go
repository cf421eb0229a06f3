package promote_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// several is a config repository on the stand-in whose application shop has two images,
// beside the applications cart and mail.
func several(t *testing.T, edit ...string) *world {
	t.Helper()
	files := configrepotest.Several("cart", "mail")
	files["waybill.yaml"] = strings.NewReplacer(edit...).Replace(files["waybill.yaml"])
	w := &world{Repo: configrepotest.GitHub(t, configrepotest.With(files, map[string]string{
		".github/workflows/check.yml": "name: check\non:\n  workflow_dispatch:\n    inputs:\n      pull_request: {type: string}\njobs: {}\n",
	})), images: evidencetest.NewRegistry()}
	for n := 1; n <= 3; n++ {
		for app, source := range map[string]string{"shop-api": "acme/shop", "shop-worker": "acme/shop", "cart": "", "mail": ""} {
			w.images.Push(evidencetest.Image{
				App: app, N: n, Source: source, At: configrepotest.Start.Add(time.Duration(n) * time.Minute),
			})
		}
	}
	w.forge = pulls.Forge{
		API: w.API, Repository: w.Name, Branch: "main", CheckWorkflow: "check.yml", StatusContext: "waybill/check", Now: w.Clock.Now,
	}
	return w
}

// promoted promotes to staging.
func (w *world) promoted(t *testing.T, app string) []promote.Promotion {
	t.Helper()
	list, err := w.promoter().Run(t.Context(), promote.Request{App: app, To: "staging", Branch: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (w *world) shop(t *testing.T, state string) promote.Promotion {
	t.Helper()
	list := w.promoted(t, "shop")
	if len(list) != 1 || list[0].State != state {
		t.Fatalf("got %+v, want %s", list, state)
	}
	return list[0]
}

func (w *world) merge(t *testing.T, n int) {
	t.Helper()
	if _, err := w.Server.MergePull(t.Context(), "acme/config", n, "ada", "merge"); err != nil {
		t.Fatal(err)
	}
}

func TestSeveralImagesEnterTogether(t *testing.T) {
	t.Parallel()
	w := several(t)
	overlay := configrepotest.Overlay("shop", "staging")
	if p := w.shop(t, promote.Current); p.Reason != "api of shop does not run in dev yet" {
		t.Errorf("nothing runs: %s", p.Reason)
	}
	w.Write(t, "main", "one", map[string]string{
		configrepotest.Overlay("shop", "dev"): configrepotest.SeveralText(api(1).Digest(), configrepotest.Placeholder),
	})
	if p := w.shop(t, promote.Current); p.Reason != "worker of shop does not run in dev yet" {
		t.Errorf("one of both runs: %s", p.Reason)
	}
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Clock.Pass(time.Hour)
	p := w.shop(t, promote.Opened)
	if !p.Image.IsZero() || len(p.Parts) != 2 || p.Parts[1].Part != "worker" || p.Parts[1].Image != worker(1) {
		t.Errorf("%+v", p.Parts)
	}
	pull := w.pull(t, 1)
	if pull.HeadRef != "waybill/staging/shop" || pull.Title != "shop: dev → staging ("+api(1).Short()+", "+worker(1).Short()+")" {
		t.Errorf("%s: %s", pull.HeadRef, pull.Title)
	}
	for _, want := range []string{
		"✅ **Ready to promote.** `shop` from **dev** to **staging**, 2 images built once, signed", "**api**\n", "**worker**\n",
		"`" + api(1).Digest() + "`", "`" + worker(1).Digest() + "`", "What changes in the cluster: 2 objects, 2 fields",
		"<!-- waybill:promotion shop staging " + api(1).Digest() + " -->",
		"<!-- waybill:promotion shop staging " + worker(1).Digest() + " -->",
	} {
		if !strings.Contains(pull.Body, want) {
			t.Errorf("no %q in\n%s", want, pull.Body)
		}
	}
	if got := w.Text(t, pull.HeadRef, overlay); got+"\n" != configrepotest.SeveralText(api(1).Digest(), worker(1).Digest()) {
		t.Errorf("the branch has\n%s", got)
	}
	w.shop(t, promote.Unchanged)
	// The newer set takes the place of the older one, in the same pull request.
	w.DeploySeveral(t, "main", "dev", api(2), worker(1))
	w.Clock.Pass(time.Hour)
	if p := w.shop(t, promote.Updated); p.Number != 1 || !strings.Contains(w.Text(t, p.Branch, overlay), api(2).Digest()) {
		t.Errorf("%+v", p)
	}
	w.merge(t, 1)
	// Only what differs moves, and the commit says so.
	w.DeploySeveral(t, "main", "dev", api(2), worker(2))
	w.Clock.Pass(time.Hour)
	p = w.shop(t, promote.Opened)
	message := w.Git(t, "log", "-1", "--format=%B", p.Branch)
	if images := history.Trailers(message, history.TrailerImage); len(p.Parts) != 1 || !slices.Equal(images, []string{worker(2).String()}) {
		t.Errorf("%+v\n%s", p.Parts, message)
	}
	w.DeploySeveral(t, "main", "staging", api(2), worker(2))
	if p := w.shop(t, promote.Current); !strings.Contains(p.Reason, "closed #2") {
		t.Errorf("%+v", p)
	}
}

// The rules hold for each image, and the set soaks as long as it stands.
func TestOneImageHoldsUpTheSet(t *testing.T) {
	t.Parallel()
	w := several(t)
	w.images.Push(evidencetest.Image{
		App: "shop-worker", N: 3, Source: "acme/shop", At: configrepotest.Start, Without: []evidence.Kind{evidence.Signature},
	})
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Clock.Pass(24 * time.Hour)
	w.DeploySeveral(t, "main", "dev", api(1), worker(2))
	w.Clock.Pass(10 * time.Minute) // api 1 ran for a day, and the set for ten minutes
	if p := w.shop(t, promote.Opened); !p.Waiting || !strings.Contains(w.pull(t, 1).Body, "⏳ **soak** 30 m in dev asked") {
		t.Errorf("%+v\n%s", p, w.pull(t, 1).Body)
	}
	w.DeploySeveral(t, "main", "dev", api(2), worker(3))
	w.Clock.Pass(time.Hour)
	p := w.shop(t, promote.Refused)
	if !strings.Contains(p.Reason, worker(3).Short()+" may not enter staging") || strings.Contains(p.Reason, api(2).Short()) {
		t.Errorf("the reason is not the worker's: %s", p.Reason)
	}
	if !slices.ContainsFunc(p.Decision.Reasons, func(r evidence.Reason) bool {
		return r.Rule == "signature" && strings.HasPrefix(r.Detail, "worker: ") && r.State == evidence.Refused
	}) {
		t.Errorf("%+v", p.Decision.Reasons)
	}
	w.DeploySeveral(t, "main", "staging", api(3), worker(1))
	w.DeploySeveral(t, "main", "dev", api(2), worker(2)) // api goes back
	w.Clock.Pass(time.Hour)
	if p := w.shop(t, promote.Refused); !strings.Contains(p.Reason, "an ancestor of the deployed") {
		t.Errorf("backwards: %s", p.Reason)
	}
}

// A branch is Waybill's with one commit, "Update branch" and all, and somebody's with
// anything more, such as another digest for one image.
func TestWhoseBranchOfSeveral(t *testing.T) {
	t.Parallel()
	w := several(t)
	overlay := configrepotest.Overlay("shop", "staging")
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Clock.Pass(time.Hour)
	first := w.shop(t, promote.Opened)
	w.Write(t, "main", "more", map[string]string{"README.md": "more\n"})
	w.updateBranchOf(t, first.Branch, first.Commit, false, false)
	w.shop(t, promote.Unchanged)
	w.Write(t, first.Branch, "mine", map[string]string{overlay: configrepotest.SeveralText(api(1).Digest(), worker(3).Digest())})
	if p := w.shop(t, promote.Foreign); !strings.Contains(p.Reason, "somebody else has pushed to waybill/staging/shop") {
		t.Errorf("%+v", p)
	}
	if said := w.pull(t, 1).Comments; len(said) != 1 || !strings.Contains(said[0], "`"+api(1).Digest()+"`, `"+worker(1).Digest()+"`") {
		t.Errorf("%q", said)
	}
}

func TestSeveralImagesAreCommitted(t *testing.T) {
	t.Parallel()
	w := several(t, "{name: staging, promotion: pull-request, soak: 30m}", "{name: staging, promotion: auto, soak: 30m}")
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Clock.Pass(10 * time.Minute)
	w.shop(t, promote.Pending)
	w.Clock.Pass(time.Hour)
	before := w.Git(t, "rev-parse", "main")
	w.shop(t, promote.Committed)
	if n := w.Git(t, "rev-list", "--count", before+"..main"); n != "1" {
		t.Errorf("%s commits", n)
	}
	if got := w.Text(t, "main", configrepotest.Overlay("shop", "staging")); !strings.Contains(got, api(1).Digest()) ||
		!strings.Contains(got, worker(1).Digest()) {
		t.Errorf("staging has\n%s", got)
	}
	w.shop(t, promote.Current)
}

// Where Waybill commits, nobody else looks at what stays beside a set.
func TestASetIsNotCommittedBesideAnotherImage(t *testing.T) {
	t.Parallel()
	w := several(t, "{name: staging, promotion: pull-request, soak: 30m}", "{name: staging, promotion: auto}")
	canary := func(env string, n int) map[string]string {
		dir := "apps/shop/overlays/" + env
		return map[string]string{
			dir + "/canary.yaml": configrepotest.Deployment("canary", "ghcr.io/acme/shop-worker:v1@"+worker(n).Digest()),
			dir + "/kustomization.yaml": strings.Replace(w.Text(t, "main", dir+"/kustomization.yaml"), "  - ../../base\n",
				"  - ../../base\n  - canary.yaml\n", 1) + "\n",
		}
	}
	w.DeploySeveral(t, "main", "dev", api(2), worker(2))
	w.Write(t, "main", "canary", canary("staging", 1))
	w.Clock.Pass(time.Hour)
	if p := w.shop(t, promote.Refused); !strings.HasPrefix(p.Reason, "order: staging would run ghcr.io/acme/shop-worker:v1@"+
		worker(1).Digest()+" too, which its overlay does not name and dev does not run") {
		t.Errorf("%s", p.Reason)
	}
	w.Write(t, "main", "canary", canary("dev", 1))
	w.Clock.Pass(time.Hour)
	w.shop(t, promote.Committed) // both run it

	// A manifest in a text is looked at too, as check does.
	const overlay = "apps/shop/overlays/staging/"
	third := "ghcr.io/acme/shop-worker:v1@" + worker(3).Digest()
	file := w.Text(t, "main", overlay+"kustomization.yaml")
	w.Write(t, "main", "a text", map[string]string{
		overlay + "text.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: jobs}\ndata:\n  job.yaml: |\n" +
			"    apiVersion: v1\n    kind: Pod\n    metadata: {name: job}\n    spec: {containers: [{name: job, image: \"" + third + "\"}]}\n",
		overlay + "kustomization.yaml": strings.Replace(file, "  - canary.yaml\n", "  - text.yaml\n", 1),
	})
	w.DeploySeveral(t, "main", "dev", api(3), worker(2))
	w.Clock.Pass(time.Hour)
	if p := w.shop(t, promote.Refused); !strings.Contains(p.Reason, "staging would run "+third) {
		t.Errorf("%s", p.Reason)
	}
}

// What somebody declined is a set: another image in it is proposed again.
func TestADeclinedSet(t *testing.T) {
	t.Parallel()
	w := several(t)
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Clock.Pass(time.Hour)
	w.shop(t, promote.Opened)
	if err := w.forge.ClosePull(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	w.shop(t, promote.Declined)
	w.DeploySeveral(t, "main", "dev", api(1), worker(2))
	w.Clock.Pass(time.Hour)
	if p := w.shop(t, promote.Opened); p.Number != 2 {
		t.Errorf("%+v", p)
	}
}

// A first environment that takes pull requests gets one, to which each image comes as it
// is delivered.
func TestSeveralImagesAreProposed(t *testing.T) {
	t.Parallel()
	w := several(t, "{name: dev, promotion: auto}", "{name: dev, promotion: pull-request}")
	propose := func(state string, images ...imageref.Ref) {
		t.Helper()
		p, err := w.promoter().Propose(t.Context(), promote.Request{App: "shop", To: "dev", Images: images, Branch: "main"})
		if err != nil || p.State != state || p.Number != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	propose(promote.Opened, api(1))
	propose(promote.Updated, worker(1))
	propose(promote.Unchanged, api(1))
	propose(promote.Updated, api(2))
	if got := w.Text(t, "waybill/dev/shop", configrepotest.Overlay("shop", "dev")) + "\n"; got !=
		configrepotest.SeveralText(api(2).Digest(), worker(1).Digest()) {
		t.Errorf("the branch has\n%s", got)
	}
}

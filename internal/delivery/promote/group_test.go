package promote_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func cart(n int) imageref.Ref { return evidencetest.Ref("cart", n) }
func mail(n int) imageref.Ref { return evidencetest.Ref("mail", n) }

// grouped is a config repository whose applications cart and shop move together.
func grouped(t *testing.T, edit ...string) *world {
	t.Helper()
	w := several(t, append(edit, "policy:\n", "groups:\n  checkout: {apps: [cart, shop]}\npolicy:\n")...)
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Deploy(t, "main", "dev", "cart", cart(1))
	w.Deploy(t, "main", "dev", "mail", mail(1))
	w.Clock.Pass(time.Hour)
	return w
}

// states are those of promotions, by application.
func states(list []promote.Promotion) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s %s #%d", p.App, p.State, p.Number))
	}
	return strings.Join(out, ", ")
}

func (w *world) want(t *testing.T, app, want string) []promote.Promotion {
	t.Helper()
	list := w.promoted(t, app)
	if got := states(list); got != want {
		t.Fatalf("got %s, want %s\n%+v", got, want, list)
	}
	return list
}

func TestAGroupEntersTogether(t *testing.T) {
	t.Parallel()
	w := grouped(t)
	list := w.want(t, "", "cart opened #1, shop opened #1, mail opened #2")
	pull := w.pull(t, 1)
	if pull.HeadRef != "waybill/staging/+checkout" || list[0].Group != "checkout" || list[2].Group != "" {
		t.Errorf("%s: %+v", pull.HeadRef, list)
	}
	for _, want := range []string{
		"✅ **Ready to promote.** `checkout` from **dev** to **staging**, with cart, shop: all enter, or none, 3 images built once",
		"### cart\n", "### shop\n", "**worker**\n", "`waybill rollback --app cart --env staging` and `waybill rollback --app shop",
		"<!-- waybill:promotion cart staging " + cart(1).Digest() + " -->",
	} {
		if !strings.Contains(pull.Body, want) {
			t.Errorf("no %q in\n%s", want, pull.Body)
		}
	}
	if files := w.Git(t, "diff", "--name-only", "main..."+pull.HeadRef); files != configrepotest.Overlay("cart", "staging")+"\n"+
		configrepotest.Overlay("shop", "staging") {
		t.Errorf("the pull request changes %s", files)
	}
	w.want(t, "", "cart unchanged #1, shop unchanged #1, mail unchanged #2")
	w.want(t, "shop", "cart unchanged #1, shop unchanged #1") // who asks for one gets its group
	w.updateBranchOf(t, pull.HeadRef, pull.HeadSHA, false, false)
	w.want(t, "cart", "cart unchanged #1, shop unchanged #1")
	w.merge(t, 1)
	w.want(t, "cart", "cart current #0, shop current #0")
	// Of a group only what differs moves.
	w.Deploy(t, "main", "dev", "cart", cart(2))
	w.Clock.Pass(time.Hour)
	w.want(t, "cart", "cart opened #3, shop current #0")
	message := w.Git(t, "log", "-1", "--format=%B", pull.HeadRef)
	if apps := history.Trailers(message, history.TrailerApp); len(apps) != 1 || apps[0] != "cart" {
		t.Errorf("%s", message)
	}
	w.DeploySeveral(t, "main", "dev", api(2), worker(1))
	w.Clock.Pass(time.Hour)
	w.want(t, "cart", "cart updated #3, shop updated #3")
	w.Write(t, pull.HeadRef, "mine", map[string]string{configrepotest.Overlay("mail", "staging"): "resources: [../../base]\n"})
	w.want(t, "cart", "cart foreign #3, shop foreign #3")
}

func TestNothingOfAGroupMovesWhileOneWaits(t *testing.T) {
	t.Parallel()
	w := grouped(t)
	w.images.Push(evidencetest.Image{
		App: "cart", N: 2, At: configrepotest.Start.Add(2 * time.Minute), Without: []evidence.Kind{evidence.Signature},
	})
	w.Deploy(t, "main", "dev", "cart", cart(2))
	w.Clock.Pass(time.Hour)
	list := w.want(t, "shop", "cart refused #0, shop refused #0")
	if !strings.Contains(list[0].Reason, "cart "+cart(2).Short()+" may not enter staging") ||
		list[1].Reason != "the group checkout waits for cart" {
		t.Errorf("%s\n%s", list[0].Reason, list[1].Reason)
	}
	if n := len(w.Server.Pulls("acme/config")); n != 0 {
		t.Errorf("%d pull requests", n)
	}
	w.Deploy(t, "main", "dev", "cart", cart(3)) // for a moment
	list = w.want(t, "shop", "cart opened #1, shop opened #1")
	if !list[0].Waiting || !list[1].Waiting || !strings.Contains(w.pull(t, 1).Body, "waits for: soak.") {
		t.Errorf("%s", w.pull(t, 1).Body)
	}
	w.Write(t, "main", "empty", map[string]string{
		configrepotest.Overlay("cart", "dev"): configrepotest.OverlayText("cart", configrepotest.Placeholder),
	})
	list = w.want(t, "shop", "cart current #0, shop current #0")
	if list[1].Reason != "the group waits: nothing runs in dev yet" {
		t.Errorf("%s", list[1].Reason)
	}
}

// Applications of a group come as they ran at one time. What ran of one before the other
// came is no part of that.
func TestAGroupRanAtOneTime(t *testing.T) {
	t.Parallel()
	w := grouped(t, "{name: staging, promotion: pull-request, soak: 30m}", "{name: staging, promotion: auto}")
	w.want(t, "cart", "cart committed #0, shop committed #0")
	if n := w.Git(t, "rev-list", "--count", "main", "--grep=^promote cart, shop in staging"); n != "1" {
		t.Errorf("%s commits", n)
	}
	w.Deploy(t, "main", "dev", "cart", cart(2))
	w.Clock.Pass(time.Hour)
	w.Deploy(t, "main", "staging", "cart", cart(3)) // by hand: the group is not what dev ran
	w.DeploySeveral(t, "main", "dev", api(2), worker(2))
	w.Clock.Pass(time.Hour)
	list := w.want(t, "cart", "cart refused #0, shop refused #0")
	if !strings.Contains(list[0].Reason, "forward") {
		t.Errorf("%s", list[0].Reason)
	}
}

// A train is a group of all, and its shard is that of its name.
func TestATrain(t *testing.T) {
	t.Parallel()
	w := several(t, "policy:\n", "groups:\n  train: {apps: [\"*\"], environments: [staging]}\npolicy:\n")
	w.DeploySeveral(t, "main", "dev", api(1), worker(1))
	w.Deploy(t, "main", "dev", "cart", cart(1))
	w.Deploy(t, "main", "dev", "mail", mail(1))
	w.Clock.Pass(time.Hour)
	made := 0
	for n := 1; n <= 3; n++ {
		shard, err := promote.ParseShard(fmt.Sprintf("%d/3", n))
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.promoter().Run(t.Context(), promote.Request{To: "staging", Branch: "main", Shard: shard})
		if err != nil {
			t.Fatal(err)
		}
		made += len(list)
	}
	if pull := w.pull(t, 1); made != 3 || pull.HeadRef != "waybill/staging/+train" || len(w.Server.Pulls("acme/config")) != 1 {
		t.Errorf("%d promotions: %+v", made, pull)
	}
	w.merge(t, 1)
	w.Clock.Pass(48 * time.Hour)
	list, err := w.promoter().Run(t.Context(), promote.Request{To: "prod", Branch: "main"})
	if err != nil || len(list) != 3 || list[0].Number == list[1].Number {
		t.Errorf("prod is not on the train: %s, %v", states(list), err)
	}
}

// The body of a large train has bounds, and who asks about one application gets an answer
// of its size.
func TestALargeTrain(t *testing.T) {
	t.Parallel()
	var apps []string
	for n := range 60 {
		apps = append(apps, fmt.Sprintf("app-%02d", n))
	}
	files := configrepotest.Files(apps...)
	files["waybill.yaml"] += "groups: {train: {apps: [\"*\"]}}\n"
	r := configrepotest.Local(t, files)
	w := &world{Repo: r, images: evidencetest.NewRegistry()}
	deployed := make(map[string]string)
	for _, app := range apps {
		w.images.Push(evidencetest.Image{App: app, N: 1, At: configrepotest.Start})
		deployed[configrepotest.Overlay(app, "dev")] = configrepotest.OverlayText(app, evidencetest.Ref(app, 1).Digest())
	}
	w.Write(t, "main", "deploy", deployed)
	w.Clock.Pass(time.Hour)
	promoter := w.promoter()
	promoter.Forge = nil
	list, err := promoter.Run(t.Context(), promote.Request{To: "staging", Branch: "main"})
	if err != nil || len(list) != 60 || list[0].State != promote.Updated {
		t.Fatalf("%d: %v", len(list), err)
	}
	body := list[0].Body
	for _, want := range []string{
		"with app-00, ", "and 40 more: all enter, or none", "… and 40 applications more", "--app APP --env staging",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if n := len([]rune(body)); n > 65_536 || list[0].Overflow == "" || list[1].Body != "" {
		t.Errorf("%d characters, overflow %d", n, len(list[0].Overflow))
	}
}

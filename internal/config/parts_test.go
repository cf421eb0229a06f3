package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
)

const several = `apiVersion: waybill.dev/v1
environments: [{name: dev, promotion: auto}, {name: staging}, {name: prod}]
apps:
  shop:
    images: {worker: ghcr.io/acme/shop-worker, api: ghcr.io/acme/shop-api}
    helm: {image: {api: api.image}}
  cart: {image: ghcr.io/acme/cart}
  mail: {image: ghcr.io/acme/mail, environments: [dev, prod]}
groups:
  checkout: {apps: [shop, cart], environments: [prod]}
`

func TestParts(t *testing.T) {
	t.Parallel()
	c := parse(t, several)
	app, err := c.App("shop")
	if err != nil || !app.Several() || app.Title() != "shop" {
		t.Fatalf("%+v, %v", app, err)
	}
	var got []string
	for _, part := range app.Parts() {
		got = append(got, part.Title()+" "+part.Image.Name()+" "+part.Helm("dev").Image)
		if part.Several() || len(part.Parts()) != 1 || part.Overlay("dev") != "apps/shop/overlays/dev" {
			t.Errorf("%+v", part)
		}
	}
	if diff := cmp.Diff([]string{"shop/api ghcr.io/acme/shop-api api.image", "shop/worker ghcr.io/acme/shop-worker "}, got); diff != "" {
		t.Error(diff)
	}
	if found, err := c.AppForImage("ghcr.io/acme/shop-worker"); err != nil || found.Name != "shop" {
		t.Errorf("%s, %v", found.Name, err)
	}
	cart, _ := c.App("cart")
	if part, has := cart.PartOf("ghcr.io/acme/cart"); !has || part.Part != "" || cart.Several() {
		t.Errorf("%+v, %v", part, has)
	}
}

func TestGroupOf(t *testing.T) {
	t.Parallel()
	c := parse(t, several)
	if g, has := c.GroupOf("cart", "prod"); !has || !slices.Equal(g.Apps, []string{"cart", "shop"}) {
		t.Errorf("%+v, %v", g, has)
	}
	for _, place := range [][2]string{{"cart", "staging"}, {"mail", "prod"}} {
		if g, has := c.GroupOf(place[0], place[1]); has {
			t.Errorf("%v is in %+v", place, g)
		}
	}
	train := parse(t, strings.Replace(several, "{apps: [shop, cart], environments: [prod]}", `{apps: ["*"]}`, 1))
	if g, has := train.GroupOf("mail", "prod"); !has || len(g.Apps) != 3 {
		t.Errorf("a train: %+v, %v", g, has)
	}
}

func TestPartsAndGroupsThatCannotBe(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ old, new, want string }{
		"no image": {
			"  cart: {image: ghcr.io/acme/cart}", "  cart: {source: acme/cart}",
			"waybill.yaml:7:9: apps.cart: wants either image, or images with a name for each",
		},
		"image and images": {
			"  cart: {image: ghcr.io/acme/cart}", "  cart: {image: ghcr.io/acme/cart, images: {a: ghcr.io/acme/a}}",
			"apps.cart: wants either image, or images",
		},
		"no images":      {"images: {worker: ghcr.io/acme/shop-worker, api: ghcr.io/acme/shop-api}", "images: {}", "minProperties"},
		"a tag":          {"ghcr.io/acme/shop-worker,", `"ghcr.io/acme/shop-worker:v1",`, "waybill.yaml:5:22: apps.shop.images.worker: "},
		"a name":         {"{worker:", "{Worker:", "A DNS label"},
		"one repository": {"ghcr.io/acme/shop-worker", "GHCR.io/acme/shop-api", "api and worker have one repository"},
		"one path":       {"{api: api.image}", "{api: image, worker: image}", "api and worker have one path"},
		"a path for all": {
			"{api: api.image}", "api.image", "the application has several images; write a path for each, such as {api: api.image}",
		},
		"a path of none": {"{api: api.image}", "{web: api.image}", `there is no image "web" under images`},
		"paths of one": {
			"  cart: {image: ghcr.io/acme/cart}", "  cart: {image: ghcr.io/acme/cart, helm: {image: {a: b}}}",
			"a path for each image is for an application with images",
		},
		"an unknown application": {"[shop, cart]", "[shop, nobody]", `waybill.yaml:10:27: groups.checkout.apps: no application "nobody"`},
		"an unknown environment": {
			"environments: [prod]}\n", "environments: [moon]}\n", `groups.checkout.environments: no environment "moon"`,
		},
		"two groups": {
			"groups:\n", "groups:\n  all: {apps: [\"*\"], environments: [prod]}\n",
			"cart is in the group all too, for prod",
		},
		"all and one": {"[shop, cart]", `["*", cart]`, `"*" is all applications; name no other beside it`},
		"one image of two": {
			"  cart: {image: ghcr.io/acme/cart}", "  cart: {image: ghcr.io/acme/shop-api}",
			"cart and shop have one image, so that nobody could tell which of them moves",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(several, test.old, test.new, 1)
			if text == several {
				t.Fatal("nothing is replaced")
			}
			if _, err := config.Parse("waybill.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	apart := strings.Replace(several, "groups:\n", "groups:\n  all: {apps: [\"*\"], environments: [staging]}\n", 1)
	parse(t, apart) // each ends where the other begins
}

func TestWeakerPartsAndGroups(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		old, new string
		want     []string
	}{
		"nothing": {"cart: {image", "cart: {source: acme/cart, image", nil},
		"an image less": {"worker: ghcr.io/acme/shop-worker, ", "", []string{
			"apps.shop.images drops ghcr.io/acme/shop-worker",
		}},
		"one image in place of both": {
			"images: {worker: ghcr.io/acme/shop-worker, api: ghcr.io/acme/shop-api}\n    helm: {image: {api: api.image}}",
			"image: ghcr.io/acme/shop-api", []string{"apps.shop.images drops ghcr.io/acme/shop-worker"},
		},
		"another name for an image": {"worker: ghcr.io/acme/shop-worker", "jobs: ghcr.io/acme/shop-worker", nil},
		"an image more":             {"{worker:", "{jobs: ghcr.io/acme/shop-jobs, worker:", nil},
		"the image of another":      {"{worker:", "{mail: ghcr.io/acme/mail, worker:", []string{"apps.shop runs the image of mail: its order, soak, holds and source would not be asked"}},
		"an image on its own": {
			"  cart: {image", "  jobs: {image: ghcr.io/acme/shop-worker}\n  cart: {image",
			[]string{"apps.jobs runs the image of shop: its order, soak, holds and source would not be asked"},
		},
		"a group less":                {"groups:\n  checkout: {apps: [shop, cart], environments: [prod]}\n", "", []string{"groups.checkout no longer moves cart and shop into prod together"}},
		"an application less":         {"[shop, cart]", "[shop]", []string{"groups.checkout no longer moves cart and shop into prod together"}},
		"an environment less":         {"environments: [prod]}\n", "environments: [staging]}\n", []string{"groups.checkout no longer moves cart and shop into prod together"}},
		"an application more":         {"[shop, cart]", `["*"]`, nil},
		"another name":                {"checkout:", "pay:", nil},
		"an environment more":         {"environments: [prod]}\n", "environments: [staging, prod]}\n", nil},
		"an application that goes":    {"  cart: {image: ghcr.io/acme/cart}\n", "", []string{"apps drops cart"}},
		"a group of what is nowhere":  {"{name: prod}]", "{name: live}]", []string{"environments drops prod"}},
		"an environment that is gone": {"{name: staging}, ", "", []string{"environments drops staging"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(several, test.old, test.new, 1)
			if text == several {
				t.Fatal("nothing is replaced")
			}
			switch what {
			case "an application that goes":
				text = strings.Replace(text, "[shop, cart]", "[shop]", 1)
			case "a group of what is nowhere":
				text = strings.NewReplacer("environments: [prod]", "environments: [live]", "[dev, prod]", "[dev, live]").Replace(text)
			}
			var got []string
			for _, w := range config.Weaker(parse(t, several), parse(t, text), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
				got = append(got, w.Change)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

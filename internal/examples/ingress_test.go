package examples_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// namesOfWays are words that no manifest has unless the way in is this one.
var namesOfWays = map[string]*regexp.Regexp{
	starter.Traefik: regexp.MustCompile(`(?i)traefik`),
	starter.Gateway: regexp.MustCompile(`(?i)envoy|gateway\.networking`),
	starter.ALB:     regexp.MustCompile(`alb\.ingress|sslRedirectPort|pod-readiness-gate`),
	starter.Nginx:   regexp.MustCompile(`(?i)nginx`),
}

// Each way in is held to everything that the examples are held to, and names no
// other one.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	for _, ingress := range starter.Ingresses() {
		t.Run(ingress, func(t *testing.T) {
			t.Parallel()
			files := treeOf(t, starter.Names{Ingress: ingress})
			for _, problem := range slices.Concat(duplicates(files), namesOthers(files, ingress)) {
				t.Error(problem)
			}
			if ingress == starter.Traefik {
				return // examples/config itself, which the other tests hold
			}
			s := state{files, files.render(t)}
			for _, r := range checklist {
				for _, problem := range r.check(s) {
					t.Errorf("%s: %s", r.name, problem)
				}
			}
			for _, problem := range unparsable(t, s.queries()) {
				t.Error(problem)
			}
			known := definitions(t, s.units)
			if ingress == starter.Gateway && !known.Knows(render.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway"}) {
				t.Fatal("crds.yaml is older than internal/tools/crds/modules.txt: run make tools")
			}
			problems, _, _ := unfit(known, s.units)
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
}

// What only another way in has turns red too.
func TestWaysInTurnRed(t *testing.T) {
	t.Parallel()
	for ingress, list := range map[string][]mutation{
		starter.Gateway: {
			{
				"ingress with TLS", "apps/frontend/chart/templates/route.yaml", "sectionName: https", "sectionName: http",
				`apps/frontend/overlays/prod: HTTPRoute production/shop: host "shop.acme.example" has no TLS`,
			},
			{
				"ingress with TLS", "clusters/dev/gateway/kustomization.yaml", `dnsNames/0, value: "*.dev`, `dnsNames/0, value: "*.stage`,
				`apps/frontend/overlays/dev: HTTPRoute shop/shop: host "shop.dev.acme.example" has no TLS`,
			},
			{
				"ingress with TLS", "apps/frontend/chart/templates/route.yaml", "  hostnames: [{{ $host }}]\n", "", "names no host",
			},
			{
				"ingress with TLS", "platform/gateway/gateway.yaml", "values: [restore-drill]", "values: [other]",
				"the restore drill's copies of routes may take hosts",
			},
			{
				"projects allow what their applications hold", "clusters/base/platform/ingress/kustomization.yaml", "kind: HTTPRoute",
				"kind: GRPCRoute", "the project applications has no HTTPRoute",
			},
		},
		starter.ALB: {
			{
				"ingress with TLS", "apps/frontend/chart/templates/ingress.yaml", `, {"HTTPS": 443}`, "",
				`apps/frontend/overlays/prod: Ingress production/shop: host "shop.acme.example" has no TLS`,
			},
			{
				"explicit allows", "clusters/prod/namespaces/kustomization.yaml", "10.40.96.0/19", "10.40.0.0/16",
				"prod: production: ingress is not let in",
			},
			{
				"what is referred to is there", "clusters/base/platform/ingress/kustomization.yaml", "$values/platform/ingress/values.yaml",
				"$values/platform/alb/values.yaml", "there is no file platform/alb/values.yaml",
			},
		},
	} {
		files := treeOf(t, starter.Names{Ingress: ingress})
		units := files.render(t)
		for _, m := range list {
			t.Run(ingress+"/"+m.file, func(t *testing.T) {
				t.Parallel()
				turnsRed(t, state{files, units}, m)
			})
		}
	}
}

func namesOthers(files tree, ingress string) (problems []string) {
	for name, data := range files {
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) || path.Dir(name) == ".waybill" {
			continue
		}
		for other, word := range namesOfWays {
			if found := word.Find(data); other != ingress && found != nil {
				problems = append(problems, name+" names "+string(found)+", which is not the way in")
			}
		}
	}
	return problems
}

// A manifest that names a way in is found for each of the others.
func TestWaysInAreToldApart(t *testing.T) {
	t.Parallel()
	files := tree{}
	for ingress, word := range map[string]string{
		starter.Traefik: "Traefik", starter.Nginx: "nginx", starter.ALB: "alb.ingress",
		starter.Gateway: "gateway.networking.k8s.io",
	} {
		files["platform/"+ingress+".yaml"] = []byte("# " + word)
	}
	for _, ingress := range starter.Ingresses() {
		got := namesOthers(files, ingress)
		if len(got) != len(files)-1 || slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, ingress+".yaml") }) {
			t.Errorf("%s: %q", ingress, got)
		}
	}
}

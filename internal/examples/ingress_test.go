package examples_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
)

// namesOfChoices are words that no manifest has unless this was chosen.
var namesOfChoices = map[string]*regexp.Regexp{
	starter.Traefik: regexp.MustCompile(`(?i)traefik`),
	starter.Gateway: regexp.MustCompile(`(?i)envoy|gateway\.networking`),
	starter.ALB:     regexp.MustCompile(`alb\.ingress|sslRedirectPort|pod-readiness-gate`),
	starter.Nginx:   regexp.MustCompile(`(?i)nginx`),
	starter.AWS:     regexp.MustCompile(`(?i)secrets.?manager`),
	starter.Vault:   regexp.MustCompile(`(?i)vault`),
	starter.Sealed:  regexp.MustCompile(`(?i)sealed|kubeseal`),
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

func namesOthers(files tree, n starter.Names) (problems []string) {
	for name, data := range files {
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) || path.Dir(name) == ".waybill" {
			continue
		}
		for other, word := range namesOfChoices {
			if found := word.Find(data); other != n.Ingress && other != n.Secrets && found != nil {
				problems = append(problems, name+" names "+string(found)+", which was not chosen")
			}
		}
	}
	return problems
}

// A manifest that names a choice is found for each of the others.
func TestChoicesAreToldApart(t *testing.T) {
	t.Parallel()
	files := tree{}
	for choice, word := range map[string]string{
		starter.Traefik: "Traefik", starter.Nginx: "nginx", starter.ALB: "alb.ingress", starter.Gateway: "gateway.networking.k8s.io",
		starter.AWS: "aws-secrets-manager", starter.Vault: "vault", starter.Sealed: "SealedSecret",
	} {
		files["platform/"+choice+".yaml"] = []byte("# " + word)
	}
	for _, n := range choices() {
		got := namesOthers(files, n)
		if len(got) != len(files)-2 || slices.ContainsFunc(got, func(p string) bool {
			return strings.Contains(p, n.Ingress+".yaml") || strings.Contains(p, n.Secrets+".yaml")
		}) {
			t.Errorf("%s, %s: %q", n.Ingress, n.Secrets, got)
		}
	}
}

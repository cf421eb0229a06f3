package starter_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Every environment gets its files, each with its own name.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	for _, environments := range [][]string{{"a", "z"}, {"dev", "prod"}, {"prod", "staging", "dev"}, {"test", "qa", "preprod", "live"}} {
		n := umbrella
		n.Environments = environments
		files := written(t, starter.Config, n)
		infra := written(t, starter.Infra, n)
		cfg, err := config.Parse(config.FileName, []byte(files[config.FileName]))
		if err != nil {
			t.Fatalf("%v\n%s", err, files[config.FileName])
		}
		if got := cfg.EnvironmentNames(); !slices.Equal(got, environments) {
			t.Errorf("waybill.yaml has %v, want %v", got, environments)
		}
		for i, env := range environments {
			e, err := cfg.Environment(env)
			if err != nil {
				t.Fatal(err)
			}
			if last := i == len(environments)-1; (e.Promotion == "auto") != (i == 0) || (e.Soak > 0) != last ||
				(len(e.Reviewers) > 0) != last {
				t.Errorf("%v: %s is %+v", environments, env, e)
			}
			for name, want := range map[string]string{
				"apps/shop-api/overlays/" + env + "/kustomization.yaml": "umbrella-corp-" + env + "/shop-api",
				"apps/frontend/overlays/" + env + "/values.yaml":        "environment: " + env + "\n",
				"clusters/" + env + "/cluster.yaml":                     "environment: " + env + "\n",
				"clusters/" + env + "/root.yaml":                        "path: clusters/" + env + "\n",
			} {
				if !strings.Contains(files[name], want) {
					t.Errorf("%v: %s does not say %q:\n%s", environments, name, want, files[name])
				}
			}
			if text := infra["infra/aws/"+env+"/main.tf"]; !strings.Contains(text, `"`+env+`/terraform.tfstate"`) ||
				!strings.Contains(text, fmt.Sprintf(`"10.%d.0.0/16"`, 20+10*i)) {
				t.Errorf("%v: infra/aws/%s/main.tf is\n%s", environments, env, text)
			}
		}
		if !strings.Contains(files[".github/workflows/deliver.yml"], "default: "+environments[0]+"\n") {
			t.Errorf("%v: deliver.yml has another first environment", environments)
		}
		drill := files[".github/workflows/restore-drill.yml"]
		for _, want := range environments {
			variable := strings.ToUpper(want)
			for _, line := range []string{
				"- {env: " + want + ", namespace: ", "ROLE_" + variable + ": ${{ vars.RESTORE_DRILL_ROLE_" + variable + " }}\n",
				want + ") role=$ROLE_" + variable + " ;;",
			} {
				if strings.Count(drill, line) != 1 {
					t.Errorf("%v: the restore drill does not say %q once:\n%s", environments, line, drill)
				}
			}
		}
		tf, err := config.Parse(config.FileName, []byte(infra[config.FileName]))
		if err != nil {
			t.Fatalf("%v\n%s", err, infra[config.FileName])
		}
		var roots []string
		for _, r := range tf.Terraform().Roots {
			if env, ok := strings.CutPrefix(r.Dir, "infra/aws/"); ok {
				roots = append(roots, env)
				if i := len(roots) - 1; i > 0 && !slices.Equal(r.After, []string{"infra/aws/" + roots[i-1]}) {
					t.Errorf("%v: %s comes after %v", environments, env, r.After)
				}
			}
		}
		if want := append([]string{"account"}, environments...); !slices.Equal(roots, want) {
			t.Errorf("roots %v, want %v", roots, want)
		}
		if states := `["account", "` + strings.Join(environments, `", "`) + `"]`; !strings.Contains(
			infra["infra/aws/account/main.tf"], states,
		) {
			t.Errorf("the workflows' roles do not reach %s", states)
		}
		last := "infra/aws/" + environments[len(environments)-1]
		if rule, found := tf.Terraform().Approval(last, "", false); !found || rule.Approvals != 2 {
			t.Errorf("%v: the last one's rule is %+v", environments, rule)
		}
	}
}

// Names in the cloud are made from the owner's within AWS's and the module's
// limits, and backups are copied to another region.
func TestNamesInTheCloud(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]string{
		"acme": "acme", "Umbrella-Corp": "umbrella-corp", "37signals": "o37signals", "hp": "hp-org",
		"a-very-long-organisation": "a-very-long-orga", "fifteen-letter-org": "fifteen-letter-o",
		"dash-at-sixteen-x": "dash-at-sixteen", "mona-cat_octo": "mona-cat-octo",
	} {
		for region, copied := range map[string]string{"eu-central-1": "eu-west-1", "eu-west-1": "eu-central-1", "us-east-2": "eu-west-1"} {
			text := written(t, starter.Infra, starter.Names{Owner: owner, Region: region})["infra/aws/prod/main.tf"]
			for _, line := range []string{
				`bucket       = "` + want + `-111122223333-state"`, `region       = "` + region + `"`,
				`copy_region = "` + copied + `"`, `environment = "prod"`,
			} {
				if !strings.Contains(text, line) {
					t.Errorf("%s in %s: no %s in\n%s", owner, region, line, text)
				}
			}
		}
	}
	live := starter.Names{Owner: "acme", Environments: []string{"test", "live"}}
	if text := written(t, starter.Infra, live)["infra/aws/live/main.tf"]; !strings.Contains(text, `environment = "prod"`) ||
		!strings.Contains(text, `cluster     = "live"`) {
		t.Errorf("the kind of environment is the module's word, its name is ours:\n%s", text)
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*starter.Names){
		`--owner "a/b" is not`:             func(n *starter.Names) { n.Owner = "a/b" },
		`--owner "a_to" is not`:            func(n *starter.Names) { n.Owner = "a_to" },
		`"a_b_octo/x" is not OWNER/NAME`:   func(n *starter.Names) { n.ConfigRepo = "a_b_octo/x" },
		`--owner "" is not`:                func(n *starter.Names) { n.Owner = "" },
		`--owner "x\ny: z" is not`:         func(n *starter.Names) { n.Owner = "x\ny: z" },
		"--config-repo":                    func(n *starter.Names) { n.ConfigRepo = "acme/config@main\n  evil: true" },
		`"acme" is not OWNER/NAME`:         func(n *starter.Names) { n.ConfigRepo = "acme" },
		`--app "../../x"`:                  func(n *starter.Names) { n.App = "../../x" },
		`--app "a: b" is not a name`:       func(n *starter.Names) { n.App = "a: b" },
		`--app frontend: the example`:      func(n *starter.Names) { n.App = "frontend" },
		"--image":                          func(n *starter.Names) { n.Image = "ghcr.io/acme/x\nevil: true" },
		"--registry":                       func(n *starter.Names) { n.Registry = "ghcr.io/$(id)" },
		`repository "x: y/z" is not OWNER`: func(n *starter.Names) { n.Source = "x: y/z" },
		`"../x" is not a name`:             func(n *starter.Names) { n.Environments = []string{"dev", "../x"} },
		`"" is not a name`:                 func(n *starter.Names) { n.Environments = []string{"dev", ""} },
		`"Dev" is not a name`:              func(n *starter.Names) { n.Environments = []string{"Dev", "prod"} },
		`"dev" stands there twice`:         func(n *starter.Names) { n.Environments = []string{"dev", "dev"} },
		`"base" is what all`:               func(n *starter.Names) { n.Environments = []string{"base", "prod"} },
		"9 are more than 8":                func(n *starter.Names) { n.Environments = strings.Split("a,b,c,d,e,f,g,h,i", ",") },
		`"monitoring" is a namespace of`:   func(n *starter.Names) { n.Environments = []string{"dev", "monitoring", "prod"} },
		`"kube-system" is a namespace of`:  func(n *starter.Names) { n.Environments = []string{"dev", "kube-system"} },
		`"default" is a namespace of`:      func(n *starter.Names) { n.Environments = []string{"default", "prod"} },
		`"production" is a namespace of`:   func(n *starter.Names) { n.Environments = []string{"dev", "production"} },
		"--app argocd: the platform has":   func(n *starter.Names) { n.App = "argocd" },
		"--app loki: the platform has":     func(n *starter.Names) { n.App = "loki" },
		"--app root: the platform has":     func(n *starter.Names) { n.App = "root" },
		"--cloud-account":                  func(n *starter.Names) { n.Account = "12345" },
		`--issuer "https://x/\" y"`:        func(n *starter.Names) { n.Issuer = "https://x/\" y" },
		"--region":                         func(n *starter.Names) { n.Region = "eu\"west" },
		"--domain":                         func(n *starter.Names) { n.Domain = "Shop.example; rm" },
	} {
		dir, names := t.TempDir(), acme
		change(&names)
		if _, err := starter.Write(dir, starter.Config, names, false); outcome.Code(err) != outcome.Usage ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if got := tree(t, dir); len(got) != 0 {
			t.Errorf("%s: wrote %v", want, got)
		}
	}
	if _, err := starter.Write(t.TempDir(), "nothing", acme, false); outcome.Code(err) != outcome.Usage {
		t.Errorf("an unknown kind: %v", err)
	}
}

// Words that YAML takes for booleans and nothing name environments all the same.
func TestAmbiguousNames(t *testing.T) {
	t.Parallel()
	names := acme
	names.App, names.Environments = "null", []string{"y", "no", "off"}
	for name, text := range written(t, starter.Config, names) {
		if filepath.Ext(name) != ".yaml" && filepath.Ext(name) != ".yml" || strings.Contains(name, "/templates/") {
			continue
		}
		for _, line := range strings.Split(text, "\n") {
			code, _, _ := strings.Cut(line, " #")
			if m := regexp.MustCompile(`(?:^ *|[-:] |[\[{,] ?)(?:y|no|off)(?:$|[,\]}:])`).FindString(code); m != "" {
				t.Errorf("%s: %q is no text in %q", name, m, line)
			}
		}
	}
	dir := t.TempDir()
	if _, err := starter.Write(dir, starter.Config, names, false); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for name, text := range tree(t, dir) {
		files[name] = []byte(text)
	}
	cfg, err := config.Parse(config.FileName, files[config.FileName])
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(cfg.EnvironmentNames(), " "); got != "y no off" {
		t.Errorf("environments %s", got)
	}
	for _, app := range []string{"null", "frontend"} {
		for _, env := range cfg.EnvironmentNames() {
			a, _, err := cfg.Place(app, env)
			if err == nil {
				_, err = render.New(files).App(t.Context(), a, env)
			}
			if err != nil {
				t.Errorf("%s in %s: %v", app, env, err)
			}
		}
	}
}

// What the documents say of the environments is true however many there are.
func TestDocumentsCountEnvironments(t *testing.T) {
	t.Parallel()
	all := []string{"test", "qa", "beta", "uat", "preprod", "canary", "live", "eu"}
	for n := 1; n <= len(all); n++ {
		names := acme
		names.Environments = all[:n]
		files := written(t, starter.Config, names)
		if want := "| | " + strings.Join(all[:n], " | ") + " |"; !strings.Contains(
			strings.Join(strings.Fields(files["clusters/README.md"]), " "), strings.ReplaceAll(want, "| |", "| |"),
		) {
			t.Errorf("%d environments: clusters/README.md has no column for each", n)
		}
		list := all[0]
		if n > 1 {
			list = strings.Join(all[:n-1], ", ") + " or " + all[n-1]
		}
		if want := "`ENV` is " + list; !strings.Contains(files["docs/bootstrap.md"], want) {
			t.Errorf("%d environments: docs/bootstrap.md does not say %q", n, want)
		}
		for name, text := range files {
			for _, stale := range []string{"test, test", "`acme-test`, `acme-test`", "in test and in test", "Three of them:", "## Three"} {
				if strings.Contains(text, stale) {
					t.Errorf("%d environments: %s says %q", n, name, stale)
				}
			}
		}
	}
}

// One environment is the last: it takes pull requests, and nothing runs before it.
func TestOneEnvironment(t *testing.T) {
	t.Parallel()
	n := umbrella
	n.Environments = []string{"live"}
	files := written(t, starter.Config, n)
	if text := files["waybill.yaml"]; !strings.Contains(text, "  - name: live\n    promotion: pull-request\n    reviewers:") {
		t.Errorf("waybill.yaml:\n%s", text)
	}
	if text := written(t, starter.Infra, n)["waybill.yaml"]; !strings.Contains(text, "{dir: infra/aws/live, after: [infra/aws/account]}") {
		t.Errorf("the roots:\n%s", text)
	}
	readme := files["clusters/README.md"]
	for _, want := range []string{
		"| by pull request, reviewed |", "| `production` | the applications' namespaces |", " -n production -k apps/",
	} {
		if !strings.Contains(readme, want) {
			t.Errorf("clusters/README.md does not say %q:\n%s", want, readme)
		}
	}
	for name, text := range files {
		if strings.Contains(name+text, "shop") && strings.Contains(text, "namespace: shop") {
			t.Errorf("%s names a namespace that is not there", name)
		}
	}
}

// The last environment has the domain itself, and leaves the zones below it to
// the clusters that may write them.
func TestZonesBelowAreLeftAlone(t *testing.T) {
	t.Parallel()
	n := umbrella
	n.Environments = []string{"qa", "test", "preprod", "live"}
	files := written(t, starter.Config, n)
	for name, want := range map[string]string{
		"live": "excludeDomains: [qa." + n.Domain + ", test." + n.Domain + ", preprod." + n.Domain + "]\n",
		"qa":   "domainFilters: [qa." + n.Domain + ", qa.umbrella-corp.internal]\n",
	} {
		if text := files["clusters/"+name+"/values/external-dns.yaml"]; !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", name, want, text)
		}
	}
}

// A way in is one that there is, and the names of its Applications are taken.
func TestIngress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		names starter.Names
		want  string
	}{
		"a private domain": {starter.Names{Domain: "acme.internal"}, `--domain "acme.internal" is for names inside the clusters' networks`},
		"one below it":     {starter.Names{Domain: "shop.acme.internal"}, `--domain "shop.acme.internal" is for names inside`},
		"another's ending": {starter.Names{Domain: "shop-acme.internal"}, ""},
		"outside of AWS":   {starter.Names{Domain: "acme.internal", Platform: starter.Kubernetes}, ""},
		"unknown":          {starter.Names{Ingress: "haproxy"}, `--ingress "haproxy" is not one of traefik, gateway, alb, nginx`},
		"another path":     {starter.Names{Ingress: "../infra"}, `--ingress "../infra" is not one of`},
		"of AWS":           {starter.Names{Ingress: starter.ALB, Platform: starter.None}, "--ingress alb is a load balancer of AWS"},
		"no such store":    {starter.Names{Secrets: "safe"}, `--secrets "safe" is not one of aws, vault, sealed`},
		"a store of AWS":   {starter.Names{Secrets: starter.AWS, Platform: starter.Kubeadm}, "--secrets aws is a service of AWS"},
		"seals elsewhere":  {starter.Names{Secrets: starter.Sealed, Platform: starter.Kubernetes}, ""},
		"its controller":   {starter.Names{Secrets: starter.Sealed, App: "sealed-secrets"}, "--app sealed-secrets: the platform has"},
		"another's":        {starter.Names{App: "sealed-secrets"}, ""},
		"starts pods anew": {starter.Names{App: "reloader"}, "--app reloader: the platform has"},
		"its application":  {starter.Names{App: "ingress"}, "--app ingress: the platform has an Argo CD Application of this name"},
		"its second one":   {starter.Names{App: "gateway", Ingress: starter.Gateway}, "--app gateway: the platform has"},
		"its namespace":    {starter.Names{Environments: []string{"ingress", "live"}}, `--environments: "ingress" is a namespace`},
		"no such gateway":  {starter.Names{App: "gateway"}, ""},
	} {
		c.names.Owner = "acme"
		err := c.names.Check(starter.Config)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	four := starter.Names{Owner: "acme", Ingress: starter.ALB, Environments: []string{"a", "b", "c", "d"}}
	files := written(t, starter.Config, four)
	for env, cidr := range map[string]string{"a": "10.20.96.0/19", "b": "10.30.96.0/19", "c": "10.40.96.0/19", "d": "10.50.96.0/19"} {
		if !strings.Contains(files["clusters/"+env+"/namespaces/kustomization.yaml"], "value: "+cidr+"}") {
			t.Errorf("%s does not let in its public subnets", env)
		}
	}
	if _, there := files["clusters/base/platform/ingress/ingress.yaml"]; there {
		t.Error("a load balancer has no Application of its own")
	}
}

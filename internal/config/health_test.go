package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
)

func withDev(dev string) string {
	return "apiVersion: waybill.dev/v1\nenvironments:\n  - {name: dev, " + dev + "}\n  - {name: prod}\napps: {api: {image: ghcr.io/acme/api}}\n"
}

func TestHealthAndVerify(t *testing.T) {
	t.Parallel()
	cfg := parse(t, withDev(`health: [{argocd: {url: "https://argocd.example/", application: "{app}-{env}", namespace: "team-{app}", `+
		`token: "env:WAYBILL_ARGOCD_TOKEN"}}, {prometheus: {url: "http://127.0.0.1:9090", query: 'up{job="{app}",e="{env}"} == 1', `+
		`token: "env:WAYBILL_PROMETHEUS_X"}}], verify: [{workflow: smoke.yml, ref: main, inputs: {url: "https://{app}.{env}"}}]`))
	dev := cfg.Environments[0]
	argo, prom := dev.Health[0], dev.Health[1]
	got := []string{
		argo.ArgoCD.URL, argo.ArgoCD.For("api", "dev"), argo.In("api", "dev"), argo.Variable(), argo.Name("api", "dev"),
		prom.Prometheus.For("api", "dev"), prom.Variable(), prom.Name("api", "dev"),
		dev.Verify[0].For("api", "dev")["url"], dev.Verify[0].Name(),
	}
	if diff := cmp.Diff([]string{
		"https://argocd.example", "api-dev", "team-api", "WAYBILL_ARGOCD_TOKEN", "Argo CD's Application api-dev",
		`up{job="api",e="dev"} == 1`, "WAYBILL_PROMETHEUS_X", "the query of Prometheus", "https://api.dev", "smoke",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// No address in clear, no password in the file, and no other secret by way of it.
func TestHealthIsRefused(t *testing.T) {
	t.Parallel()
	argo := func(more string) string { return `health: [{argocd: {application: x, ` + more + `}}]` }
	prom := func(query string) string {
		quoted := strings.NewReplacer("'", "''", "\n", "\n\n").Replace(query) // as YAML does in single quotes
		return `health: [{prometheus: {url: "https://p.example", query: '` + quoted + `'}}]`
	}
	for dev, want := range map[string]string{
		argo(`url: "http://argocd.example"`):                                      "http:// is for this very machine",
		argo(`url: "http://127.0.0.1.evil.example"`):                              "http:// is for this very machine",
		argo(`url: "https://u:p@argocd.example"`):                                 "the address holds a user, a query or a fragment",
		argo(`url: "https://a.example?token=x"`):                                  "the address holds a user, a query or a fragment",
		argo(`url: "https://a.example#x"`):                                        "the address holds a user, a query or a fragment",
		argo(`url: "https://%zz"`):                                                "is no address",
		argo(`url: "https://a", token: "env:WAYBILL_APP_KEY"`):                    "begins with WAYBILL_ARGOCD",
		argo(`url: "https://a", token: "env:GITHUB_TOKEN"`):                       "begins with WAYBILL_ARGOCD",
		argo(`url: "https://a", token: "env:WAYBILL_ARGOCDX"`):                    "begins with WAYBILL_ARGOCD",
		argo(`url: "https://a", token: "eyJhbGciOi"`):                             "begins with WAYBILL_ARGOCD",
		`health: [{status: x, prometheus: {url: "https://p", query: "up == 1"}}]`: "one of status, argocd and prometheus",
		`health: [{}]`:                                            "one of status, argocd and prometheus",
		`health: [{from: eve}]`:                                   "name the status too",
		prom(`up{job="a==b"}`):                                    "the query compares nothing",
		prom(`up{job!='<'} # > 0`):                                "the query compares nothing",
		prom("up{job=~`x>y`}"):                                    "the query compares nothing",
		prom(`up == bool 1`):                                      "with bool, the query yields 0",
		prom(`up >=bool 1`):                                       "with bool, the query yields 0",
		prom(`up == BOOL 1`):                                      "with bool, the query yields 0",
		prom("up # don't\n == bool 1 # won't"):                    "with bool, the query yields 0",
		prom(`up # it's < 1 if it's up`):                          "the query compares nothing",
		prom(`(up == 1) or vector(0)`):                            "one side of or compares nothing",
		prom(`(up == 1 OR on() vector(0))`):                       "one side of or compares nothing",
		prom(`up or vector(0) < 1`):                               "one side of or compares nothing",
		`verify: [{workflow: ../smoke.yml}]`:                      "without a directory",
		`verify: [{workflow: smoke}]`:                             "without a directory",
		`verify: [{workflow: smoke.yml}, {workflow: smoke.yaml}]`: "smoke stands here a second time",
		`verify: [{workflow: smoke.yml, inputs: {image: x}}]`:     "the input image is Waybill's own",
		`verify: [{workflow: smoke.yml, ref: "-x"}]`:              "verify",
	} {
		_, err := config.Parse("waybill.yaml", []byte(withDev(dev)))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "waybill.yaml:3:") {
			t.Errorf("%s: got %v, want %s", dev, err, want)
		}
	}
	for _, query := range []string{
		`min(up{job="{app}"}) == 1`, `absent(ALERTS{alertstate="firing"})`, `a unless b`, "rate(x[5m])\n< 0.01", `a > on (b) c`,
		"up == 1 # it's all there, isn't it?", `up != 0 # a "text"`, `(sum(rate(errors[5m])) or vector(0)) < 0.1`, `a < 1 or (b > 2)`,
		`min(for_all) == 1 UNLESS door`, `sensor > 1`,
	} {
		if _, err := config.Parse("waybill.yaml", []byte(withDev(prom(query)))); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// A source less, one that is asked elsewhere or otherwise, and a workflow less are losses
// of protection.
func TestSourcesBecomeWeaker(t *testing.T) {
	t.Parallel()
	const argo = `{argocd: {url: "https://a.example", application: x, token: "env:WAYBILL_ARGOCD"}}`
	const prom = `{prometheus: {url: "https://p.example", query: "up == 1"}}`
	const smoke = `{workflow: smoke.yml, inputs: {url: x}}`
	base := `health: [` + argo + `, ` + prom + `], verify: [` + smoke + `]`
	change := func(old, new string) string { return strings.Replace(base, old, new, 1) }
	lostArgo := "environments.dev.health drops or changes Argo CD's x at https://a.example"
	lostQuery := "environments.dev.health drops or changes the query up == 1 of https://p.example"
	for head, want := range map[string][]string{
		base: nil,
		change("], verify", ", {status: more}], verify"): nil,
		change("a.example", "evil.example"):              {lostArgo},
		change("application: x", "application: y"):       {lostArgo},
		change("WAYBILL_ARGOCD", "WAYBILL_ARGOCD_X"):     {lostArgo},
		change("up == 1", "up == 1 or up == 2"):          {lostQuery},
		change(argo+", ", ""):                            {lostArgo},
		change("url: x", "url: y"):                       {"environments.dev.verify drops or changes smoke.yml"},
		change("smoke.yml", "other.yml"):                 {"environments.dev.verify drops or changes smoke.yml"},
		`soak: 1h`:                                       {lostArgo, lostQuery, "environments.dev.verify drops or changes smoke.yml"},
	} {
		var got []string
		for _, w := range config.Weaker(parse(t, withDev(base)), parse(t, withDev(head)), time.Now()) {
			got = append(got, w.Change)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", head, diff)
		}
	}
}

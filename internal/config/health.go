package config

import (
	"cmp"
	"maps"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/config/promql"
)

// Health is one source that tells if what was deployed is healthy: a commit
// status, Argo CD, or Prometheus. Exactly one of the three is set.
type Health struct {
	Status string // name of a commit status that is success while it is; {app} and {env} stand for the place
	From   string // login that must have set it; empty is anybody who may
	ArgoCD
	Prometheus
}

// ArgoCD is an Application of Argo CD, asked for by its API.
type ArgoCD struct {
	URL         string // of the API server
	Application string // its name; {app} and {env} stand for the place
	Namespace   string // where the Application lies; empty is Argo CD's own
	Token       string // environment variable that holds the token; empty asks without one
}

// Prometheus is a query that yields something while what was deployed is healthy.
type Prometheus struct {
	URL   string // of the server, to which /api/v1/query_range is added
	Query string // {app} and {env} stand for the place
	Token string // environment variable that holds the token; empty asks without one
}

// IsStatus reports whether the source is a commit status.
func (h Health) IsStatus() bool { return h.Status != "" }

// For is the name of the status for an application.
func (h Health) For(app, env string) string { return expand(h.Status, app, env) }

// Name is what the source is called in front of people.
func (h Health) Name(app, env string) string {
	switch {
	case h.IsStatus():
		return "the status " + h.For(app, env)
	case h.Application != "":
		return "Argo CD's Application " + h.ArgoCD.For(app, env)
	}
	return "the query of Prometheus"
}

// Variable is the environment variable that the source needs; empty for none.
func (h Health) Variable() string { return cmp.Or(h.ArgoCD.Token, h.Prometheus.Token) }

// For is the Application of a place.
func (a ArgoCD) For(app, env string) string { return fill(a.Application, app, env) }

// In is the namespace of a place's Application.
func (a ArgoCD) In(app, env string) string { return fill(a.Namespace, app, env) }

// For is the query about a place. Names of places are DNS labels, so that they mean
// nothing else in a string or a pattern of PromQL.
func (p Prometheus) For(app, env string) string { return fill(p.Query, app, env) }

// fill puts a place into a template that is no path.
func fill(template, app, env string) string {
	return strings.NewReplacer("{app}", app, "{env}", env).Replace(template)
}

// weakerIn is what a source of the base is called that a head does not ask any
// more, or asks otherwise; empty if it is still asked.
func (h Health) weakerIn(head []Health) string {
	same := func(o Health) bool { return o == h || h.IsStatus() && o.Status == h.Status && h.From == "" }
	if slices.ContainsFunc(head, same) {
		return ""
	}
	switch {
	case h.IsStatus():
		return h.Status
	case h.Application != "":
		return "Argo CD's " + h.Application + " at " + h.ArgoCD.URL
	}
	return "the query " + strings.Join(strings.Fields(h.Query), " ") + " of " + h.Prometheus.URL
}

// Verification is a workflow of the config repository that tries what was deployed.
type Verification struct {
	Workflow string // file in .github/workflows
	Ref      string // branch or tag that it is taken from; empty is the branch of the deployments
	Inputs   map[string]string
}

// Name is what its commit status ends with.
func (v Verification) Name() string { return strings.TrimSuffix(v.Workflow, path.Ext(v.Workflow)) }

// For are its inputs for a place.
func (v Verification) For(app, env string) map[string]string {
	inputs := make(map[string]string, len(v.Inputs))
	for name, value := range v.Inputs {
		inputs[name] = fill(value, app, env)
	}
	return inputs
}

// VerifyInputs are what Waybill tells every workflow that verifies a deployment.
var VerifyInputs = []string{"app", "env", "image", "commit"}

type healthDocument struct {
	Status string `yaml:"status"`
	From   string `yaml:"from"`
	ArgoCD *struct {
		URL         string `yaml:"url"`
		Application string `yaml:"application"`
		Namespace   string `yaml:"namespace"`
		Token       string `yaml:"token"`
	} `yaml:"argocd"`
	Prometheus *struct {
		URL   string `yaml:"url"`
		Query string `yaml:"query"`
		Token string `yaml:"token"`
	} `yaml:"prometheus"`
}

type verifyDocument struct {
	Workflow string            `yaml:"workflow"`
	Ref      string            `yaml:"ref"`
	Inputs   map[string]string `yaml:"inputs"`
}

// healths reads the sources of an environment.
func (p *parser) healths(list *yaml.Node, documents []healthDocument) (healths []Health) {
	for i, d := range documents {
		at, h, n := place(list, i), Health{Status: d.Status, From: d.From}, 0
		if d.Status != "" {
			n++
		} else if d.From != "" {
			p.problem(at, "from says who must have set a status: name the status too")
		}
		if a := d.ArgoCD; a != nil {
			n++
			h.ArgoCD = ArgoCD{URL: p.address(child(child(at, "argocd"), "url"), a.URL), Application: a.Application, Namespace: a.Namespace,
				Token: strings.TrimPrefix(a.Token, "env:")}
		}
		if q := d.Prometheus; q != nil {
			n++
			h.Prometheus = Prometheus{
				URL: p.address(child(child(at, "prometheus"), "url"), q.URL), Query: q.Query, Token: strings.TrimPrefix(q.Token, "env:"),
			}
			if problem := promql.Undecided(q.Query); problem != "" {
				p.problem(child(child(at, "prometheus"), "query"), "%s", problem)
			}
		}
		if n != 1 && (n > 1 || d.From == "") {
			p.problem(at, "a source of health is one of status, argocd and prometheus: write one entry for each")
		}
		healths = append(healths, h)
	}
	return healths
}

// address holds the address of a server that gets a token. It is written to the file
// that everybody reads, so it holds no password.
func (p *parser) address(at *yaml.Node, text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		p.problem(at, "%q is no address: write https://HOST", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		p.problem(at, "the address holds a user, a query or a fragment: write https://HOST/PATH, and the token by token: env:…")
	}
	return strings.TrimRight(text, "/")
}

// verifications reads how deployments to an environment are verified.
func (p *parser) verifications(list *yaml.Node, documents []verifyDocument) (all []Verification) {
	for i, d := range documents {
		at, v := place(list, i), Verification(d)
		if slices.ContainsFunc(all, func(o Verification) bool { return o.Name() == v.Name() }) {
			p.problem(child(at, "workflow"), "%s stands here a second time, and one result would stand for both", v.Name())
		}
		for _, name := range slices.Sorted(maps.Keys(d.Inputs)) {
			if slices.Contains(VerifyInputs, name) {
				p.problem(child(child(at, "inputs"), name), "the input %s is Waybill's own: it tells %s by themselves", name,
					strings.Join(VerifyInputs, ", "))
			}
		}
		all = append(all, v)
	}
	return all
}

// checks compares what says that a deployment is good.
func (w *weaker) checks(path []string, base, head Environment) {
	for _, health := range base.Health {
		if name := health.weakerIn(head.Health); name != "" {
			w.add(in(path, "health"), "drops or changes %s", name)
		}
	}
	for _, v := range base.Verify {
		if !slices.ContainsFunc(head.Verify, func(o Verification) bool { return reflect.DeepEqual(o, v) }) {
			w.add(in(path, "verify"), "drops or changes %s", v.Workflow)
		}
	}
}

package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// A change that takes protection away is refused, and one that says so in
// waybill.yaml is not.
func TestProtection(t *testing.T) {
	t.Parallel()
	config := configrepotest.Config("demo-api")
	kyverno := "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: signed}\nspec: {x: "
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {pod-security.kubernetes.io/enforce: "
	held := string(hold.Hold{App: "demo-api", Env: "prod", Reason: "x", Digests: []string{demo(3).Digest(), demo(4).Digest()}}.File())
	holdFile := hold.Path("demo-api", "prod")
	deployer := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\n"
	policy := admission("p", "object.spec.replicas > 1", "no")
	list := "platform/policies/kustomization.yaml"
	two := func(text string) map[string]string {
		return map[string]string{"clusters/dev/p.yaml": text, "clusters/prod/p.yaml": text}
	}
	annotated := func(text, annotation string) string {
		return strings.ReplaceAll(text, "metadata: {name: p", "metadata: {annotations: {"+annotation+"}, name: p")
	}
	template := newWorld(t)
	for what, test := range map[string]struct {
		main, change map[string]string
		want         string // what is taken away; empty is nothing
	}{
		"require emptied": {
			nil,
			map[string]string{"waybill.yaml": strings.Replace(
				config, "policy:\n", "policy:\n  require: [signature, provenance, sbom]\n", 1,
			)},
			"policy.require drops scan",
		},
		"no environment": {
			nil,
			map[string]string{"waybill.yaml": strings.Replace(config, "  - {name: staging, promotion: pull-request, soak: 30m}\n", "", 1)},
			"environments drops staging",
		},
		"an application goes": {
			newApp("demo-web", configrepotest.Config("demo-api", "demo-web")), map[string]string{"waybill.yaml": config},
			"apps drops demo-web",
		},
		"a policy goes": {
			map[string]string{policyFile: policy}, map[string]string{policyFile: strings.SplitN(policy, "---\n", 2)[1]},
			"admission policy p goes",
		},
		"a binding only warns": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: strings.Replace(policy, "[Deny]", "[Warn, Audit]", 1)},
			"binding p no longer has the action Deny",
		},
		"a binding of less": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: strings.Replace(
				policy, "policyName: p,", "policyName: p, matchResources: {namespaceSelector: {matchLabels: {a: b}}},", 1,
			)},
			"binding p changes what it matches",
		},
		"failures are passed over": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: strings.Replace(policy, "spec:", "spec:\n  failurePolicy: Ignore", 1)},
			"admission policy p passes over what it fails on",
		},
		"a policy has a condition": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: strings.Replace(
				policy, "spec:", "spec:\n  matchConditions: [{name: never, expression: 'false'}]", 1,
			)},
			"admission policy p adds or changes the matchCondition never",
		},
		"a kyverno policy": {
			map[string]string{"platform/k.yaml": kyverno + "1}\n"}, map[string]string{"platform/k.yaml": kyverno + "2}\n"},
			"ClusterPolicy signed goes or changes",
		},
		"a namespace's label": {
			map[string]string{"platform/n.yaml": namespace + "restricted}}\n"},
			map[string]string{"platform/n.yaml": namespace + "privileged}}\n"},
			"namespace prod drops or changes the label pod-security.kubernetes.io/enforce",
		},
		"a list without it": {
			map[string]string{policyFile: policy, list: "resources: [p.yaml]\n"}, map[string]string{list: "resources: []\n"},
			list + " no longer lists p.yaml, which holds admission policies",
		},
		"a list of directories": {
			map[string]string{policyFile: policy, "platform/kustomization.yaml": "resources: [policies]\n"},
			map[string]string{"platform/kustomization.yaml": "resources: []\n"},
			"platform/kustomization.yaml no longer lists policies, which holds admission policies",
		},
		"a list that deletes": {
			map[string]string{policyFile: policy, list: "resources: [p.yaml]\n"},
			map[string]string{list: "resources: [p.yaml]\npatches: [{patch: 'x: y'}]\n"},
			list + " changes patches, which may change admission policies",
		},
		"nothing runs any more": {
			nil,
			map[string]string{
				prod: "resources: []\nconfigMapGenerator: [{name: x, literals: [a=b]}]\nimages:\n  - name: demo-api\n    newName: " +
					"ghcr.io/acme/demo-api\n    digest: " + demo(2).Digest() + "\n",
			},
			"demo-api in prod runs nothing any more",
		},
		"a deployer goes": {
			map[string]string{"clusters/prod/a.yaml": deployer + "---\n" + strings.Replace(deployer, "shop", "other", 1)},
			map[string]string{"clusters/prod/a.yaml": strings.Replace(deployer, "shop", "other", 1)},
			"Application argocd/shop of clusters/prod/a.yaml goes, and what it deploys",
		},
		"a file of deployers goes": {
			map[string]string{"clusters/prod/a.yaml": deployer}, map[string]string{"clusters/prod/a.yaml": ""},
			"Application argocd/shop of clusters/prod/a.yaml goes, and what it deploys",
		},
		"a hold goes": {
			map[string]string{holdFile: held}, map[string]string{holdFile: ""}, "the hold of demo-api in prod is lifted",
		},
		"a hold of less": {
			map[string]string{holdFile: held},
			map[string]string{holdFile: strings.Replace(held, "  - "+demo(3).Digest()+"\n", "", 1)},
			"the hold of demo-api in prod is lifted",
		},
		"a hold of one digest": {
			map[string]string{holdFile: string(hold.Hold{App: "demo-api", Env: "prod", Reason: "x"}.File())},
			map[string]string{holdFile: held}, "the hold of demo-api in prod is lifted",
		},
		"owners go": {
			map[string]string{".github/CODEOWNERS": "* @acme/all\n/waybill.yaml @acme/platform\n"},
			map[string]string{".github/CODEOWNERS": "* @acme/all\n"},
			`.github/CODEOWNERS drops or changes "/waybill.yaml @acme/platform"`,
		},
		"owners of a later rule": {
			map[string]string{"CODEOWNERS": "/waybill.yaml @acme/platform\n"},
			map[string]string{"CODEOWNERS": "/waybill.yaml @acme/platform\n/waybill.yaml # nobody\n"},
			`CODEOWNERS adds "/waybill.yaml", which comes before other rules`,
		},
		"owners in a better place": {
			map[string]string{"CODEOWNERS": "/waybill.yaml @acme/platform\n"}, map[string]string{".github/CODEOWNERS": "* @eve\n"},
			`.github/CODEOWNERS adds "* @eve", which comes before other rules`,
		},
		"no owners at all": {
			map[string]string{"CODEOWNERS": "* @acme/all\n"}, map[string]string{"CODEOWNERS": ""},
			`CODEOWNERS drops or changes "* @acme/all"`,
		},
		"owners of nothing, first": {
			map[string]string{"CODEOWNERS": "* @acme/all\n"}, map[string]string{".github/CODEOWNERS": "# nobody\n"},
			`.github/CODEOWNERS is read instead of CODEOWNERS, and has no "* @acme/all"`,
		},
		"owners of docs": {
			map[string]string{"docs/CODEOWNERS": "* @acme/all\n"}, map[string]string{"CODEOWNERS": "/x @acme/all\n"},
			`CODEOWNERS is read instead of docs/CODEOWNERS, and has no "* @acme/all"`,
		},
		"owners in another order": {
			map[string]string{"CODEOWNERS": "* @eve\n/waybill.yaml @acme/all\n"},
			map[string]string{"CODEOWNERS": "/waybill.yaml @acme/all\n* @eve\n"},
			`CODEOWNERS has its rules in another order, and the last that matches counts`,
		},
		"owners grow too large": {
			map[string]string{"CODEOWNERS": "* @acme/all\n"},
			map[string]string{"CODEOWNERS": "* @acme/all\n#" + strings.Repeat("x", 3_000_000)},
			"CODEOWNERS is too large, and GitHub does not load it",
		},
		"owners in a large file": {
			map[string]string{"CODEOWNERS": "* @acme/all\n"},
			map[string]string{".github/CODEOWNERS": "* @acme/all\n#" + strings.Repeat("x", 17<<20)},
			".github/CODEOWNERS is too large, and GitHub does not load it",
		},
		"a broken base": {
			map[string]string{"waybill.yaml": "broken: [\n"}, map[string]string{"waybill.yaml": config},
			"the base's waybill.yaml cannot be read, so nothing says what this change takes away",
		},
		"a base of unknown keys": {
			map[string]string{"waybill.yaml": config + "later: true\n"}, map[string]string{"waybill.yaml": config},
			"the base's waybill.yaml cannot be read, so nothing says what this change takes away",
		},
		"a base without": {
			map[string]string{"waybill.yaml": ""}, map[string]string{"waybill.yaml": config},
			"the base has no waybill.yaml, so nothing says what this change takes away",
		},
		"a second policy goes": {
			two(policy), map[string]string{"clusters/prod/p.yaml": ""}, "admission policy p in clusters/prod/p.yaml goes",
		},
		"a second binding goes": {
			two(policy), map[string]string{"clusters/dev/p.yaml": strings.SplitN(policy, "---\n", 2)[0]},
			"binding p in clusters/dev/p.yaml goes",
		},
		"a second policy weakens": {
			two(policy),
			map[string]string{"clusters/dev/p.yaml": strings.Replace(policy, "spec:", "spec:\n  failurePolicy: Ignore", 1)},
			"admission policy p in clusters/dev/p.yaml passes over what it fails on",
		},
		"a second binding warns": {
			two(policy), map[string]string{"clusters/prod/p.yaml": strings.Replace(policy, "[Deny]", "[Warn, Audit]", 1)},
			"binding p in clusters/prod/p.yaml no longer has the action Deny",
		},
		"a policy of another": {
			map[string]string{"clusters/prod/p.yaml": policy},
			map[string]string{"clusters/prod/p.yaml": "", "clusters/dev/p.yaml": policy}, "admission policy p goes",
		},
		"a weaker copy more": {
			map[string]string{"clusters/prod/p.yaml": policy},
			map[string]string{"clusters/prod/a.yaml": strings.Replace(policy, "[Deny]", "[Warn, Audit]", 1)},
			"binding p in clusters/prod/a.yaml no longer has the action Deny",
		},
		"a weaker copy, one file": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: policy + "---\n" + strings.Replace(policy, "[Deny]", "[Warn, Audit]", 1)},
			"binding p no longer has the action Deny",
		},
		"a second kyverno policy": {
			two(kyverno + "1}\n"), map[string]string{"clusters/prod/p.yaml": kyverno + "2}\n"},
			"ClusterPolicy signed in clusters/prod/p.yaml goes or changes",
		},
		"a second one is gone": {
			two(kyverno + "1}\n"), map[string]string{"clusters/dev/p.yaml": ""},
			"ClusterPolicy signed in clusters/dev/p.yaml goes or changes",
		},
		"a second namespace": {
			two(namespace + "restricted}}\n"), map[string]string{"clusters/dev/p.yaml": namespace + "privileged}}\n"},
			"namespace prod in clusters/dev/p.yaml drops or changes the label pod-security.kubernetes.io/enforce",
		},
		"a policy is local": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: annotated(policy, "config.kubernetes.io/local-config: 'true'")},
			"admission policy p goes",
		},
		"a binding is a hook": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: annotated(policy, "argocd.argoproj.io/hook: Skip")}, "binding p goes",
		},
		"Flux leaves a policy": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: annotated(policy, "kustomize.toolkit.fluxcd.io/reconcile: disabled")},
			"admission policy p goes",
		},
		"a namespace is local": {
			map[string]string{"platform/n.yaml": namespace + "restricted}}\n"},
			map[string]string{"platform/n.yaml": strings.Replace(
				namespace, "{name: prod,", "{name: prod, annotations: {config.kubernetes.io/local-config: 'true'},", 1,
			) + "restricted}}\n"},
			"namespace prod drops or changes the label pod-security.kubernetes.io/enforce",
		},

		"a policy is not local": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: annotated(policy, "config.kubernetes.io/local-config: 'false'")}, "",
		},
		"a copy for another": {map[string]string{"clusters/prod/p.yaml": policy}, map[string]string{"clusters/dev/p.yaml": policy}, ""},
		"owners that move": {
			map[string]string{"CODEOWNERS": "* @acme/all\n"},
			map[string]string{"CODEOWNERS": "", ".github/CODEOWNERS": "# moved\n* @acme/all\n"}, "",
		},
		"owners that are later": {map[string]string{"CODEOWNERS": "* @acme/all\n"}, map[string]string{"docs/CODEOWNERS": "* @eve\n"}, ""},
		"a hold more":           {nil, map[string]string{holdFile: held}, ""},
		"the same hold":         {map[string]string{holdFile: held}, map[string]string{holdFile: held + "# x\n"}, ""},
		"the first owners":      {nil, map[string]string{".github/CODEOWNERS": "* @acme/platform\n"}, ""},
		"a stricter policy": {
			map[string]string{policyFile: policy},
			map[string]string{policyFile: strings.Replace(
				policy, "validations: [", "validations: [{expression: 'object.spec.replicas > 0', message: x}, ", 1,
			)},
			"",
		},
		"a deployer moves": {
			map[string]string{"clusters/prod/a.yaml": deployer},
			map[string]string{"clusters/prod/a.yaml": "", "clusters/prod/b.yaml": deployer + "# moved\n"}, "",
		},
		"a policy moves": {
			map[string]string{policyFile: policy}, map[string]string{policyFile: "", "platform/other.yaml": policy}, "",
		},
		"a list gets longer": {
			map[string]string{policyFile: policy, list: "resources: [p.yaml]\n"},
			map[string]string{list: "resources: [p.yaml, q.yaml]\n", "platform/policies/q.yaml": "a: b\n"}, "",
		},
		"an ordinary promotion": {nil, map[string]string{prod: at(3)}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			got := protections(w.findings(t, "main", "change"))
			if test.want == "" {
				if len(got) != 0 {
					t.Errorf("got %s", strings.Join(got, "\n"))
				}
				return
			}
			want := "refused protection: this change takes protection away: " + test.want + " → if that is meant, say so in " +
				"waybill.yaml, for its owners to review: acknowledge: [{change: "
			if !strings.Contains(strings.Join(got, "\n"), want) {
				t.Fatalf("got %s\nwant %s", strings.Join(got, "\n"), want)
			}
			w.Write(t, "change", "acknowledge", map[string]string{"waybill.yaml": acknowledging(t, w, got)})
			result, err := w.checker().Run(t.Context(), "main", "change")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range result.Findings {
				if f.Rule == "protection" {
					t.Errorf("acknowledged: %s", f.Message)
				}
			}
			said := slices.ContainsFunc(result.Notes, func(f check.Finding) bool {
				return strings.Contains(f.Message, "this change takes protection away, and says so: "+test.want+" (it is meant)")
			})
			if !said {
				t.Errorf("nothing is said of what was acknowledged: %v", result.Notes)
			}
		})
	}
}

func protections(findings []string) []string {
	var list []string
	for _, f := range findings {
		if strings.Contains(f, " protection: ") {
			list = append(list, f)
		}
	}
	return list
}

// acknowledging is the change's waybill.yaml with what the findings tell to add.
func acknowledging(t *testing.T, w *world, findings []string) string {
	t.Helper()
	text := w.Text(t, "change", "waybill.yaml") + "\nacknowledge:\n"
	for _, f := range findings {
		_, change, _ := strings.Cut(f, "acknowledge: [{change: ")
		change, _, _ = strings.Cut(change, ", reason: …}]")
		text += "  - {change: " + change + ", reason: it is meant}\n"
	}
	return text
}

// An acknowledgement that is there already is of another change.
func TestAnOldAcknowledgementCountsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acknowledged := configrepotest.Config("demo-api") + "acknowledge: [{change: environments.prod.soak goes from 24h0m0s to 0s, " +
		"reason: once}]\n"
	w.Write(t, "main", "before", map[string]string{"waybill.yaml": acknowledged})
	w.Write(t, "change", "the change", map[string]string{"waybill.yaml": strings.Replace(acknowledged, ", soak: 24h", "", 1)})
	if got := w.findings(t, "main", "change"); len(got) != 1 ||
		!strings.Contains(got[0], "environments.prod.soak goes from 24h0m0s to 0s → if that is meant") {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

// A base that cannot be read hides nothing else that goes, an acknowledgement in
// its text is an old one, and mending it is a change of its own.
func TestABaseThatCannotBeRead(t *testing.T) {
	t.Parallel()
	text := configrepotest.Config("demo-api")
	held := hold.Path("demo-api", "prod")
	policy := admission("p", "object.spec.replicas > 1", "no")
	words := "the base's waybill.yaml cannot be read, so nothing says what this change takes away"
	entry := "acknowledge: [{change: \"" + words + "\", reason: once}]\n"
	main := map[string]string{
		"waybill.yaml": text + "later: true\n", policyFile: policy, "CODEOWNERS": "* @acme/all\n",
		held: string(hold.Hold{App: "demo-api", Env: "prod", Reason: "x"}.File()),
	}
	for what, test := range map[string]struct {
		main, change map[string]string
		want         []string
	}{
		"and all else goes": {nil, map[string]string{"waybill.yaml": text + entry, policyFile: "", "CODEOWNERS": "", held: ""}, []string{
			words + ": this change has other files too (.waybill/holds/prod/demo-api.yaml) → write waybill.yaml in a change of its " +
				"own first",
			"admission policy p goes", "the hold of demo-api in prod is lifted", "CODEOWNERS drops or changes",
		}},
		"and a digest with it": {
			nil, map[string]string{"waybill.yaml": text + entry, prod: at(4)},
			[]string{words + ": this change has other files too (" + prod + ")"},
		},
		"an old acknowledgement": {
			map[string]string{"waybill.yaml": text + "later: true\n" + entry}, map[string]string{"waybill.yaml": text + entry},
			[]string{words + " → if that is meant"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Write(t, "main", "before", main)
			if test.main != nil {
				w.Write(t, "main", "before that", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(protections(w.findings(t, "main", "change")), "\n")
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s\nwant %s", got, want)
				}
			}
		})
	}
}

// A repository begins without a waybill.yaml, and every rule of its first counts.
func TestABeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	main := map[string]string{"README.md": "x"}
	for file := range configrepotest.Files("demo-api") {
		main[file] = ""
	}
	w.Write(t, "main", "nothing yet", main)
	w.Write(t, "change", "begin", configrepotest.Files("demo-api"))
	result, err := w.checker().Run(t.Context(), "main", "change")
	if err != nil {
		t.Fatal(err)
	}
	said := slices.ContainsFunc(result.Notes, func(f check.Finding) bool {
		return f.Message == "the base has no waybill.yaml and deploys nothing: every rule of this change counts"
	})
	if len(result.Findings) != 0 || !said {
		t.Errorf("got %v, notes %v", result.Findings, result.Notes)
	}
}

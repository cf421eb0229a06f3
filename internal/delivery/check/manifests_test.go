package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// admission is a policy of that name, bound to all, on deployments.
func admission(name, expression, message string) string {
	return `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ` + name + `}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  validations: [{expression: "` + expression + `", message: '` + message + `'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ` + name + `}
spec: {policyName: ` + name + `, validationActions: [Deny]}
`
}

const policyFile = "platform/policies/p.yaml"

// The admission policies of the repository judge what a change renders: those
// of the base and those that it brings, and only what is new is held against it.
func TestManifests(t *testing.T) {
	t.Parallel()
	config := configrepotest.Config("demo-api")
	plain := configrepotest.Deployment("demo-api", "demo-api")
	privileged := plain + "          securityContext: {privileged: true}\n"
	const expression = "object.spec.template.spec.containers.all(c, !c.?securityContext.?privileged.orValue(false))"
	no := admission("privileged", expression, "no")
	replicas := admission("replicas", "object.spec.replicas > 1", "two at least")
	waived := func(expires string) string {
		return config + "manifests:\n  waivers:\n    - {policy: privileged, app: demo-api, env: dev, object: \"Deployment *\", " +
			"reason: a trial, expires: " + expires + "}\n"
	}
	refused := func(string) string {
		return "apps/demo-api/base/deployment.yaml:2 refused manifest: Deployment demo-api is refused by the admission policy " +
			"privileged: no"
	}
	template := newWorld(t)
	for what, test := range map[string]struct {
		main, change map[string]string
		want, notes  []string // each a part of one, in order
	}{
		"what a policy refuses": {
			main: map[string]string{policyFile: no}, change: map[string]string{deployment: privileged},
			want: []string{refused("dev"), refused("staging"), refused("prod")},
		},
		"what it does not": {
			main: map[string]string{policyFile: no}, change: map[string]string{deployment: plain + "          args: [x]\n"},
		},
		"what it refused before": {
			main:   map[string]string{policyFile: no, deployment: privileged},
			change: map[string]string{deployment: privileged + "          args: [x]\n"},
		},
		"in an overlay": {
			main: map[string]string{policyFile: no},
			change: map[string]string{
				dev: at(3) + "patches:\n  - patch: |-\n      - op: add\n        path: " +
					"/spec/template/spec/containers/0/securityContext\n        value: {privileged: true}\n    target: {kind: Deployment}\n",
			},
			want: []string{"refused manifest: Deployment demo-api is refused by the admission policy privileged: no"},
		},
		"a policy that the change takes out": {
			main:   map[string]string{policyFile: no},
			change: map[string]string{policyFile: "", "platform/x.yaml": "a: b\n", deployment: privileged},
			want: []string{
				refused("dev"), refused("staging"), refused("prod"), "admission policy privileged goes", "binding privileged goes",
			},
			notes: []string{"removed: ValidatingAdmissionPolicy privileged", "removed: ValidatingAdmissionPolicyBinding privileged"},
		},
		"a policy that the change weakens": {
			main:   map[string]string{policyFile: no},
			change: map[string]string{policyFile: admission("privileged", "true", "no"), deployment: privileged},
			want: []string{
				refused("dev"), refused("staging"), refused("prod"),
				"admission policy privileged drops or changes the validation object.spec",
			},
		},
		"a policy that the change brings": {
			change: map[string]string{policyFile: no, deployment: privileged},
			want:   []string{refused("dev"), refused("staging"), refused("prod")},
		},
		"a policy that what runs breaks": {change: map[string]string{policyFile: replicas}, notes: []string{
			"by the policy that this change brings, what is deployed already is refused: Deployment demo-api is refused by the " +
				"admission policy replicas: two at least",
			"already is refused", "already is refused"}},
		"a policy that the change tightens": {
			main:   map[string]string{policyFile: admission("replicas", "true", "any")},
			change: map[string]string{policyFile: replicas},
			notes: []string{
				"already is refused: Deployment demo-api is refused by the admission policy replicas: two at least",
				"already is refused", "already is refused",
			},
		},
		"another beside what is refused": {
			main:   map[string]string{policyFile: no, deployment: privileged},
			change: map[string]string{"platform/q.yaml": admission("fine", "true", "x")},
		},
		"two that say the same once": {
			main: map[string]string{policyFile: no}, change: map[string]string{policyFile: no + "# more\n", deployment: privileged},
			want: []string{refused("dev"), refused("staging"), refused("prod")},
		},
		"a policy that does not compile": {
			change: map[string]string{policyFile: admission("bad", "nothing == 1", "no")},
			want:   []string{policyFile + ":2 refused manifest: the policy bad does not compile"},
		},
		"a policy that did not compile": {
			main: map[string]string{policyFile: admission("bad", "nothing == 1", "no")}, change: map[string]string{dev: at(2)},
			notes: []string{"the policy bad does not compile"},
		},
		"one that did not, beside a new one": {
			main:   map[string]string{policyFile: admission("bad", "nothing == 1", "no")},
			change: map[string]string{"platform/q.yaml": no}, notes: []string{"the policy bad does not compile"},
		},
		"a warning": {
			main:   map[string]string{policyFile: strings.Replace(no, "[Deny]", "[Warn]", 1)},
			change: map[string]string{deployment: privileged},
			notes:  []string{"Deployment demo-api is warned of by the admission policy privileged: no", "warned", "warned"},
		},
		"what only the cluster knows": {main: map[string]string{
			policyFile: admission("who", "request.userInfo.username == 'argocd'", "no"), deployment: "",
		}, change: map[string]string{deployment: plain}, notes: []string{
			"Deployment demo-api: the admission policy who cannot be evaluated here, so the cluster alone decides: validation 1: it " +
				"asks what only the cluster knows",
			"cannot be evaluated", "cannot be evaluated"}},
		"a waiver": {
			main:   map[string]string{policyFile: no, "waybill.yaml": waived("2027-01-01")},
			change: map[string]string{deployment: privileged}, want: []string{refused("staging"), refused("prod")},
			notes: []string{"no (waived until 2027-01-01: a trial; the cluster refuses it all the same)"},
		},
		"a waiver that expired": {
			main:   map[string]string{policyFile: no, "waybill.yaml": waived("2026-01-01")},
			change: map[string]string{deployment: privileged}, want: []string{refused("dev"), refused("staging"), refused("prod")},
		},
		"a waiver of its own": {
			main:   map[string]string{policyFile: no},
			change: map[string]string{"waybill.yaml": waived("2027-01-01"), deployment: privileged},
			want: []string{
				refused("dev"), refused("staging"), refused("prod"),
				"manifests.waivers adds privileged demo-api dev Deployment * until 2027-01-01",
			},
		},
		"a policy outside the places": {main: map[string]string{"apps/p.yaml": no}, change: map[string]string{deployment: privileged}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			result, err := w.checker().Run(t.Context(), "main", "change")
			if err != nil {
				t.Fatal(err)
			}
			var got, notes []string
			for _, f := range result.Findings {
				got = append(got, fmt.Sprintf("%s:%d %s %s: %s", f.File, f.Line, f.State, f.Rule, f.Message))
			}
			for _, f := range result.Notes {
				notes = append(notes, fmt.Sprintf("%s:%d %s: %s", f.File, f.Line, f.Rule, f.Message))
			}
			for name, both := range map[string][2][]string{"findings": {got, test.want}, "notes": {notes, test.notes}} {
				got, want := both[0], both[1]
				ok := len(got) == len(want)
				for i := range want {
					ok = ok && strings.Contains(got[i], want[i])
				}
				if !ok {
					t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// Two objects of one name, or of none, are judged one by one.
func TestManifestsOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plain := func(n int) string {
		text := configrepotest.Deployment("demo-api", demo(2).String())
		for range n {
			text += "---\n" + strings.Replace(
				strings.Replace(
					configrepotest.Deployment("x", "ghcr.io/acme/demo-api@"+demo(2).Digest()), "name: x\nspec",
					"generateName: x-\nspec", 1,
				),
				"app: x", "app: y", 1,
			) + "          securityContext: {privileged: true}\n"
		}
		return text
	}
	main := map[string]string{policyFile: admission(
		"privileged", "object.spec.template.spec.containers.all(c, !c.?securityContext.?privileged.orValue(false))", "no",
	),
		"waybill.yaml": strings.Replace(
			configrepotest.Config("demo-api"), "source: acme/demo-api}",
			"source: acme/demo-api, overlay: \"m/{env}.yaml\", environments: [dev]}", 1,
		), "m/dev.yaml": plain(1)}
	w.Write(t, "main", "before", main)
	w.Write(t, "change", "one more", map[string]string{"m/dev.yaml": plain(2)})
	if got := w.findings(t, "main", "change"); !strings.Contains(
		strings.Join(got, "\n"), "is refused by the admission policy privileged: no",
	) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

// A change with more findings than anybody reads is refused all the same.
func TestMoreFindingsThanCanBeShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(
			&text, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {containers: [{name: c, image: \"x:%d\"}]}\n", i,
			i,
		)
	}
	w.Write(t, "change", "many", resource(text.String()))
	got := w.findings(t, "main", "change")
	if len(got) != 301 || !strings.Contains(got[300], "refused digest: and 100 more findings: mend these first") {
		t.Errorf("got %d, the last: %s", len(got), got[len(got)-1])
	}
}

// Without a base everything is judged, and what was there is no excuse.
func TestManifestsAsTheyStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "before", map[string]string{policyFile: admission("replicas", "object.spec.replicas > 1", "two at least")})
	if got := w.findings(t, "", "main"); len(got) != 3 || !strings.Contains(got[0], "two at least") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

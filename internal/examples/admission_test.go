package examples_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// judge evaluates expressions as the API server does: its own environment of
// CEL, with the libraries that a policy may use.
type judge struct{ env *cel.Env }

func newJudge(t *testing.T) judge {
	t.Helper()
	set, err := environment.MustBaseEnvSet(version.MajorMinor(1, 34)).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions: []cel.EnvOption{
			cel.Variable("object", cel.DynType), cel.Variable("variables", cel.DynType), cel.Variable("request", cel.DynType),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return judge{set.StoredExpressionsEnv()}
}

func (j judge) eval(t *testing.T, expression string, input map[string]any) any {
	t.Helper()
	ast, issues := j.env.Compile(expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := j.env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := program.Eval(input)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return out.Value()
}

// denies lists what a policy says against an object, by number of validation.
func (j judge) denies(t *testing.T, policy, o render.Object, groups ...string) map[int]string {
	t.Helper()
	input := map[string]any{
		"object":    render.Normal(o.Content),
		"variables": map[string]any{},
		"request":   map[string]any{"userInfo": map[string]any{"groups": groups}},
	}
	for _, c := range list(policy.Content, "spec", "matchConditions") {
		if j.eval(t, text(c, "expression"), input) != true {
			return nil
		}
	}
	for _, v := range list(policy.Content, "spec", "variables") {
		input["variables"].(map[string]any)[text(v, "name")] = j.eval(t, text(v, "expression"), input)
	}
	denied := make(map[int]string)
	for i, v := range list(policy.Content, "spec", "validations") {
		if j.eval(t, text(v, "expression"), input) == true {
			continue
		}
		denied[i] = text(v, "message")
		if expression := text(v, "messageExpression"); expression != "" {
			denied[i] = fmt.Sprint(j.eval(t, expression, input))
		}
	}
	return denied
}

// looksAt reports whether a policy is asked about objects of this kind.
func looksAt(policy, o render.Object) bool {
	plural := strings.ToLower(o.Kind) + "s"
	if strings.HasSuffix(plural, "ss") {
		plural = strings.TrimSuffix(plural, "s") + "es"
	}
	return slices.ContainsFunc(list(policy.Content, "spec", "matchConstraints", "resourceRules"), func(r any) bool {
		return slices.Contains(list(r, "apiGroups"), any(group(o))) && slices.Contains(list(r, "resources"), any(plural))
	})
}

func TestAdmissionLetsTheExamplesIn(t *testing.T) {
	t.Parallel()
	s, j, judged := exampleState(t), newJudge(t), 0
	for _, u := range s.units {
		if u.app == "" {
			continue
		}
		for _, o := range u.objects {
			for _, p := range s.all("platform/admission") {
				if p.Kind == "ValidatingAdmissionPolicy" && looksAt(p, o) {
					judged++
					for _, message := range j.denies(t, p, o) {
						t.Errorf("%s: %s: %s: %s", u.name, o, p.Name, message)
					}
				}
			}
		}
	}
	if judged < 30 {
		t.Errorf("only %d times was a policy asked", judged)
	}
}

// Each line of each policy refuses something, and says what.
func TestAdmissionRefuses(t *testing.T) {
	t.Parallel()
	s, j := exampleState(t), newJudge(t)
	policies := s.all("platform/admission")
	cases := []mutation{
		{
			"images-by-digest", "apps/backend/overlays/prod/kustomization.yaml", "digest: sha256:", "newTag: v",
			"images are named by digest (repository@sha256:...): ghcr.io/acme/backend:v0",
		},
		{
			"images-by-digest", backend, "      containers:\n",
			"      initContainers:\n        - {name: first, image: \"busybox:1\"}\n      containers:\n", "busybox:1",
		},
		{"hardened-pods", backend, "allowPrivilegeEscalation: false", "privileged: true", "no container is privileged: backend"},
		{
			"hardened-pods", backend, "enableServiceLinks: false", "hostPID: true",
			"no pod shares the node's network, process or IPC namespace",
		},
		{"hardened-pods", backend, "enableServiceLinks: false", "hostNetwork: true", "no pod shares the node's network"},
		{"hardened-pods", backend, "enableServiceLinks: false", "hostIPC: true", "no pod shares the node's network"},
		{
			"hardened-pods", backend, "enableServiceLinks: false", "volumes: [{name: node, hostPath: {path: /}}]",
			"no pod mounts a path of the node: node",
		},
		{
			"hardened-pods", backend, "{name: http, containerPort: 8080}", "{name: http, containerPort: 8080, hostPort: 80}",
			"no container takes a port of the node",
		},
		{
			"hardened-pods", backend, "capabilities: {drop: [ALL]}", "capabilities: {drop: [ALL], add: [SYS_ADMIN]}",
			"no container adds capabilities",
		},
		{
			"hardened-pods", backend, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true",
			"every container sets securityContext.allowPrivilegeEscalation to false",
		},
		{"non-root", backend, "runAsNonRoot: true", "runAsNonRoot: false", "every container runs as non-root"},
		{"non-root", backend, "runAsUser: 65532", "runAsUser: 0", "nothing runs as user 0"},
		{"resources", backend, "requests: {cpu: 50m, memory: 32Mi}", "requests: {memory: 32Mi}", "every container requests cpu and memory"},
		{
			"resources", backend, "limits: {cpu: 500m, memory: 64Mi}", "limits: {memory: 64Mi}",
			"every container has limits of cpu and memory",
		},
		{"services", "apps/backend/base/service.yaml", "spec:\n", "spec:\n  type: NodePort\n", "no service of type NodePort"},
		{
			"services", "apps/backend/base/service.yaml", "spec:\n", "spec:\n  type: LoadBalancer\n",
			"a service of type LoadBalancer sets allocateLoadBalancerNodePorts to false",
		},
		{
			"services", "apps/backend/base/service.yaml", "spec:\n", "spec:\n  externalIPs: [192.0.2.1]\n",
			"no service claims external addresses",
		},
		{
			"ingresses", "apps/frontend/chart/templates/ingress.yaml", "- host: {{ $host }}\n      http:", "- http:",
			"every rule of an ingress names its host",
		},
		{
			"ingresses", "apps/frontend/chart/templates/ingress.yaml", "hosts: [{{ $host }}]", "hosts: [other.example]",
			"every host of an ingress has TLS",
		},
		{
			"ingresses", "apps/frontend/chart/templates/ingress.yaml", "cert-manager.io/cluster-issuer:",
			"nginx.ingress.kubernetes.io/server-snippet:", "no annotation puts configuration of its own",
		},
	}
	red := make(map[string]bool)
	for _, c := range cases {
		changed := s.files.with(t, c.file, c.old, c.new)
		policy, ok := find(policies, "ValidatingAdmissionPolicy", func(o render.Object) bool { return o.Name == c.rule+".waybill.dev" })
		if !ok {
			t.Fatalf("there is no policy %s", c.rule)
		}
		found := false
		for _, u := range changed.renderChanged(t, s.units, c.file) {
			for _, o := range u.objects {
				if u.app == "" || !looksAt(policy, o) {
					continue
				}
				for i, message := range j.denies(t, policy, o) {
					if strings.Contains(message, c.want) {
						found, red[fmt.Sprint(c.rule, i)] = true, true
					}
				}
			}
		}
		if !found {
			t.Errorf("%s lets %q in %s through, or says something else than %q", c.rule, c.new, c.file, c.want)
		}
	}
	restore := func(namespaces, mapping, cluster string) render.Object {
		return manifest(
			t,
			"apiVersion: velero.io/v1\nkind: Restore\nmetadata: {name: r}\nspec: {"+namespaces+mapping+cluster+"backupName: b}\n",
		)
	}
	restores, _ := find(policies, "ValidatingAdmissionPolicy", func(o render.Object) bool { return o.Name == "restores.waybill.dev" })
	good := restore(
		"includedNamespaces: [production], ", "namespaceMapping: {production: restore-drill}, ", "includeClusterResources: false, ",
	)
	if denied := j.denies(t, restores, good, "waybill:restore-drill"); len(denied) > 0 {
		t.Errorf("the drill may not restore: %v", denied)
	}
	for name, bad := range map[string]render.Object{
		"no namespaces":   restore("", "namespaceMapping: {production: restore-drill}, ", "includeClusterResources: false, "),
		"into production": restore("includedNamespaces: [production], ", "", "includeClusterResources: false, "),
		"elsewhere": restore(
			"includedNamespaces: [production], ", "namespaceMapping: {production: kube-system}, ",
			"includeClusterResources: false, ",
		),
		"one of two elsewhere": restore(
			"includedNamespaces: [production, argocd], ", "namespaceMapping: {production: restore-drill}, ",
			"includeClusterResources: false, ",
		),
		"with the cluster's": restore("includedNamespaces: [production], ", "namespaceMapping: {production: restore-drill}, ", ""),
	} {
		if denied := j.denies(
			t, restores, bad, "waybill:restore-drill",
		); denied[0] != "the restore drill restores into the namespace restore-drill, and nothing of the cluster" {
			t.Errorf("%s: the drill may restore: %v", name, denied)
		}
		if denied := j.denies(t, restores, bad, "system:masters"); len(denied) > 0 {
			t.Errorf("%s: an administrator may not restore: %v", name, denied)
		}
		red["restores0"] = true
	}
	for _, p := range policies {
		if p.Kind != "ValidatingAdmissionPolicy" {
			continue
		}
		for i := range list(p.Content, "spec", "validations") {
			if name := strings.TrimSuffix(p.Name, ".waybill.dev"); !red[fmt.Sprint(name, i)] {
				t.Errorf("nothing shows that validation %d of %s refuses", i, name)
			}
		}
	}
}

func manifest(t *testing.T, content string) render.Object {
	t.Helper()
	renderer := render.New(map[string][]byte{"m.yaml": []byte(content)})
	objects, err := renderer.Manifests("m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return objects[0]
}

// The pod is found in every kind that has one.
func TestAdmissionFindsThePod(t *testing.T) {
	t.Parallel()
	s, j := exampleState(t), newJudge(t)
	digests, _ := find(
		s.all("platform/admission"), "ValidatingAdmissionPolicy",
		func(o render.Object) bool { return o.Name == "images-by-digest.waybill.dev" },
	)
	const containers = "{containers: [{name: c, image: \"nginx:1\"}]}"
	for kind, spec := range map[string]string{
		"v1 Pod":                   containers,
		"v1 ReplicationController": "{template: {spec: " + containers + "}}",
		"apps/v1 Deployment":       "{template: {spec: " + containers + "}}",
		"apps/v1 StatefulSet":      "{template: {spec: " + containers + "}}",
		"apps/v1 DaemonSet":        "{template: {spec: " + containers + "}}",
		"apps/v1 ReplicaSet":       "{template: {spec: " + containers + "}}",
		"batch/v1 Job":             "{template: {spec: " + containers + "}}",
		"batch/v1 CronJob":         "{jobTemplate: {spec: {template: {spec: " + containers + "}}}}",
	} {
		version, name, _ := strings.Cut(kind, " ")
		o := manifest(t, "apiVersion: "+version+"\nkind: "+name+"\nmetadata: {name: x}\nspec: "+spec+"\n")
		if !looksAt(digests, o) {
			t.Errorf("nothing looks at a %s", kind)
		} else if denied := j.denies(t, digests, o); !strings.Contains(denied[0], "nginx:1") {
			t.Errorf("a %s by tag: %v", kind, denied)
		}
	}
}

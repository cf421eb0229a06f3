package checklist_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/checklist"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

// good passes every rule.
const good = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: shop}
spec: {hard: {pods: "10"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      serviceAccountName: api
      containers:
        - name: api
          image: x
          readinessProbe: {httpGet: {path: /ready, port: 80}, periodSeconds: 5}
          livenessProbe: {httpGet: {path: /live, port: 80}}
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: api}}, {secretRef: {name: extra, optional: true}}]
          env: [{name: A, valueFrom: {secretKeyRef: {name: tls, key: a}}}]
      volumes:
        - {name: a, projected: {sources: [{configMap: {name: settings}}]}}
        - {name: b, persistentVolumeClaim: {claimName: disk}}
        - {name: c, secret: {secretName: sealed}}
        - {name: d, configMap: {name: kube-root-ca.crt}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}, minReplicas: 2, maxReplicas: 3}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: api, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchExpressions: [{key: app, operator: In, values: [api]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {selector: {app: api}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: api, namespace: shop}
spec:
  defaultBackend: {service: {name: api, port: {number: 80}}}
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {name: http}}}}]}}]
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: api, namespace: shop}
spec: {selector: {matchLabels: {app: api}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: api, namespace: shop}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk, namespace: shop}}
---
{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: api, namespace: shop}}
---
{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: x, namespace: shop}, spec: {template: {metadata: {name: sealed}}}}
---
{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x, namespace: shop}, spec: {secretName: tls}}
`

// Each rule turns red for its own reason, and for nothing else, when one thing is
// wrong.
func TestRules(t *testing.T) {
	t.Parallel()
	const budget = "\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: api, namespace: shop}\nspec: " +
		"{maxUnavailable: 1, selector: {matchExpressions: [{key: app, operator: In, values: [api]}]}}\n---"
	for what, test := range map[string]struct {
		edit []string // pairs
		want string   // "" is nothing
	}{
		"nothing": {nil, ""},
		"an unknown field": {
			[]string{"spec: {maxUnavailable: 1,", "spec: {maxUnavailabel: 1,"},
			`schema: PodDisruptionBudget shop/api: unknown field "spec.maxUnavailabel"`,
		},
		"a version that goes": {
			[]string{"kind: ConfigMap", "kind: Endpoints"},
			"deprecated: Endpoints shop/settings: v1 is deprecated since Kubernetes 1.33",
		},
		"no readiness": {
			[]string{"readinessProbe", "startupProbe"}, "probes: Deployment shop/api: the container api has no readinessProbe",
		},
		"no liveness": {
			[]string{"livenessProbe", "startupProbe"}, "probes: Deployment shop/api: the container api has no livenessProbe",
		},
		"twice the same": {
			[]string{"/live", "/ready"},
			"probes: Deployment shop/api: the container api has a livenessProbe that asks what its readinessProbe asks",
		},
		"one pod":            {[]string{"minReplicas: 2", "minReplicas: 1"}, "replicas: Deployment shop/api: it runs as one pod"},
		"one pod by default": {[]string{"minReplicas: 2, ", ""}, "replicas: Deployment shop/api: it runs as one pod"},
		"one pod, with a reason": {
			[]string{
				"minReplicas: 2", "minReplicas: 1", "kind: Deployment\nmetadata: {",
				"kind: Deployment\nmetadata: {annotations: {waybill.dev/one-pod: it holds a lock}, ",
			},
			"",
		},
		"an autoscaler of another": {
			[]string{"kind: Deployment, name: api}", "kind: StatefulSet, name: api}"},
			"replicas: Deployment shop/api: it runs as one pod",
		},
		"KEDA": {
			[]string{
				"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler", "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject",
				"minReplicas", "minReplicaCount",
			},
			"",
		},
		"two pods": {
			[]string{
				"minReplicas: 2", "minReplicas: 1", "kind: HorizontalPodAutoscaler", "kind: Other", "autoscaling/v2", "x/v1",
				"spec:\n  selector", "spec:\n  replicas: 2\n  selector",
			},
			"",
		},
		"no budget": {[]string{budget, ""}, "disruption: Deployment shop/api: no PodDisruptionBudget is for its pods"},
		"a budget of others": {
			[]string{"values: [api]", "values: [web]"}, "disruption: Deployment shop/api: no PodDisruptionBudget is for its pods",
		},
		"a budget for nothing": {
			[]string{"values: [api]", "values: [web]"}, "references: PodDisruptionBudget shop/api: its selector matches no pods",
		},
		"no default": {
			[]string{"spec: {podSelector: {}, policyTypes: [Ingress, Egress]}", "spec: {podSelector: {matchLabels: {app: api}}}"},
			"network-policy: Namespace shop: no NetworkPolicy denies by default",
		},
		"a default that lets in": {
			[]string{"policyTypes: [Ingress, Egress]}", "ingress: [{}]}"},
			"network-policy: Namespace shop: no NetworkPolicy denies by default",
		},
		"a default for what goes out": {
			[]string{"policyTypes: [Ingress, Egress]}", "policyTypes: [Egress]}"},
			"network-policy: Namespace shop: no NetworkPolicy denies by default",
		},
		"a default of another": {
			[]string{"{name: deny, namespace: shop}", "{name: deny, namespace: other}"},
			"network-policy: Namespace shop: no NetworkPolicy denies by default",
		},
		"no pod security": {
			[]string{"pod-security.kubernetes.io/enforce: restricted", "a: b"},
			"pod-security: Namespace shop: it has no label pod-security.kubernetes.io/enforce",
		},
		"no quota": {
			[]string{"{name: quota, namespace: shop}", "{name: quota, namespace: other}"},
			"quota: Namespace shop: it has no ResourceQuota",
		},
		"a secret in git": {
			[]string{
				"{apiVersion: v1, kind: ConfigMap,",
				"{apiVersion: v1, kind: Secret, stringData: {a: hush}, metadata: {name: s, namespace: shop}}\n---\n{apiVersion: v1, " +
					"kind: ConfigMap,",
			},
			"secret-data: Secret shop/s: its values are in git",
		},
		"a secret that SOPS encrypted": {
			[]string{
				"{apiVersion: v1, kind: ConfigMap,",
				"{apiVersion: v1, kind: Secret, data: {a: aHVzaA==}, sops: {}, metadata: {name: s, namespace: " +
					"shop}}\n---\n{apiVersion: v1, kind: ConfigMap,",
			},
			"",
		},
		"no settings": {
			[]string{"metadata: {name: settings,", "metadata: {name: other,"},
			"references: Deployment shop/api: it uses the ConfigMap settings, which is not rendered with it",
		},
		"settings of another": {
			[]string{"metadata: {name: settings, namespace: shop}", "metadata: {name: settings, namespace: other}"},
			"references: Deployment shop/api: it uses the ConfigMap settings",
		},
		"no secret": {
			[]string{
				"kind: ExternalSecret, metadata: {name: api",
				"kind: ExternalSecret, spec: {target: {name: web}}, metadata: {name: api",
			},
			"references: Deployment shop/api: it uses the Secret api, which is not rendered with it",
		},
		"no certificate": {
			[]string{"secretName: tls", "secretName: other"}, "references: Deployment shop/api: it uses the Secret tls",
		},
		"no sealed secret": {
			[]string{"metadata: {name: sealed}", "metadata: {name: other}"},
			"references: Deployment shop/api: it uses the Secret sealed",
		},
		"no disk": {
			[]string{"kind: PersistentVolumeClaim, metadata: {name: disk", "kind: PersistentVolumeClaim, metadata: {name: other"},
			"references: Deployment shop/api: it uses the PersistentVolumeClaim disk",
		},
		"no account": {
			[]string{"kind: ServiceAccount, metadata: {name: api", "kind: ServiceAccount, metadata: {name: other"},
			"references: Deployment shop/api: it uses the ServiceAccount api",
		},
		"the account that is there": {[]string{"serviceAccountName: api", "serviceAccountName: default"}, ""},
		"an autoscaler of nothing": {
			[]string{"kind: Deployment, name: api}", "kind: Deployment, name: web}"},
			"references: HorizontalPodAutoscaler shop/api: it scales the Deployment web, which is not rendered with it",
		},
		"a service of nothing": {
			[]string{"selector: {app: api}, ports", "selector: {app: web}, ports"},
			"references: Service shop/api: its selector matches no pods",
		},
		"an ingress to nothing": {
			[]string{"service: {name: api, port: {name", "service: {name: web, port: {name"},
			"references: Ingress shop/api: it leads to the Service web, which is not rendered with it",
		},
		"an ingress to another port": {
			[]string{"port: {name: http}", "port: {name: grpc}"},
			"references: Ingress shop/api: it leads to a port that the Service api does not have",
		},
		"a default to another port": {
			[]string{"port: {number: 80}", "port: {number: 81}"},
			"references: Ingress shop/api: it leads to a port that the Service api does not have",
		},
		"a monitor of nothing": {
			[]string{"spec: {selector: {matchLabels: {app: api}}}", "spec: {selector: {matchLabels: {app: web}}}"},
			"references: ServiceMonitor shop/api: its selector matches no Service",
		},
		"a monitor of other places": {
			[]string{
				"spec: {selector: {matchLabels: {app: api}}}",
				"spec: {namespaceSelector: {any: true}, selector: {matchLabels: {app: web}}}",
			},
			"",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			text := good
			for i := 0; i < len(test.edit); i += 2 {
				if !strings.Contains(text, test.edit[i]) {
					t.Fatalf("there is no %q", test.edit[i])
				}
				text = strings.Replace(text, test.edit[i], test.edit[i+1], 1)
			}
			got := strings.Join(found(t, text), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || strings.Contains(got, "hush") {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func found(t *testing.T, text string) (list []string) {
	t.Helper()
	objects, err := render.New(map[string][]byte{"x.yaml": []byte(text)}).Manifests("x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set := checklist.New(objects, schema.New(nil), 34)
	for _, r := range checklist.Rules() {
		for _, p := range r.New(nil, set) {
			list = append(list, r.ID+": "+p.Object.String()+": "+p.Message)
		}
	}
	return list
}

// waybill.yaml has a level for each rule, and for nothing else.
func TestRulesHaveLevels(t *testing.T) {
	t.Parallel()
	ids := []string{"versions"} // of which check judges all environments together
	for _, r := range checklist.Rules() {
		ids = append(ids, r.ID)
		if r.Why == "" || r.Fix == "" {
			t.Errorf("%s does not say why, or what to do", r.ID)
		}
	}
	var document struct {
		Properties struct {
			Manifests struct {
				Properties struct {
					Rules struct {
						Properties map[string]struct{ Default string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(config.Schema, &document); err != nil {
		t.Fatal(err)
	}
	levels := make(map[string]string)
	for id, p := range document.Properties.Manifests.Properties.Rules.Properties {
		levels[id] = p.Default
	}
	if diff := cmp.Diff(config.ManifestRules, levels); diff != "" {
		t.Errorf("the schema of waybill.yaml: %s", diff)
	}
	slices.Sort(ids)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(levels)), ids); diff != "" {
		t.Error(diff)
	}
}

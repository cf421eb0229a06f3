package examples_test

// mutation is one thing wrong, and what its rule says of it.
type mutation struct{ rule, file, old, new, want string }

const (
	backend  = "apps/backend/base/deployment.yaml"
	frontend = "apps/frontend/chart/templates/deployment.yaml"
)

var mutations = []mutation{
	{
		"images by digest", "apps/backend/overlays/prod/kustomization.yaml", "digest: sha256:", "newTag: v",
		"container backend is not named by digest: ghcr.io/acme/backend:v0",
	},
	{"images by digest", frontend, "@{{ required", ":{{ required", "container frontend is not named by digest"},
	{
		"requests and limits", backend, "limits: {cpu: 500m, memory: 64Mi}", "limits: {cpu: 500m}",
		"container backend has no limits of memory",
	},
	{
		"requests and limits", backend, "requests: {cpu: 50m, memory: 32Mi}", "requests: {memory: 32Mi}",
		"container backend has no requests of cpu",
	},
	{"probes", backend, "readinessProbe:", "lifecycleProbe:", "container backend has no readinessProbe"},
	{"probes", frontend, "livenessProbe:", "deathProbe:", "container frontend has no livenessProbe"},
	{"non-root", backend, "runAsNonRoot: true", "runAsNonRoot: false", "container backend may run as root"},
	{"hardened containers", backend, "allowPrivilegeEscalation: false", "privileged: true", "container backend is privileged"},
	{"hardened containers", backend, "allowPrivilegeEscalation: false", "runAsGroup: 1", "container backend may gain privileges"},
	{
		"hardened containers", frontend, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false",
		"container frontend may write to its image",
	},
	{"hardened containers", backend, "drop: [ALL]", "drop: [NET_RAW]", "container backend keeps capabilities"},
	{"hardened containers", frontend, "type: RuntimeDefault", "type: Unconfined", "container frontend has no seccomp profile"},
	{"nothing of the node", backend, "enableServiceLinks: false", "hostNetwork: true", "shares hostNetwork"},
	{
		"nothing of the node", backend, "enableServiceLinks: false", "volumes: [{name: node, hostPath: {path: /}}]",
		"mounts a path of the node: node",
	},
	{
		"no token that is not used", backend, "automountServiceAccountToken: false", "automountServiceAccountToken: true",
		"mounts a token of the API server",
	},
	{"no NodePort", "apps/backend/base/service.yaml", "spec:\n", "spec:\n  type: NodePort\n", "is of type NodePort"},
	{
		"no NodePort", "platform/ingress/values.yaml", "allocateLoadBalancerNodePorts: false",
		"allocateLoadBalancerNodePorts: true", "a load balancer that takes a port of every node",
	},
	{"ingress with TLS", "apps/frontend/chart/templates/ingress.yaml", "hosts: [{{ $host }}]", "hosts: [other.example]", `has no TLS`},
	{
		"ingress with TLS", "apps/frontend/chart/templates/ingress.yaml", "cert-manager.io/cluster-issuer",
		"cert-manager.io/issuer", "nobody issues its certificate",
	},

	{"autoscaling", "apps/backend/base/kustomization.yaml", "  - autoscaler.yaml\n", "", "has no HorizontalPodAutoscaler"},
	{"autoscaling", "apps/backend/base/autoscaler.yaml", "minReplicas: 3", "minReplicas: 1", "has a single pod at times"},
	{"autoscaling", "apps/backend/base/autoscaler.yaml", "maxReplicas: 10", "maxReplicas: 3", "cannot grow"},
	{"autoscaling", backend, "spec:\n", "spec:\n  replicas: 3\n", "as does its autoscaler"},
	{
		"disruption budget", "apps/backend/base/disruption.yaml", "matchLabels: {app.kubernetes.io/name: backend}",
		"matchLabels: {app.kubernetes.io/name: other}", "has no PodDisruptionBudget",
	},
	{"its own network policy", "apps/backend/base/kustomization.yaml", "  - networkpolicy.yaml\n", "", "has no NetworkPolicy"},
	{
		"its own network policy", "apps/frontend/chart/templates/networkpolicy.yaml",
		"      ports: [{port: http, protocol: TCP}]\n", "", "lets everybody in, or to every port",
	},
	{
		"its own service account", backend, "serviceAccountName: backend", "serviceAccountName: default",
		`runs as the service account "default"`,
	},
	{
		"secrets are read, hourly", "apps/backend/base/externalsecret.yaml", "refreshInterval: 1h", "refreshInterval: 24h",
		"is not read every hour",
	},
	{
		"secrets are read, hourly", "apps/backend/base/externalsecret.yaml", "name: aws-secrets-manager", "name: vault",
		"asks a store that is not there",
	},
	{
		"secrets are read, hourly", "apps/backend/overlays/dev/kustomization.yaml", "acme-dev/backend", "acme-prod/backend",
		"asks for acme-prod/backend, which dev's cluster may not read",
	},
	{
		"quota and limits", "namespaces/node-agents/kustomization.yaml", `value: "2000"`, `value: "60"`,
		"a big cluster's nodes have no agents",
	},
	{
		"a new value of a secret reaches running pods", backend, "reload: backend", "reload: backend-tls",
		"is not started anew when backend has changed",
	},
	{
		"secrets that charts name are made", "platform/observability/secrets.yaml", "name: grafana-admin\nspec", "name: grafana\nspec",
		"platform/monitoring/values.yaml names the secret monitoring/grafana-admin, which nothing makes",
	},
	{
		"no secret in git", "apps/backend/base/service.yaml", "apiVersion: v1",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n---\napiVersion: v1",
		"is a Secret in git (1 values)",
	},
	{
		"no secret in git", "platform/monitoring/values.yaml", "fullnameOverride: monitoring\n",
		"fullnameOverride: monitoring\nadminPassword: hunter2\n", "adminPassword has a value",
	},
	{"no secret in git", "clusters/dev/values/loki.yaml", "loki:", "# AKIA" + "ABCDEFGHIJKLMNOP\nloki:", "looks like a credential: AKIA"},

	{
		"pod security labels", "namespaces/production/namespace.yaml", "enforce: restricted", "enforce: baseline",
		`prod: production: pod security is "baseline" (enforce)`,
	},
	{
		"pod security labels", "namespaces/monitoring/namespace.yaml", "enforce: restricted", "enforce: privileged",
		`monitoring: pod security is "privileged" (enforce)`,
	},
	{
		"default-deny network policy", "namespaces/components/baseline/default-deny.yaml", "policyTypes: [Ingress, Egress]",
		"policyTypes: [Ingress]", "dev: shop: no network policy denies by default",
	},
	{
		"default-deny network policy", "namespaces/staging/kustomization.yaml", "  - ../components/baseline\n", "",
		"staging: staging: no network policy denies by default",
	},
	{
		"explicit allows", "namespaces/components/application/ingress.yaml", "ingress}\n          podSelector",
		"ingress-other}\n          podSelector", "shop: ingress is not let in",
	},
	{
		"explicit allows", "namespaces/production/kustomization.yaml", "  - ../components/scraping\n", "",
		"production: monitoring is not let in",
	},
	{
		"names can be resolved", "namespaces/components/baseline/dns.yaml", "port: 53, protocol: UDP}\n        - {port: 53,",
		"port: 54, protocol: UDP}\n        - {port: 54,", "DNS is not let out",
	},
	{
		"quota and limits", "namespaces/production/quota.yaml", "    requests.cpu: \"16\"\n", "",
		"prod: production: no quota of requests.cpu",
	},
	{
		"quota and limits", "namespaces/components/platform-quota/quota.yaml", `services.nodeports: "0"`, `services.nodeports: "5"`,
		"the quota leaves ports of the nodes",
	},
	{"quota and limits", "namespaces/components/baseline/limits.yaml", "kind: LimitRange", "kind: LimitRanges", "no default limits"},
	{
		"developers write outside prod only", "namespaces/production/kustomization.yaml", "developers-read", "developers-write",
		"developers have [edit] in prod",
	},
	{
		"developers write outside prod only", "namespaces/shop/kustomization.yaml", "developers-write", "developers-read",
		"developers have [view] outside prod",
	},
	{
		"developers write outside prod only", "namespaces/argocd/kustomization.yaml", "components:\n",
		"components:\n  - ../components/developers-write\n", "developers have [edit] in a namespace of the platform",
	},
	{
		"break-glass is separate", "namespaces/components/developers-read/rbac.yaml", "name: waybill:break-glass",
		"name: waybill:shop", "break-glass has []",
	},
	{
		"break-glass is separate", "namespaces/components/baseline/read-only.yaml", "name: waybill:read-only",
		"name: system:authenticated", `is given to "system:authenticated"`,
	},

	{
		"charts at exact versions", "clusters/base/platform/loki.yaml", "targetRevision: 18.11.0", "targetRevision: 18.*",
		`chart loki at "18.*"`,
	},
	{"charts at exact versions", "clusters/base/apps/backend.yaml", "targetRevision: main", "targetRevision: HEAD", `at "HEAD"`},
	{
		"misspelt fields are errors", "clusters/base/apps/backend.yaml", "ServerSideApply=true", "ServerSideApply=false",
		"is not applied by the server",
	},
	{"misspelt fields are errors", "clusters/base/apps/frontend.yaml", "refresh: true", "refresh: false", "retries what was refused"},
	{
		"prod is synced by a person", "clusters/prod/root.yaml", "  syncPolicy:\n",
		"  syncPolicy:\n    automated: {selfHeal: true}\n", "syncs by itself in prod",
	},
	{"prod is synced by a person", "clusters/dev/kustomization.yaml", "selfHeal: true", "selfHeal: false", "does not follow git in dev"},
	{
		"prod is synced by a person", "clusters/staging/kustomization.yaml", "prune: false", "prune: true",
		"does not heal itself in staging, or deletes",
	},
	{
		"projects are closed", "clusters/base/projects.yaml", "sourceRepos: [https://github.com/acme/config]", `sourceRepos: ["*"]`,
		"everything is allowed: sourceRepos",
	},
	{
		"projects are closed", "clusters/base/projects.yaml", "{group: policies.kyverno.io, kind: ImageValidatingPolicy}",
		`{group: "*", kind: ImageValidatingPolicy}`, "everything is allowed: group",
	},
	{
		"projects are closed", "clusters/base/projects.yaml", "clusterResourceWhitelist: []",
		"clusterResourceWhitelist: [{group: rbac.authorization.k8s.io, kind: ClusterRole}]", "applications may change the cluster",
	},
	{
		"projects are closed", "clusters/base/projects.yaml", "sourceRepos: []", "sourceRepos: [https://github.com/acme/config]",
		"the project default is open",
	},
	{
		"projects allow what their applications hold", "clusters/base/projects.yaml",
		"    - {group: policy, kind: PodDisruptionBudget}\n", "", "the project applications has no PodDisruptionBudget",
	},
	{
		"projects allow what their applications hold", "clusters/base/projects.yaml",
		"    - https://grafana-community.github.io/helm-charts\n", "",
		"the project platform takes nothing from https://grafana-community",
	},
	{
		"projects allow what their applications hold", "clusters/base/projects.yaml",
		"    - {server: https://kubernetes.default.svc, namespace: restore-drill}\n", "",
		"the project tenancy does not reach restore-drill",
	},
	{
		"projects allow what their applications hold", "clusters/base/apps/backend.yaml", "project: applications",
		"project: others", "there is no project others",
	},
	{
		"what is referred to is there", "clusters/base/platform/signatures.yaml", "path: platform/signatures",
		"path: platform/signature", "there is nothing at platform/signature",
	},
	{
		"what is referred to is there", "clusters/base/platform/tempo.yaml", "$values/platform/tempo/values.yaml",
		"$values/platform/tempo/value.yaml", "there is no file platform/tempo/value.yaml",
	},
	{
		"what is referred to is there", "clusters/base/platform/velero.yaml", "namespace: velero", "namespace: backups",
		"nobody makes the namespace backups",
	},
	{"waves in order", "clusters/base/apps/backend.yaml", `sync-wave: "10"`, `sync-wave: "-10"`, "comes before the platform is there"},
	{"waves in order", "clusters/base/platform/namespaces.yaml", `sync-wave: "-30"`, `sync-wave: "-25"`, "comes before the namespaces"},
	{"waves in order", "clusters/base/platform/namespaces.yaml", `sync-wave: "-30"`, `sync-wave: "-50"`, "comes before its project"},

	{
		"admission policies hold everywhere", "platform/admission/bindings.yaml", "validationActions: [Deny]",
		"validationActions: [Warn]", "does not refuse",
	},
	{
		"admission policies hold everywhere", "platform/admission/bindings.yaml", "values: [kube-system,",
		"values: [production, kube-system,", "leaves out production, which is not the platform's",
	},
	{
		"admission policies hold everywhere", "platform/admission/bindings.yaml", "key: kubernetes.io/metadata.name",
		"key: waybill.dev/tier", "does not hold wherever it is not left out by name",
	},
	{
		"admission policies hold everywhere", "platform/admission/bindings.yaml", "policyName: non-root.waybill.dev",
		"policyName: resources.waybill.dev", "is bound to nothing",
	},
	{
		"admission policies hold everywhere", "platform/admission/services.yaml", "failurePolicy: Fail", "failurePolicy: Ignore",
		"lets through what it cannot judge",
	},
	{
		"signer as in waybill.yaml", "platform/signatures/waybill.yaml", "subject: https://github.com/acme/config/",
		"subject: https://github.com/acme/other/", "trusts https://github.com/acme/other/",
	},
	{
		"signer as in waybill.yaml", "waybill.yaml", "deliver.yml@refs/heads/main", "deliver.yml@refs/heads/next",
		"waybill.yaml acme/config/.github/workflows/deliver.yml@refs/heads/next",
	},
	{
		"signer as in waybill.yaml", "platform/signatures/waybill.yaml", "  validationActions:\n  - Deny\n",
		"  validationActions:\n  - Audit\n", "does not refuse",
	},
	{
		"what comes in is measured", "platform/observability/ingress.yaml", "record: ingress:requests:rate5m", "record: ingress:rate5m",
		"clusters/dev/observability: alert ErrorRateHigh: nothing records ingress:requests:rate5m",
	},
	{"alerts", "platform/observability/alerts-nodes.yaml", "[5m]))) > 70", "[5m]))) > 90", "NodeCPUAbove70Percent is not at 70 %"},
	{
		"alerts", "platform/observability/alerts-nodes.yaml", "alert: VolumeAbove70Percent", "alert: VolumeAbove",
		"VolumeAbove70Percent is not at 70 %",
	},
	{
		"alerts", "platform/observability/alerts-delivery.yaml", "alert: RolloutFailed", "alert: RolloutFail",
		"RolloutFailed says nothing of delivery",
	},
	{
		"alerts", "platform/observability/alerts-delivery.yaml", "docs/runbooks/rollback.md", "docs/runbooks/roll-back.md",
		`no runbook at "docs/runbooks/roll-back.md"`,
	},
	{
		"dashboards", "platform/observability/dashboards/delivery.json", `"uid": "waybill-delivery"`, `"uid": "delivery"`,
		"there is no dashboard waybill-delivery",
	},
	{"dashboards", "platform/observability/dashboards/applications.json", `"targets": [`, `"target": [`, "shows nothing"},
	{
		"dashboards", "platform/observability/dashboards/applications.json", `"panels": [`, `"panels": `,
		"applications.json: invalid character",
	},
	{"backups", "platform/backups/schedules.yaml", "30 */6 * * *", "30 6 * * *", "prod: production is not backed up every six hours"},
	{"backups", "platform/backups/schedules.yaml", "0 2 * * *", "0 2 * * 0", "dev is not backed up whole each day"},
	{
		"a commit is seen in time", "platform/argocd/values.yaml", "timeout.reconciliation: 30s", "timeout.reconciliation: 120s",
		"a commit is seen after up to 4m10s",
	},
	{
		"a commit is seen in time", "platform/argocd/values.yaml", "reconciliation.jitter: 10s", "reconciliation.jitter: 60s",
		"a commit is seen after up to 2m0s",
	},
	{
		"documentation names the versions", "clusters/base/platform/loki.yaml", "18.11.0", "18.12.0",
		"no README.md of platform has loki 18.12.0",
	},
	{
		"documentation names the versions", "docs/bootstrap.md", "--version 10.1.1", "--version 10.0.0",
		"docs/bootstrap.md installs another version of argo-cd",
	},
	{"encrypted volumes", "platform/storage/gp3.yaml", `encrypted: "true"`, `encrypted: "false"`, "is not encrypted"},
	{
		"encrypted volumes", "platform/storage/gp3.yaml", `is-default-class: "true"`, `is-default-class: "false"`,
		"0 storage classes are the default",
	},

	{
		"private images can be pulled", "apps/backend/base/serviceaccount.yaml", "imagePullSecrets", "pullSecrets",
		"without a login",
	},
	{
		"private images can be pulled", "apps/frontend/chart/templates/serviceaccount.yaml", "name: registry-pull", "name: pull",
		"secret pull: nothing makes it in shop",
	},
	{
		"private images can be pulled", "platform/secret-store/registry.yaml", "kubernetes.io/dockerconfigjson", "Opaque",
		`is of type "Opaque", which no kubelet reads`,
	},
	{
		"private images can be pulled", "platform/secret-store/registry.yaml", "ghcr.io/acme", "ghcr.io/other", "it is for other images",
	},
	{
		"private images can be pulled", "platform/secret-store/registry.yaml", ".password | b64enc", ".token | b64enc",
		"it does not have .password",
	},
	{
		"private images can be pulled", "platform/secret-store/registry.yaml", "matchLabels: {waybill.dev/tier: application}",
		"matchLabels: {waybill.dev/tier: other}", "it is not made in shop",
	},
	{
		"private images can be pulled", "platform/secret-store/registry.yaml", "metadata.name: kyverno}", "metadata.name: other}",
		"dev: kyverno: cannot pull ghcr.io/acme/backend@sha256:: secret registry-pull: it is not made in kyverno",
	},
	{
		"private images can be pulled", "platform/secret-store/store.yaml", "[kyverno, monitoring]", "[monitoring]",
		"the store does not answer kyverno",
	},
	{
		"private images can be pulled", "clusters/staging/secret-store/kustomization.yaml", "acme-staging/registry", "acme-prod/registry",
		"it is read from acme-prod/registry, which staging's cluster may not read",
	},
	{
		"private images can be pulled", "platform/kyverno/values.yaml", "existingImagePullSecrets", "imagePullSecret",
		"prod: kyverno: pulls ghcr.io/acme/backend@sha256: without a login",
	},
	{
		"private images can be pulled", "docs/secrets.md", "`acme-ENV/registry` |", "`acme-ENV/other` |",
		"docs/secrets.md does not say to make acme-dev/registry",
	},

	{
		"external-dns serves the zones of its cluster", "clusters/dev/values/external-dns.yaml",
		"extraArgs: {zone-id-filter: [Z0000000000PUBLIC, Z000000000PRIVATE]}", "logLevel: info",
		"dev: external-dns filters by no id",
	},
	{
		"external-dns serves the zones of its cluster", "clusters/dev/values/external-dns.yaml", ", Z000000000PRIVATE]", "]",
		"dev: external-dns has the ids of 1 zones, and 2 domains",
	},
	{
		"external-dns serves the zones of its cluster", "clusters/staging/values/external-dns.yaml", "Z000000000PRIVATE", `""`,
		`staging: "" is no whole id of a zone`,
	},
	{
		"external-dns serves the zones of its cluster", "clusters/staging/values/external-dns.yaml",
		"Z000000000PRIVATE", "Z0000000000PUBLIC", "staging: the zone Z0000000000PUBLIC twice",
	},
	{
		"external-dns serves the zones of its cluster", "clusters/prod/values/external-dns.yaml",
		"excludeDomains: [dev.acme.example, ", "excludeDomains: [", "prod writes names of dev.acme.example, which are dev's",
	},
	{
		"external-dns serves the zones of its cluster", "clusters/dev/values/external-dns.yaml",
		"dev.acme.internal", "prod.acme.internal", "dev writes names of prod.acme.internal, which are prod's",
	},
}

package starter

// instead is what stands outside of AWS for what the example says.
type instead struct {
	file     string // where: a path of the example, or a pattern of path.Match
	old, new string // new may name groups of old
}

const (
	objectStoreLogin = "extraEnvFrom: [{secretRef: {name: object-store}}]"
	nameServer       = `rfc2136: {nameserver: "ns1.acme.example:53", tsigKeyName: acme, tsigAlgorithm: HMACSHA256, ` +
		`tsigSecretSecretRef: {name: dns, key: tsig}}`
)

// elsewhere are the places where another service is named. A place that is not
// there any more is an error: the example has changed.
var elsewhere = []instead{
	{"platform/certificates/issuers.yaml", `route53: \{region: eu-central-1\}`, nameServer},
	{"platform/cert-manager/values.yaml", `172\.20\.0\.10`, "10.96.0.10"},
	{"clusters/base/platform/certificates.yaml", `DNS-01 in Route 53`, "DNS-01 at a name server of your own"},
	{"clusters/base/platform/external-dns.yaml", `Names in Route 53`, "Names at a name server of your own"},
	{"clusters/*/values/external-dns.yaml", `domainFilters: \[(.*)\]`, "domainFilters: [$1]\nextraArgs: [--rfc2136-zone=$1]"},
	{"clusters/*/values/velero.yaml", `region: eu-central-1`, `region: local, s3Url: "https://s3.acme.example", s3ForcePathStyle: "true"`},
	{"clusters/*/values/loki.yaml", `region: eu-central-1`, "region: local, endpoint: s3.acme.example, s3ForcePathStyle: true"},
	{
		"clusters/*/values/tempo.yaml", `s3\.eu-central-1\.amazonaws\.com, region: eu-central-1`,
		"s3.acme.example, region: local, forcepathstyle: true",
	},
	{"clusters/*/values/*.yaml", `-111122223333-`, "-"},
	{"platform/velero/values.yaml", `useSecret: false`, "useSecret: true, existingSecret: object-store"},
	{"platform/loki/values.yaml", `\nsingleBinary:\n`, "$0  " + objectStoreLogin + "\n"},
	{"platform/tempo/values.yaml", `\ntempo:\n`, "$0  " + objectStoreLogin + "\n"},
	{"clusters/base/platform/secret-store.yaml", `path: platform/secret-store`, "path: clusters/CLUSTER/secret-store"},
	{
		"clusters/base/kustomization.yaml", `(?m)^(.*kind: Application, name: )observability(\}.*)\n`,
		"${0}${1}secret-store${2}\n",
	},
	{"namespaces/*/kustomization.yaml", `components/aws\b`, "components/outside"},
	{"docs/runbooks/*.md", `aws eks update-kubeconfig --name ("acme-\$ENV") --region eu-central-1`, "kubectl config use-context $1"},
	{"clusters/README.md", `, Karpenter, the load balancer controller`, ""},
	{"clusters/README.md", `, node pools`, ""},
	{"clusters/README.md", `## Try it without AWS`, "## Try it on your machine"},
	{"platform/README.md", `(issuers by DNS-01|names) in Route 53`, "$1 at a name server of your own"},
	{"platform/README.md", `, such as Karpenter's\. The others`, ". The others"},
	{"docs/runbooks/README.md", `an IAM role of its own`, "a group of its own"},
	{"docs/runbooks/README.md", `Taking it is seen: an alarm tells the team, and the`, "The"},
	{"docs/runbooks/api-outage.md", `\| no connection, from anywhere \|.*\n`, noConnection},
	{"docs/runbooks/api-outage.md", `(?s)## 1\. The way to it\n.*?\n## 3\.`, ownControlPlane},
	{"docs/runbooks/control-plane-restore.md", `(?s)On EKS nobody but AWS.*?What \*\*you\*\*`, ownBackups},
	{"docs/runbooks/control-plane-restore.md", `CSI snapshots of EBS`, "CSI snapshots"},
	{"docs/runbooks/control-plane-restore.md", `RDS: point-in-time recovery, not here`, "its own backups, not here"},
	{
		"docs/runbooks/control-plane-restore.md", `\| AWS; if the cluster is gone,`,
		"| a snapshot of etcd, by whoever runs it; if the cluster is gone,",
	},
	{"docs/runbooks/control-plane-restore.md", "(?s)The audit log keeps a year:\n\n```sh\n.*?```", "The API server's audit log says."},
	{
		"docs/runbooks/control-plane-restore.md", `EKS goes forward only, one minor`,
		"Kubernetes goes forward only, one minor",
	},
	{"docs/runbooks/full-rebuild.md", `the infrastructure repository \(Terraform\), this`, "this"},
	{
		"docs/runbooks/full-rebuild.md", `the backups in S3 \(locked, and copied to another region\), the secrets in Secrets Manager`,
		"the backups in the object store, the secrets in Vault",
	},
	{"docs/runbooks/full-rebuild.md", `\| 2\. Terraform \| 25 min \|`, "| 2. the cluster | unknown: measure it |"},
	{
		"docs/runbooks/full-rebuild.md", "take its node roles' rights first \\(`aws .*?`\\)",
		"take its credentials for Vault, the object store and the name server first",
	},
	{"docs/runbooks/full-rebuild.md", `(?s)## 2\. The cluster\n.*?\n## 3\.`, "## 2. The cluster\n\nMake it again as it was made.\n\n## 3."},
	{"docs/runbooks/full-rebuild.md", `aws-load-balancer-controller cert-manager`, "cert-manager"},
	{
		"docs/runbooks/full-rebuild.md", `kyverno karpenter secret-store certificates signatures nodes`,
		"kyverno secret-store certificates signatures",
	},
	{"docs/runbooks/full-rebuild.md", `RDS point-in-time recovery, .*`, "by its own backups."},
	{
		"docs/runbooks/full-rebuild.md", "`\\.github/workflows/restore-drill\\.yml` restores",
		"`NAMESPACE=production platform/backups/restore-drill.sh` restores",
	},
	{"docs/runbooks/certificate-expiry.md", "\\| `AccessDenied` … `ChangeResourceRecordSets` \\|.*", refusedByServer},
	{"docs/runbooks/certificate-expiry.md", `EKS's own \(AWS\)`, "the control plane's own (whoever runs it)"},
	{"docs/runbooks/node-replacement.md", `ip-10-20-1-2\.eu-central-1\.compute\.internal`, "node-1"},
	{"docs/runbooks/node-replacement.md", `karpenter\.sh/nodepool,`, ""},
	{"docs/runbooks/node-replacement.md", "(?s)Karpenter's node \\(.*?```sh\n.*?```", ownMachine},
	{"docs/runbooks/node-replacement.md", "The pool's `limits` .*?\\(Terraform\\), the", "More nodes? The"},
	{"docs/runbooks/node-replacement.md", ` EBS lets it grow once in six hours\.`, ""},
}

// withoutNodes are the places that list Karpenter's namespace among others.
var withoutNodes = []instead{{"platform/*/*.yaml", `\bkarpenter, ?`, ""}}

// withLonghorn are the places where Longhorn stands for Karpenter: both are what the
// machines need of the platform, under a name that rules leave out.
var withLonghorn = []instead{
	{"platform/*/*.yaml", `\bkarpenter,`, "longhorn-system,"},
	{"platform/admission/bindings.yaml", `kube-public, node-agents\]`, "kube-public, node-agents, longhorn-system]"},
	{"clusters/*/namespaces/kustomization.yaml", `namespaces/karpenter`, "namespaces/longhorn-system"},
	{"clusters/base/projects.yaml", `namespace: karpenter\}`, "namespace: longhorn-system}"},
	{"clusters/base/projects.yaml", `https://aws\.github\.io/eks-charts`, "https://charts.longhorn.io"},
	{"clusters/base/kustomization.yaml", `platform/karpenter\.yaml`, "platform/longhorn.yaml"},
	{"clusters/base/kustomization.yaml", `name: karpenter\}`, "name: longhorn}"},
	{
		"platform/README.md", `(?m)^\| .karpenter., .nodes. .*$`,
		"| `longhorn` | storage on the machines' own disks | longhorn 1.12.0 | not found in public |",
	},
}

// onMachines are the places of the files for any cluster that machines of one's own
// change.
var onMachines = []instead{
	{"platform/secret-store/kustomization.yaml", `credentials\.yaml\n`, "$0  - longhorn.yaml\n"},
	{"platform/secret-store/store.yaml", `external-dns, monitoring`, "external-dns, longhorn-system, monitoring"},
	{
		"clusters/*/secret-store/kustomization.yaml", `(?s)(  - target: \{kind: ExternalSecret, name: )dns(\}.*)/dns\}\n`,
		"${0}${1}longhorn-crypto${2}/longhorn}\n",
	},
	{
		"docs/bootstrap.md", `(?s)Argo CD fills a cluster from this repository\.`,
		"[Three machines become a cluster](../cluster/README.md); Argo CD fills it from this repository.",
	},
	{
		"docs/bootstrap.md",
		"(?m)^\\| (?:storage class|class of volume snapshots|network plugin|load balancer|two nodes|metrics-server) .*\\n", "",
	},
	{"docs/bootstrap.md", "`-tempo`, `-backup`", "`-tempo`, `-backup`, `-longhorn`, `-etcd`"},
	{
		"docs/bootstrap.md", "(?m)^\\| `acme-ENV/dns` .*\\n",
		"${0}| `acme-ENV/longhorn` | `key`: of the encrypted volumes, " +
			"at least 32 random characters |\n",
	},
	{
		"docs/runbooks/full-rebuild.md", `Make it again as it was made\.`,
		"[Three machines](../../cluster/README.md), with the certificates and the key of encryption that " +
			"were kept.",
	},
	{
		"docs/runbooks/node-replacement.md", `Then end the machine, and let another one join:`,
		"A control plane: [etcd-member](etcd-member.md). " +
			"A worker: end the machine, and let another one join:",
	},
}

const (
	noConnection = "| no connection, from anywhere | the way to it: VPN, firewall, the load balancer of the API | 1 |\n" +
		"| connections are refused on every control plane | the control plane | 2 |\n"
	ownControlPlane = "## 1. The way to it\n\nTry from a control plane: `curl -k https://localhost:6443/livez`. If that answers, the way " +
		"is what is broken.\n\n## 2. The control plane\n\nWhoever runs the control plane repairs it. Until then change no node. " +
		"Nodes that cannot reach it keep their pods.\n\n## 3."
	ownBackups      = "Whoever runs the control plane backs up etcd. What **you**"
	refusedByServer = "| `NOTAUTH`, `REFUSED` | the key of the name server: the secret `dns`, and what the server allows it |"
	ownMachine      = "Then end the machine, and let another one join:\n\n```sh\nkubectl delete node \"$$NODE\"\n```"
)

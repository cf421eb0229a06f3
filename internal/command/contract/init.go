package contract

var initialize = Command{
	Name:  "init",
	Short: "Write what an application, config or infrastructure repository starts from",
	Long: "Writes the files that a repository starts from: those of Waybill's own examples, with your names. Files that exist and " +
		"differ are left alone and named, unless {force} is given. " +
		"On a terminal it asks for what no flag says, and shows what it takes otherwise; in CI it asks nothing. For an application " +
		"it reads the Dockerfile, go.mod, package.json, requirements.txt or pyproject.toml, and writes a workflow that fits them; " +
		"it executes nothing. What it has written passes `waybill check`, actionlint and `terraform validate` as it stands: no " +
		"image is deployed before one was delivered.",
	Example: "waybill init config --owner acme --environments dev,staging,prod",
	Inputs: []Input{
		{
			Name: "kind", Type: Choice, Values: []string{"app", "config", "infra"}, Required: true, Positional: true,
			Placeholder: "app|config|infra", Doc: "Kind of repository to set up.",
		},
		{Name: "dir", Type: String, Default: ".", Placeholder: "PATH", Doc: "Root of the repository."},
		{
			Name: "owner", Type: String, Placeholder: "OWNER",
			Doc: "Organisation or user on GitHub. Empty means the owner of the config repository, or else of the git remote `origin`.",
		},
		{
			Name: "config_repo", Type: String, Placeholder: "OWNER/NAME",
			Doc: "The config repository, as the workflows name it. Empty means, for `config`, the repository of the git remote " +
				"`origin`, and otherwise OWNER/config.",
		},
		{
			Name: "app", Type: String, Placeholder: "APP",
			Doc: "Name of the application. Empty means, for `app`, the directory's name; in a config repository it is what the " +
				"example's `backend` is called, and empty leaves it at that.",
		},
		{
			Name: "image", Type: String, Placeholder: "REPO",
			Doc: "Repository of the application's image. Empty means the application's name in {registry}.",
		},
		{
			Name: "registry", Type: String, Placeholder: "REGISTRY/PATH",
			Doc: "Where images are. Empty means ghcr.io and the owner. A registry of AWS, Google or Azure gives logins to " +
				"the jobs' identity, any other one needs a lasting password: the next steps name the variable and the secret.",
		},
		{
			Name: "issuer", Type: String, Placeholder: "URL",
			Doc: "Issuer of the OIDC tokens that jobs sign with. Empty means github.com's; GitHub Enterprise Server's is " +
				"https://HOST/_services/token.",
		},
		{
			Name: "db_repository", Type: String, Placeholder: "REPO:TAG",
			Doc: "For `config`: repository of the vulnerability database that every delivery scans with. Empty means " +
				"ghcr.io/aquasecurity/trivy-db:2.",
		},
		{
			Name: "signing_config", Type: String, Placeholder: "FILE",
			Doc: "For `config`: JSON file of the Sigstore signing config that deliveries sign with. Empty means the public Sigstore.",
		},
		{
			Name: "trusted_root", Type: String, Placeholder: "FILE",
			Doc: "For `config`: JSON file of the trusted root of that Sigstore. Empty means the public Sigstore's.",
		},
		{
			Name: "environments", Type: List, Commas: true, Placeholder: "NAME",
			Doc: "Environments, one to eight, in the order in which a digest moves. Empty means dev,staging,prod. The first takes " +
				"what is delivered; the last asks for a soak time and for reviewers.",
		},
		{
			Name: "template", Type: Choice, Values: []string{"none", "backend", "frontend"}, Default: "none",
			Doc: "For `app`: example application to write beside the workflow, to start from or to try the delivery with.",
		},
		{
			Name: "platform", Type: Choice, Values: []string{"aws", "kubernetes", "kubeadm", "none"}, Default: "aws",
			Doc: "What to write beside the delivery itself: `aws` for clusters, platform components, namespaces and runbooks " +
				"(`config`) or a root for each environment's cluster (`infra`), `none` for none of it. `kubernetes` writes for " +
				"`config` what `aws` does, for any cluster: it names a storage class, an object store, a name server and Vault, and " +
				"no service of AWS. `kubeadm` adds what three machines of your own need to become such a cluster.",
		},
		{
			Name: "ingress", Type: Choice, Values: []string{"traefik", "gateway", "alb", "nginx"}, Default: "traefik",
			Doc: "For `config`: the way into the clusters. `traefik` serves Ingresses behind a network load balancer. `gateway` is " +
				"the Gateway API by Envoy Gateway, also behind one. `alb` is " +
				"an application load balancer of AWS, which ends TLS with certificates of ACM. `nginx` is " +
				"ingress-nginx, which its maintainers archived in March 2026: holes found since stay open.",
		},
		{
			Name: "secrets", Type: Choice, Values: []string{"auto", "aws", "vault", "sealed"}, Default: "auto",
			Doc: "For `config`: where secrets are kept. `aws` is AWS Secrets Manager and `vault` is Vault or OpenBao, both read by " +
				"External Secrets. `sealed` keeps them encrypted in this repository, with Sealed Secrets. `auto` means `aws` on AWS, " +
				"and `vault` elsewhere.",
		},
		{
			Name: "fleet", Type: Choice, Values: []string{"each", "hub"}, Default: "each",
			Doc: "For `config`: where Argo CD runs. `each` is one in every cluster, which reaches no other. `hub` is one in the last " +
				"environment's cluster, which deploys to all of them.",
		},
		{
			Name: "mirror", Type: String, Placeholder: "REGISTRY",
			Doc: "For `config`: registry, with or without a path, that caches the registries of the platform's images, such as ECR " +
				"with rules for pulling through. Every image then comes from there and by digest; `platform/images.sh` writes the " +
				"digests. Empty takes the images from where their projects have them.",
		},
		{
			Name: "cloud_account", Type: String, Placeholder: "NUMBER",
			Doc: "AWS account. Empty leaves AWS's number for examples, to be replaced later.",
		},
		{Name: "region", Type: String, Placeholder: "REGION", Doc: "Region of AWS. Empty means eu-central-1."},
		{
			Name: "domain", Type: String, Placeholder: "DOMAIN",
			Doc: "Domain of the last environment; the others have theirs below it. Empty leaves OWNER.example, to be replaced later.",
		},
		{
			Name: "actions_commit", Type: String, Placeholder: "SHA",
			Doc: "For `config` and `infra`: commit of this release of Waybill, by which the workflows name its actions, with the " +
				"tag as a comment: `git ls-remote https://github.com/waybill-dev/waybill TAG`. Empty leaves what the starter " +
				"workflows name.",
		},
		{Name: "force", Type: Bool, Default: "false", Doc: "Whether files that exist and differ are replaced."},
		inputDryRun,
		inputFormat,
	},
	Outputs:     []Output{{"files", "The files written, one per line."}},
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

var version = Command{
	Name:        "version",
	Short:       "Print which Waybill this is",
	Long:        "Prints the release, the Go toolchain that built it and the platform.",
	Example:     "waybill version --format json",
	Inputs:      []Input{inputFormat},
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

var schema = Command{
	Name:  "schema",
	Short: "Print the JSON Schema of waybill.yaml",
	Long: "Prints the schema that `waybill check` validates waybill.yaml with. Editors complete and check the file by it where the " +
		"first line says `# yaml-language-server: $schema=PATH`. " +
		"`init` writes such a line, and the schema beside it.",
	Example:     "waybill schema > .waybill/waybill.schema.json",
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

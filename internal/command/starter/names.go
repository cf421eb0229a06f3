package starter

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/starter/recognise"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

// Names are what is filled in. Owner is needed; the others have defaults.
type Names struct {
	Owner      string `json:"owner,omitempty"`       // organisation or user on GitHub
	ConfigRepo string `json:"config_repo,omitempty"` // OWNER/NAME of the config repository
	App        string `json:"app,omitempty"`         // the application; in a config repository, what the backend is called
	Source     string `json:"source,omitempty"`      // OWNER/NAME that the application is built from
	Image      string `json:"image,omitempty"`       // repository of the application's image
	Registry   string `json:"registry,omitempty"`    // where images are, such as ghcr.io/acme
	Issuer     string `json:"issuer,omitempty"`      // of the OIDC tokens of jobs
	// Environments are in the order in which a digest moves.
	Environments []string `json:"environments,omitempty"`
	Account      string   `json:"cloud_account,omitempty"` // of AWS
	Region       string   `json:"region,omitempty"`
	Domain       string   `json:"domain,omitempty"`
	// Platform is AWS, Kubernetes for a cluster of anybody's, Kubeadm for three machines
	// of one's own, or None for the delivery alone.
	Platform string `json:"platform,omitempty"`
	// Ingress is the way into the clusters; if empty, Traefik.
	Ingress string `json:"ingress,omitempty"`
	// Secrets is where secrets are kept; if empty or Auto, AWS Secrets Manager on AWS and Vault elsewhere.
	Secrets string `json:"secrets,omitempty"`
	// Fleet says where Argo CD runs: in each cluster, if empty, or in a Hub.
	Fleet string `json:"fleet,omitempty"`
	// Mirror is the registry, with or without a path, through which the platform's images come;
	// if empty, they come from where their projects have them.
	Mirror string `json:"mirror,omitempty"`
	// Template is the example application that is written with the workflow.
	Template string `json:"template,omitempty"`
	// Path is the directory that is the config repository, where that is one of another
	// repository; for an application, of its own.
	Path string `json:"path,omitempty"`
	// ActionsCommit is by what workflows name Waybill's actions; if empty, they name
	// what the starter workflows name.
	ActionsCommit string `json:"actions_commit,omitempty"`
	// Version of Waybill, for the record of what was written.
	Version string `json:"-"`
	// Trust is what the config repository fixes for every delivery.
	Trust workflows.Trust `json:"trust,omitzero"`

	found        recognise.Repository // in an application's repository
	outsideOfGit bool                 // the directory is in no git repository
}

// Values of Platform and Template.
const (
	AWS        = "aws"
	Kubernetes = "kubernetes"
	Kubeadm    = "kubeadm"
	None       = "none"
	Backend    = "backend"
	Frontend   = "frontend"
)

// Values of Ingress. examples/config itself has Traefik; each of the others is a
// directory of examples/ingress.
const (
	Traefik = "traefik"
	Gateway = "gateway"
	ALB     = "alb"
	Nginx   = "nginx"
)

// Values of Secrets beside AWS. Vault and Sealed are directories of examples/secrets.
const (
	Auto   = "auto"
	Vault  = "vault"
	Sealed = "sealed"
)

// Values of Fleet. Hub is a directory of examples/fleet.
const (
	Each = "each"
	Hub  = "hub"
)

// Ingresses are the values of Ingress.
func Ingresses() []string { return []string{Traefik, Gateway, ALB, Nginx} }

// Secrets are the values of Names.Secrets that say where secrets are kept.
func Secrets() []string { return []string{AWS, Vault, Sealed} }

// Defaults of what is not said.
const (
	defaultAccount = "111122223333" // AWS's own number for examples
	defaultRegion  = "eu-central-1"
	copiedTo       = "eu-west-1" // backups
)

const owner = `[A-Za-z0-9]([A-Za-z0-9-]{0,37}[A-Za-z0-9])?(_[A-Za-z0-9]{3,8})?`

var (
	// A managed user is called NAME_SHORTCODE.
	// https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
	ownerName   = regexp.MustCompile(`^` + owner + `$`)
	repository  = regexp.MustCompile(`^` + owner + `/[A-Za-z0-9_.-]{1,100}$`)
	label       = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$`) // ends up in names of at most 63 characters
	environment = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$`) // is a cluster's name too
	account     = regexp.MustCompile(`^[0-9]{12}$`)
	region      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	issuer      = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$`)
	mirror      = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*$`)
	domain      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Default gives what holds for every name that is not said.
func (n Names) Default() Names {
	set := func(name *string, value string) {
		if *name == "" {
			*name = value
		}
	}
	owner, _, _ := strings.Cut(n.ConfigRepo, "/")
	set(&n.Owner, owner)
	set(&n.ConfigRepo, n.Owner+"/config")
	set(&n.Issuer, evidence.ActionsIssuer)
	set(&n.Registry, n.defaultRegistry())
	set(&n.App, Backend)
	set(&n.Source, n.Owner+"/"+n.App)
	set(&n.Image, n.Registry+"/"+n.App)
	if len(n.Environments) == 0 {
		n.Environments = []string{"dev", "staging", "prod"}
	}
	set(&n.Account, defaultAccount)
	set(&n.Region, defaultRegion)
	set(&n.Domain, n.slug()+".example")
	set(&n.Platform, AWS)
	set(&n.Ingress, Traefik)
	if n.Secrets == "" || n.Secrets == Auto {
		n.Secrets = Vault
		if n.onAWS() || n.clusterless() {
			n.Secrets = AWS
		}
	}
	set(&n.Fleet, Each)
	set(&n.Template, None)
	return n
}

// Check refuses what Write would refuse; the problem begins with the flag that
// the name comes from.
func (n Names) Check(kind string) error { return n.complete(kind) }

// complete fills in defaults and refuses what cannot stand where it would.
func (n *Names) complete(kind string) error {
	*n = n.Default()
	for _, r := range []struct {
		flag, value, want string
		pattern           *regexp.Regexp
	}{
		{"--owner", n.Owner, "the name of an organisation or user on GitHub", ownerName},
		{"--config-repo", n.ConfigRepo, "OWNER/NAME", repository},
		{"--app", n.App, "a name of lower-case letters, digits and dashes, which starts with a letter", label},
		{"the application's repository", n.Source, "OWNER/NAME", repository},
		{"--issuer", n.Issuer, "a URL without query and trailing slash", issuer},
		{"--cloud-account", n.Account, "the number of an AWS account, twelve digits", account},
		{"--region", n.Region, "a region of AWS, such as eu-west-1", region},
		{"--domain", n.Domain, "a domain in lower case, such as shop.example.com", domain},
	} {
		if !r.pattern.MatchString(r.value) {
			return outcome.Usagef("%s %q is not %s", r.flag, r.value, r.want)
		}
	}
	if _, err := imageref.ParseRepository(n.Registry + "/" + n.App); err != nil {
		return outcome.Usagef("--registry %q: %w", n.Registry, err)
	}
	if _, err := imageref.ParseRepository(n.Image); err != nil {
		return outcome.Usagef("--image: %w", err)
	}
	if kind == Config && n.App == Frontend {
		return outcome.Usagef("--app %s: the example has an application of this name beside the one that --app names", n.App)
	}
	if !slices.Contains(Ingresses(), n.Ingress) {
		return outcome.Usagef("--ingress %q is not one of %s", n.Ingress, strings.Join(Ingresses(), ", "))
	}
	if n.Ingress == ALB && n.Platform != AWS {
		return outcome.Usagef("--ingress %s is a load balancer of AWS: give --platform %s, or another way in", ALB, AWS)
	}
	if !slices.Contains(Secrets(), n.Secrets) {
		return outcome.Usagef("--secrets %q is not one of %s", n.Secrets, strings.Join(Secrets(), ", "))
	}
	if n.Secrets == AWS && !n.onAWS() && !n.clusterless() {
		return outcome.Usagef("--secrets %s is a service of AWS: give --platform %s, or --secrets %s", AWS, AWS, Vault)
	}
	if n.Mirror != "" && !mirror.MatchString(n.Mirror) {
		return outcome.Usagef("--mirror %q is no registry, such as mirror.example.com or mirror.example.com:5000/cache", n.Mirror)
	}
	if n.Fleet != Each && n.Fleet != Hub {
		return outcome.Usagef("--fleet %q is not one of %s, %s", n.Fleet, Each, Hub)
	}
	if n.Fleet == Hub && len(n.Environments) < 2 {
		return outcome.Usagef("--fleet %s: one environment is one cluster, which has no other one to reach: leave --fleet out", Hub)
	}
	if err := cmp.Or(n.publicDomain(), n.environments()); err != nil || kind != Config || n.Platform == None {
		return err
	}
	return n.free()
}

// publicDomain refuses a domain that overlaps with the private ones that clusters on AWS
// get: Terraform would refuse it later.
func (n Names) publicDomain() error {
	private := n.slug() + ".internal"
	if n.onAWS() && strings.HasSuffix("."+n.Domain, "."+private) {
		return outcome.Usagef("--domain %q is for names inside the clusters' networks (<environment>.%s): give a public one", n.Domain, private)
	}
	return nil
}

// free refuses names that the platform has given away: an Application of the
// same name would be replaced, a namespace of the same name would get the rules
// of an application.
func (n Names) free() error {
	tree, err := n.configExample()
	if err != nil {
		return err
	}
	applications := map[string]bool{"root": true, "apps": true, "platform": true, "builds": true}
	namespaces := map[string]bool{"default": true}
	for name := range tree {
		if inside, ok := strings.CutPrefix(name, "clusters/base/platform/"); ok {
			applications[strings.TrimSuffix(path.Base(inside), ".yaml")] = true
		}
		if inside, ok := strings.CutPrefix(name, "namespaces/"); ok {
			namespace, _, _ := strings.Cut(inside, "/")
			namespaces[namespace] = namespace != "staging" // which is made from an environment
		}
	}
	applications["spokes"] = n.Fleet == Hub
	if applications[n.App] {
		return outcome.Usagef(
			"--app %s: the platform has an Argo CD Application of this name: take another one, such as %s-api", n.App, n.App,
		)
	}
	if n.Fleet == Hub {
		if err := n.apart(applications); err != nil {
			return err
		}
	}
	for _, name := range n.Environments {
		if namespaces[name] || strings.HasPrefix(name, "kube-") {
			return outcome.Usagef(
				"--environments: %q is a namespace of Kubernetes or of the platform, and applications of an environment run in one "+
					"of its name: take another one",
				name,
			)
		}
	}
	return nil
}

// apart refuses environments of a hub whose Applications would have one name: those of
// a and a-b, if a has an Application b-c and a-b an Application c.
func (n Names) apart(applications map[string]bool) error {
	made := make(map[string]string)
	names := append(slices.Sorted(maps.Keys(applications)), n.App, Frontend, "bootstrap", "tenancy")
	for _, env := range n.Environments {
		for _, name := range names {
			if other := made[env+"-"+name]; other != "" && other != env {
				return outcome.Usagef("--environments: with --fleet %s, the Application %s would be of %s and of %s: take other names",
					Hub, env+"-"+name, other, env)
			}
			made[env+"-"+name] = env
		}
	}
	return nil
}

func (n Names) environments() error {
	for i, name := range n.Environments {
		if !environment.MatchString(name) {
			return outcome.Usagef(
				"--environments: %q is not a name of at most 12 lower-case letters, digits and dashes, which starts with a letter",
				name,
			)
		}
		if slices.Contains(n.Environments[:i], name) {
			return outcome.Usagef("--environments: %q stands there twice", name)
		}
		if name == "base" {
			return outcome.Usagef("--environments: %q is what all environments have in common", name)
		}
	}
	if len(n.Environments) > 8 {
		return outcome.Usagef("--environments: %d are more than 8", len(n.Environments))
	}
	return nil
}

// slug is the owner as the first part of names in the cloud: 3 to 16 lower-case
// letters, digits and dashes.
func (n Names) slug() string {
	s := strings.ReplaceAll(strings.ToLower(n.Owner), "_", "-")
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "o" + s
	}
	if len(s) < 3 {
		s += "-org"
	}
	return strings.TrimRight(s[:min(len(s), 16)], "-")
}

// copyRegion is where backups are copied to: not where they are.
func (n Names) copyRegion() string {
	if n.Region == copiedTo {
		return defaultRegion
	}
	return copiedTo
}

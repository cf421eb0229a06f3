package examples_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// platforms are those but AWS that init writes a config repository for.
var platforms = []string{starter.Kubernetes, starter.Kubeadm}

// Outside of AWS the same holds as on it: every object fits its definition, the
// checklist is kept, and the runbooks can be followed.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			files := treeOf(t, starter.Names{Platform: platform})
			units := files.render(t)
			problems, builtin, custom := unfit(definitions(t, units), units)
			problems = append(problems, duplicates(files)...)
			if builtin < 350 || custom < 90 {
				t.Errorf("only %d objects of built-in and %d of custom kinds were judged", builtin, custom)
			}
			for _, r := range checklist {
				if r.name == "encrypted volumes" && platform == starter.Kubernetes {
					continue // the cluster brings its storage class
				}
				for _, problem := range r.check(state{files, units}) {
					problems = append(problems, r.name+": "+problem)
				}
			}
			for _, problem := range append(problems, unnamed(files, units)...) {
				t.Error(problem)
			}
			checkRunbooks(t, files)
		})
	}
}

var (
	// serviceOfAWS is what nobody can be asked for outside of AWS. The SDK's variables
	// and Velero's plug-in are the protocol of S3, which other stores speak.
	serviceOfAWS = regexp.MustCompile(`\b(?:EKS|EBS|EC2|IAM|IRSA|RDS|ACM|VPC|ARN|NLB)\b|Route 53|Pod Identity|[Tt]erraform|[Kk]arpenter|amazonaws|` +
		`Secrets Manager|secretsmanager|\.aws\b|gp3|111122223333|eu-central-1|aws-load-balancer|\baws (?:eks|ec2|iam|s3|sts|rds|logs)\b`)
	ownedStorage = regexp.MustCompile(`\bstorageClass(?:Name)?: (\S+?)[,}\s]`)
)

// unnamed lists what a platform names and does not have.
func unnamed(files tree, units []unit) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, ".waybill/") || name == ".github/workflows/deliver.yml" { // registries of AWS are registries
			continue
		}
		for line := range strings.Lines(name + "\n" + string(files[name])) {
			if found := serviceOfAWS.FindString(line); found != "" {
				problems = append(problems, name+": names "+found+": "+strings.TrimSpace(line))
			}
		}
		for _, m := range ownedStorage.FindAllStringSubmatch(string(files[name]), -1) {
			if m[1] != "standard" && m[1] != "longhorn-encrypted" {
				problems = append(problems, name+": names the storage class "+m[1])
			}
		}
	}
	stores := make(map[string]bool)
	for _, u := range units {
		for _, o := range u.objects {
			if o.Kind == "ClusterSecretStore" {
				stores[o.Name] = true
			}
		}
	}
	state := state{files, units}
	return append(problems, state.every("ExternalSecret", func(u unit, o render.Object) []string {
		if name := text(o.Content, "spec", "secretStoreRef", "name"); !stores[name] {
			return []string{"asks the secret store " + name + ", which is not there"}
		}
		if key := text(list(o.Content, "spec", "dataFrom")[0], "extract", "key"); strings.HasPrefix(key, "CLUSTER/") && u.env != "" {
			return []string{"asks for " + key + ", which is no cluster's"}
		}
		return nil
	})...)
}

// What names a service of AWS, or a thing that is not there, is found.
func TestPlatformsAreHeldToTheirNames(t *testing.T) {
	t.Parallel()
	files := treeOf(t, starter.Names{Platform: starter.Kubernetes})
	units := files.render(t)
	for name, m := range map[string]struct{ file, old, new, want string }{
		"a storage class of AWS":    {"platform/loki/values.yaml", "standard", "gp3", "names gp3"},
		"a class that is not there": {"platform/loki/values.yaml", "standard", "fast", "names the storage class fast"},
		"a service":                 {"platform/velero/values.yaml", "by their CSI driver", "of EBS", "names EBS"},
		"another store": {
			"apps/backend/base/externalsecret.yaml", "name: vault", "name: bank", "asks the secret store bank, which is not there",
		},
		"another cluster's secret": {
			"clusters/prod/secret-store/kustomization.yaml", "value: acme-prod/dns", "value: CLUSTER/dns",
			"asks for CLUSTER/dns, which is no cluster's",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := files.with(t, m.file, m.old, m.new)
			problems := unnamed(changed, changed.renderChanged(t, units, m.file))
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
	if problems := unnamed(files, units); len(problems) > 0 {
		t.Error(problems)
	}
}

package examples_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

// choices are all that init config can be asked for, of clusters.
func choices() (all []starter.Names) {
	for _, platform := range []string{starter.AWS, starter.Kubernetes, starter.Kubeadm} {
		for _, ingress := range starter.Ingresses() {
			for _, secrets := range starter.Secrets() {
				n := starter.Names{Owner: "acme", Platform: platform, Ingress: ingress, Secrets: secrets}
				if n.Check(starter.Config) != nil {
					continue
				}
				if secrets == starter.Sealed { // half of them, so that the other half is as it was
					n.Mirror = mirror
				}
				all = append(all, n)
				if ingress == starter.Traefik { // whatever the way in is, a hub says the same of it
					n.Fleet, n.Mirror = starter.Hub, mirror
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// Whatever was chosen, the same holds: every object fits its definition, the checklist
// is kept, nothing names what was not chosen, and the runbooks can be followed. Most of
// what two choices render is the same, and rendered once.
func TestChoices(t *testing.T) {
	t.Parallel()
	all := choices()
	if len(all) < 24 {
		t.Fatalf("only %d choices can be made", len(all))
	}
	var known *schema.Schemas
	rendered, used := make(map[string]unit), make(map[string]value)
	for _, n := range all {
		if known == nil {
			known = definitions(t, nil)
			if !known.Knows(render.Object{APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret"}) {
				t.Fatal("crds.yaml is older than internal/tools/crds/modules.txt: run make tools")
			}
		}
		name := n.Platform + "/" + n.Ingress + "/" + n.Secrets + "/" + n.Fleet + n.Mirror
		files := treeOf(t, n)
		if n.Ingress == starter.Traefik {
			checkRunbooks(t, files)
			files = files.withParts(t)
		}
		units := files.renderOnce(t, rendered)
		problems, builtin, custom := unfit(known, units)
		if builtin < 350 || custom < 90 {
			t.Errorf("%s: only %d objects of built-in and %d of custom kinds were judged", name, builtin, custom)
		}
		if n.Fleet == starter.Hub {
			for _, problem := range hub(units) {
				t.Errorf("%s: %s", name, problem)
			}
			units = named(units)
		}
		s := state{files, units}
		if n.Mirror != "" {
			problems = append(problems, s.mirrored(t)...)
		}
		s.addValues(t, used)
		problems = slices.Concat(problems, duplicates(files), namesOthers(files, n), unparsable(t, s.queries()))
		if n.Platform != starter.AWS {
			problems = append(problems, unnamed(files, units)...)
		}
		for _, r := range checklist {
			if r.name == "encrypted volumes" && n.Platform == starter.Kubernetes {
				continue // the cluster brings its storage class
			}
			for _, problem := range r.check(s) {
				problems = append(problems, r.name+": "+problem)
			}
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", name, problem)
		}
	}
	for _, problem := range holdToCharts(t, used) {
		t.Error(problem)
	}
}

// parts are what a cluster takes by naming it.
var parts = regexp.MustCompile(`(?m)^  # (- \.\./(?:builds|central-metrics|database) #|- \.\./\.\./\.\./namespaces/builds$)`)

// withParts is the same repository, in which the clusters take every part.
func (f tree) withParts(t *testing.T) tree {
	t.Helper()
	changed, taken := maps.Clone(f), 0
	for env := range environments {
		for _, file := range []string{"clusters/" + env + "/kustomization.yaml", "clusters/" + env + "/namespaces/kustomization.yaml"} {
			taken += len(parts.FindAll(f[file], -1))
			changed[file] = parts.ReplaceAll(f[file], []byte("  ${1}"))
		}
	}
	if taken != 8 { // builders in dev, with their namespace; the others in each
		t.Fatalf("%d parts can be taken", taken)
	}
	return changed
}

// renderOnce renders what no tree before had with the same files.
func (f tree) renderOnce(t *testing.T, before map[string]unit) []unit {
	t.Helper()
	return f.renderBy(t, func(u unit, dirs []string, objects func() ([]render.Object, error)) (unit, error) {
		key := u.name + "\x00" + f.fingerprint(dirs)
		if old, ok := before[key]; ok {
			return old, nil
		}
		made, err := objects()
		u.objects = made
		before[key] = u
		return u, err
	})
}

// fingerprint is of all files that a directory's rendering can read: its own, and those
// of the directories that its kustomization names.
func (f tree) fingerprint(dirs []string) string {
	hash, seen := sha256.New(), make(map[string]bool)
	var add func(dir string)
	add = func(dir string) {
		if seen[dir] {
			return
		}
		seen[dir] = true
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if name == dir || strings.HasPrefix(name, dir+"/") {
				fmt.Fprintf(hash, "%s\x00%s\x00", name, f[name])
			}
		}
		var k struct{ Resources, Components []string }
		if yaml.Unmarshal(f[dir+"/kustomization.yaml"], &k) == nil {
			for _, entry := range slices.Concat(k.Resources, k.Components) {
				add(path.Join(dir, entry))
			}
		}
	}
	for _, dir := range dirs {
		add(dir)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
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

package starter

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
)

// clusterless reports whether nothing of a cluster is written.
func (n Names) clusterless() bool { return n.Platform == None }

// onAWS reports whether what is written names services of AWS.
func (n Names) onAWS() bool { return n.Platform == AWS }

// pullSecret is the mark of what a registry needs that asks for a password. Nodes log in to
// the registry of their own cloud as themselves.
const pullSecret = "pull-secret"

// Marks say for which choices a part of the example is written. In Markdown, outside
// of code, they are comments of HTML.
//
//	TEXT #[aws]         a line for AWS alone
//	TEXT #[aws] OTHER   the same, and what stands in its place elsewhere
//	#[!aws] TEXT        a line for every other platform; a comment in the example itself
//	#[aws] … #[]        lines for AWS alone, to the end of the file if nothing closes them
//	#[a b], #[a+!b]     for a or b; for a without b
var (
	markBefore = regexp.MustCompile(`^( *)(?:#|<!--)\[([a-z!+ -]*)\](?: (.*?))?(?:-->)?$`)
	markBehind = regexp.MustCompile(`^( *)(.*\S) (?:#|<!--)\[([a-z!+ -]+)\](?: (.*?))?(?:-->)?$`)
	blankRuns  = regexp.MustCompile(`\n{3,}`)
)

// holds reports whether a mark speaks of what was chosen.
func (n Names) holds(mark string) bool {
	chosen := []string{n.Platform, n.Ingress, "secrets-" + n.Secrets, "fleet-" + n.Fleet}
	if cloudOf(n.Registry) == "" {
		chosen = append(chosen, pullSecret)
	}
	if n.Mirror != "" {
		chosen = append(chosen, "mirror")
	}
	return slices.ContainsFunc(strings.Fields(mark), func(words string) bool {
		for word := range strings.SplitSeq(words, "+") {
			other, not := strings.CutPrefix(word, "!")
			if slices.Contains(chosen, other) == not {
				return false
			}
		}
		return true
	})
}

// choose keeps the lines whose marks hold, and takes away a file of which nothing is left.
func (n Names) choose(tree map[string]string) {
	for name, text := range tree {
		var lines []string
		cut := false
		for line := range strings.SplitSeq(text, "\n") {
			before, behind := markBefore.FindStringSubmatch(line), markBehind.FindStringSubmatch(line)
			switch {
			case before != nil && before[3] == "":
				cut = before[2] != "" && !n.holds(before[2])
			case cut || before != nil && !n.holds(before[2]):
			case before != nil:
				lines = append(lines, before[1]+before[3])
			case behind != nil && n.holds(behind[3]):
				lines = append(lines, behind[1]+behind[2])
			case behind != nil && behind[4] != "":
				lines = append(lines, behind[1]+behind[4])
			case behind != nil:
			default:
				lines = append(lines, line)
			}
		}
		tree[name] = strings.Join(lines, "\n")
		if path.Ext(name) == ".md" {
			tree[name] = strings.TrimRight(blankRuns.ReplaceAllString(tree[name], "\n\n"), "\n") + "\n"
		}
		if strings.TrimSpace(tree[name]) == "" {
			delete(tree, name)
		}
	}
}

// shape gives the example, whose files are written for AWS, the shape that the
// choices have.
func (n Names) shape(tree map[string]string) (map[string]string, error) {
	var layers []string
	if n.Platform == Kubernetes || n.Platform == Kubeadm {
		layers = append(layers, "platform/"+Kubernetes)
	}
	if n.Platform == Kubeadm {
		layers = append(layers, "platform/"+Kubeadm)
	}
	if n.Secrets != AWS {
		layers = append(layers, "secrets/"+n.Secrets)
	}
	if n.Fleet == Hub {
		layers = append(layers, "fleet/"+Hub)
	}
	if n.Mirror != "" {
		layers = append(layers, "mirror")
	}
	for _, layer := range layers {
		if err := n.layer(tree, layer); err != nil {
			return nil, err
		}
	}
	n.choose(tree)
	if n.Mirror != "" {
		n.throughMirror(tree)
	}
	if n.Fleet == Hub {
		reachByName(tree)
	}
	var words []string
	switch n.Secrets {
	case Vault:
		words = append(words, "aws-secrets-manager", "vault", "AWS Secrets Manager", "Vault")
	case Sealed: // the group of External Secrets' kinds stays what it is
		words = append(words, "external-secrets.io", "external-secrets.io", "external-secrets", "sealed-secrets")
	}
	machines := "" // what storage on the machines' own disks is to the rules
	switch n.Platform {
	case Kubernetes:
		words = append(words, "gp3", "standard")
	case Kubeadm:
		words, machines = append(words, "gp3", "longhorn-encrypted"), "longhorn-system,"
	}
	replacer, shaped := strings.NewReplacer(words...), make(map[string]string, len(tree))
	for name, text := range tree {
		if starterWorkflow(name) { // the registries that it can log in to are the same everywhere
			shaped[name] = text
			continue
		}
		if name == "platform/signatures/waybill.yaml" && !n.onAWS() { // which is written again, by the command in its head
			text = strings.ReplaceAll(text, "karpenter,", machines)
		}
		shaped[replacer.Replace(name)] = replacer.Replace(text)
	}
	return shaped, nil
}

// upstreams are the paths of the mirror below which the images of a registry are: the prefixes of
// terraform/modules/registry, or the names of a proxy's projects.
var upstreams = map[string]string{
	"docker.io": "docker-hub", "ghcr.io": "github", "public.ecr.aws": "ecr-public", "quay.io": "quay", "registry.k8s.io": "k8s",
}

var (
	// ownImage is an image by digest that a manifest of the platform runs.
	ownImage = regexp.MustCompile(`\b(docker\.io|ghcr\.io|public\.ecr\.aws|quay\.io|registry\.k8s\.io)(/[a-z0-9._/-]+(?::[\w.-]+)?@sha256:)`)
	// allowedImages are the repositories of these in waybill.yaml.
	allowedImages = regexp.MustCompile(`(?m)^ +images: \{allow: .*$`)
	allowedImage  = regexp.MustCompile(`\b(docker\.io|ghcr\.io|public\.ecr\.aws|quay\.io|registry\.k8s\.io)(/)`)
)

// cached names images as the mirror has them.
func cached(text string, image *regexp.Regexp) string {
	return image.ReplaceAllStringFunc(text, func(found string) string {
		m := image.FindStringSubmatch(found)
		return "MIRROR/" + upstreams[m[1]] + m[2]
	})
}

// chartValues are the files that an Application gives to its chart; the first is the component's.
var chartValues = regexp.MustCompile(`(?m)(^ +- \$values/platform/)([a-z-]+)(/values\.yaml\n)((?: +- \$values/.*\n)*)`)

// throughMirror has every image of the platform come from the mirror: those of charts by a file of
// values more, and those of manifests in their place.
func (n Names) throughMirror(tree map[string]string) {
	for name, text := range tree {
		switch {
		case starterWorkflow(name):
			continue
		case strings.HasPrefix(name, "clusters/"):
			text = chartValues.ReplaceAllStringFunc(text, func(list string) string {
				m := chartValues.FindStringSubmatch(list)
				if tree["platform/"+m[2]+"/images.yaml"] == "" {
					return list // a chart of definitions alone
				}
				return list + m[1] + m[2] + "/images.yaml\n"
			})
		case name == "platform/README.md":
			text = strings.ReplaceAll(text, "MIRROR/,", n.Mirror+",")
		case name == config.FileName:
			text = allowedImages.ReplaceAllStringFunc(text, func(line string) string { return cached(line, allowedImage) })
		case strings.HasPrefix(name, "platform/") && path.Ext(name) == ".yaml":
			text = cached(text, ownImage) // and of images.yaml nothing: its upstreams have tags
		}
		tree[name] = strings.ReplaceAll(text, "MIRROR/", n.Mirror+"/")
	}
}

// reachByName has Applications and projects name a cluster, which clusters/base fills in,
// where each cluster's own Argo CD deploys to the cluster that it runs in. A root is
// applied where Argo CD is.
func reachByName(tree map[string]string) {
	for name, text := range tree {
		if strings.HasPrefix(name, "clusters/") && path.Base(name) != "root.yaml" {
			tree[name] = strings.ReplaceAll(text, "server: https://kubernetes.default.svc", "name: CLUSTER")
		}
	}
}

// spokes lists the clusters that the hub reaches: those of every environment but the last, whose
// cluster is the hub. The example lists the first.
const spokes = "clusters/hub/spokes/kustomization.yaml"

func (n Names) spokes(text string) string {
	var list strings.Builder
	for _, name := range n.Environments[:len(n.Environments)-1] {
		list.WriteString("  - " + name + ".yaml\n")
	}
	return strings.Replace(text, "  - dev.yaml\n", list.String(), 1)
}

// layer puts the files of a choice in the place of those of one name. A file of
// ingress is what each cluster says to that way in.
func (n Names) layer(tree map[string]string, dir string) error {
	files, err := example(dir)
	for name, text := range files {
		way, ok := strings.CutPrefix(name, "ingress/")
		if !ok {
			tree[name] = text
			continue
		}
		for values := range tree {
			if at, err := path.Match("clusters/*/values/ingress*.yaml", values); err == nil && at && way == n.Ingress+".yaml" {
				tree[values] = text
			}
		}
	}
	return err
}

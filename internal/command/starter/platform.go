package starter

import (
	"path"
	"regexp"
	"slices"
	"strings"
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
	chosen := []string{n.Platform, n.Ingress, "secrets-" + n.Secrets}
	if cloudOf(n.Registry) == "" {
		chosen = append(chosen, pullSecret)
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
	for _, layer := range layers {
		if err := n.layer(tree, layer); err != nil {
			return nil, err
		}
	}
	n.choose(tree)
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

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

// Marks say for which choices a part of the example is written. In Markdown, outside
// of code, they are comments of HTML.
//
//	TEXT #[aws]         a line for AWS alone
//	TEXT #[aws] OTHER   the same, and what stands in its place elsewhere
//	#[!aws] TEXT        a line for every other platform; a comment in the example itself
//	#[aws] … #[]        lines for AWS alone, to the end of the file if nothing closes them
var (
	markBefore = regexp.MustCompile(`^( *)(?:#|<!--)\[([a-z! ]*)\](?: (.*?))?(?:-->)?$`)
	markBehind = regexp.MustCompile(`^( *)(.*\S) (?:#|<!--)\[([a-z! ]+)\](?: (.*?))?(?:-->)?$`)
	blankRuns  = regexp.MustCompile(`\n{3,}`)
)

// holds reports whether a mark speaks of what was chosen.
func (n Names) holds(mark string) bool {
	chosen := []string{n.Platform, n.Ingress}
	return slices.ContainsFunc(strings.Fields(mark), func(word string) bool {
		other, not := strings.CutPrefix(word, "!")
		return slices.Contains(chosen, other) != not
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

// onPlatform gives the example, whose files are written for AWS, the shape that the
// choices have.
func (n Names) onPlatform(tree map[string]string) error {
	if !n.onAWS() && !n.clusterless() {
		if err := n.layer(tree, Kubernetes); err != nil {
			return err
		}
	}
	if n.Platform == Kubeadm {
		if err := n.layer(tree, Kubeadm); err != nil {
			return err
		}
	}
	n.choose(tree)
	if n.onAWS() || n.clusterless() {
		return nil
	}
	class, before := "standard", ""
	if n.Platform == Kubeadm {
		class, before = "longhorn-encrypted", "longhorn-system,"
	}
	for name, text := range tree {
		if name == "platform/signatures/waybill.yaml" { // which is written again, by the command in its head
			text = strings.ReplaceAll(text, "karpenter,", before)
		}
		if !starterWorkflow(name) { // the registries that it can log in to are the same everywhere
			text = strings.NewReplacer("gp3", class, "aws-secrets-manager", "vault", "AWS Secrets Manager", "Vault").Replace(text)
		}
		tree[name] = text
	}
	return nil
}

// layer puts the files of a platform in the place of those of one name. A file of
// ingress is what each cluster says to that way in.
func (n Names) layer(tree map[string]string, platform string) error {
	files, err := example("platform/" + platform)
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

package starter

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// clusterless reports whether nothing of a cluster is written.
func (n Names) clusterless() bool { return n.Platform == None }

// onAWS reports whether what is written names services of AWS.
func (n Names) onAWS() bool { return n.Platform == AWS }

var (
	// fileOfAWS are the files of components that exist on AWS alone.
	fileOfAWS = regexp.MustCompile(`(^|/)(karpenter|nodes|aws|aws-load-balancer-controller)(/|\.yaml$)|^platform/storage/|` +
		`^\.github/workflows/restore-drill\.yml$`)
	// ofAWS is what a line names that holds on AWS alone.
	ofAWS = regexp.MustCompile(`\b(?:AWS|EKS|EBS|EC2|IAM|RDS|ACM|VPC|ARN)\b|EC2NodeClass|Pod Identity|Route 53|Terraform|terraform|[Kk]arpenter|` +
		`k8s\.aws|eks-charts|public\.ecr\.aws|aws-load-balancer|load balancer controller|platform/nodes\b|name: nodes,|\baws [a-z0-9]+ |` +
		`restore-drill\.yml|nodepools|` + "`eu-central-1`")
	// ofLocal are the lines about what a cluster brings by itself: its storage class, and a
	// load balancer of which nobody knows whether it says who the client is.
	ofLocal    = regexp.MustCompile("platform/storage\\.yaml|^\\| `storage` |use-proxy-protocol:")
	emptyKey   = regexp.MustCompile(`^( *)[A-Za-z][\w.-]*:$`)
	yamlOrNote = regexp.MustCompile(`^ *(?:#.*)?$`)
)

// onPlatform gives the example's files, which are written for AWS, the shape that
// another platform has. What holds on AWS alone stands there in files, lines and
// table rows of its own, and goes.
func (n Names) onPlatform(tree map[string]string) error {
	if n.onAWS() || n.clusterless() {
		return nil
	}
	for name := range tree {
		if fileOfAWS.MatchString(name) || n.Platform == Kubernetes && name == "clusters/base/platform/storage.yaml" {
			delete(tree, name)
		}
	}
	places := append(withoutNodes, elsewhere...)
	if n.Platform == Kubeadm {
		places = append(withLonghorn, elsewhere...)
	}
	if err := replace(tree, places); err != nil {
		return err
	}
	class := map[string]string{Kubernetes: "standard", Kubeadm: "longhorn-encrypted"}[n.Platform]
	for name, text := range tree {
		if starterWorkflow(name) {
			continue // the registries that it can log in to are the same everywhere
		}
		text = strings.NewReplacer("gp3", class, "aws-secrets-manager", "vault", "AWS Secrets Manager", "Vault").Replace(text)
		goes := func(line string) bool {
			return ofAWS.MatchString(line) || n.Platform == Kubernetes && ofLocal.MatchString(line)
		}
		if path.Ext(name) == ".md" {
			tree[name] = markdownWithout(text, goes)
		} else {
			tree[name] = yamlWithout(text, goes)
		}
	}
	if err := layer(tree, Kubernetes); err != nil || n.Platform == Kubernetes {
		return err
	}
	if err := replace(tree, onMachines); err != nil {
		return err
	}
	return layer(tree, Kubeadm)
}

// layer puts the files of a platform in the place of those of one name.
func layer(tree map[string]string, platform string) error {
	files, err := example("platform/" + platform)
	nginx := strings.Contains(tree["platform/ingress/values.yaml"]+tree["platform/ingress-nginx/values.yaml"], "\ncontroller:")
	for name, text := range files {
		if controller, ok := strings.CutPrefix(name, "ingress/"); !ok {
			tree[name] = text
		} else if (controller == "nginx.yaml") == nginx {
			valuesOfWayIn(tree, text)
		}
	}
	return err
}

// valuesOfWayIn are each cluster's, whatever the component's name is.
func valuesOfWayIn(tree map[string]string, text string) {
	for name := range tree {
		if at, err := path.Match("clusters/*/values/ingress*.yaml", name); err == nil && at {
			tree[name] = text
		}
	}
}

func replace(tree map[string]string, places []instead) error {
	for _, e := range places {
		old, found := regexp.MustCompile(e.old), false
		for name, text := range tree {
			if ok, err := path.Match(e.file, name); err != nil || !ok || !old.MatchString(text) {
				continue
			}
			found, tree[name] = true, old.ReplaceAllString(text, e.new)
		}
		if !found {
			return fmt.Errorf("the example's %s has no %s", e.file, e.old)
		}
	}
	return nil
}

// yamlWithout takes lines out, with the comment right above each, and the keys
// that have nothing left below them.
func yamlWithout(text string, goes func(line string) bool) string {
	var lines []string
	cut := false
	for line := range strings.SplitSeq(text, "\n") {
		if !goes(line) {
			lines = append(lines, line)
			continue
		}
		cut = true
		for !strings.HasPrefix(strings.TrimSpace(line), "#") && len(lines) > 0 &&
			strings.HasPrefix(lines[len(lines)-1], indent(line)+"#") && indent(line) != "" {
			lines = lines[:len(lines)-1]
		}
	}
	for i := len(lines) - 1; cut && i >= 0; i-- {
		m := emptyKey.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		next := slices.IndexFunc(lines[i+1:], func(l string) bool { return !yamlOrNote.MatchString(l) })
		if next < 0 || !strings.HasPrefix(lines[i+1+next], m[1]+" ") && !strings.HasPrefix(lines[i+1+next], m[1]+"- ") {
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return strings.Join(lines, "\n")
}

// markdownWithout takes out rows and items, commands of a block of code, and
// whole paragraphs; then the headings that have nothing left below them.
func markdownWithout(text string, goes func(line string) bool) string {
	var lines []string
	inCode, inCommand := false, false
	paragraph := len(lines)
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inCode = !inCode
		case inCode && (inCommand || goes(line)):
			inCommand = strings.HasSuffix(line, "\\") || inCommand && !strings.HasSuffix(line, "'") && strings.HasPrefix(line, " ")
			continue
		case inCode:
		case line == "":
			paragraph = len(lines) + 1
		case goes(line):
			if !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "- ") {
				lines = lines[:min(paragraph, len(lines))]
			}
			continue
		}
		lines = append(lines, line)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		level := len(lines[i]) - len(strings.TrimLeft(lines[i], "#"))
		rest := slices.IndexFunc(lines[i+1:], func(l string) bool { return l != "" })
		switch {
		case lines[i] == "```sh" && rest >= 0 && lines[i+1+rest] == "```": // nothing is left to run
			lines = slices.Delete(lines, i, i+2+rest)
		case level > 1 && (rest < 0 || strings.HasPrefix(lines[i+1+rest], "#") &&
			strings.IndexFunc(lines[i+1+rest], func(r rune) bool { return r != '#' }) <= level):
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return blankRuns.ReplaceAllString(strings.TrimRight(strings.Join(lines, "\n"), "\n")+"\n", "\n\n")
}

var blankRuns = regexp.MustCompile(`\n{3,}`)

package githubd

import (
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Workflow is the part of a workflow file that decides when and how it runs.
type Workflow struct {
	Path        string `yaml:"-"` // .github/workflows/FILE
	Name        string
	RunName     string `yaml:"run-name"`
	On          Triggers
	Permissions Permissions
	Concurrency Concurrency
	Jobs        map[string]Job
}

// Job is the part of a job that others than act look at.
type Job struct {
	Uses        string
	Permissions *Permissions
	Secrets     yaml.Node
	Environment Environment
	Steps       []struct{ Uses string }
}

// Environment is the name in `environment:`, written as a name or a mapping.
type Environment string

// UnmarshalYAML reads a name or a mapping with one.
func (e *Environment) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*e = Environment(n.Value)
		return nil
	}
	var full struct{ Name string }
	err := n.Decode(&full)
	*e = Environment(full.Name)
	return err
}

// Triggers are the events of `on:`.
type Triggers map[string]Trigger

// Trigger is what an event is filtered by.
type Trigger struct {
	Branches       []string
	BranchesIgnore []string `yaml:"branches-ignore"`
	Tags           []string
	TagsIgnore     []string `yaml:"tags-ignore"`
	Paths          []string
	PathsIgnore    []string `yaml:"paths-ignore"`
	Types          names
	Inputs         map[string]Input
}

// Input is an input of workflow_dispatch.
type Input struct {
	Required bool
	Default  string
	Type     string
	Options  []string
}

// Permissions are those of `permissions:`; nil where it is not given.
type Permissions map[string]string

// Concurrency is that of `concurrency:`.
type Concurrency struct {
	Group  string
	Cancel bool
}

type names []string

func (l *names) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = []string{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// UnmarshalYAML reads a name, a list of names, or a mapping.
func (t *Triggers) UnmarshalYAML(n *yaml.Node) error {
	*t = Triggers{}
	switch n.Kind {
	case yaml.ScalarNode:
		(*t)[n.Value] = Trigger{}
		return nil
	case yaml.SequenceNode:
		for _, item := range n.Content {
			(*t)[item.Value] = Trigger{}
		}
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var trigger Trigger
		if n.Content[i+1].Kind == yaml.MappingNode { // schedule is a list, and nothing here
			if err := n.Content[i+1].Decode(&trigger); err != nil {
				return err
			}
		}
		(*t)[n.Content[i].Value] = trigger
	}
	return nil
}

// UnmarshalYAML reads read-all, write-all or a mapping.
func (p *Permissions) UnmarshalYAML(n *yaml.Node) error {
	*p = Permissions{}
	if n.Kind != yaml.ScalarNode {
		return n.Decode((*map[string]string)(p))
	}
	access, ok := strings.CutSuffix(n.Value, "-all")
	if ok {
		for _, scope := range []string{
			"actions", artifactMetadata, "checks", "contents", "deployments", "id-token", "issues", "packages", "pull-requests",
			"security-events", "statuses",
		} {
			if scope != "id-token" || access == "write" {
				(*p)[scope] = access
			}
		}
	}
	return nil
}

// UnmarshalYAML reads a group's name or a mapping.
func (c *Concurrency) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		c.Group = n.Value
		return nil
	}
	var full struct {
		Group  string
		Cancel string `yaml:"cancel-in-progress"`
	}
	if err := n.Decode(&full); err != nil {
		return err
	}
	c.Group, c.Cancel = full.Group, full.Cancel == "true"
	return nil
}

// ParseWorkflow reads a workflow file.
func ParseWorkflow(file string, data []byte) (*Workflow, error) {
	w := &Workflow{Path: file}
	if err := yaml.Unmarshal(data, w); err != nil {
		return nil, fmt.Errorf("read workflow %s: %w", file, err)
	}
	if w.Name == "" {
		w.Name = file
	}
	return w, nil
}

// Matches reports whether the event starts the workflow; changed gives the files
// that the event changed, and is asked only where the filter needs them.
func (w *Workflow) Matches(e Event, changed func() ([]string, error)) (bool, error) {
	t, ok := w.On[e.Name]
	if !ok {
		return false, nil
	}
	switch e.Name {
	case "workflow_dispatch":
		return path.Base(w.Path) == e.Workflow, nil
	case "repository_dispatch":
		return len(t.Types) == 0 || contains(t.Types, e.Action), nil
	case "deployment", "deployment_status": // nothing filters them
		return true, nil
	case "pull_request_review", "issue_comment", "merge_group":
		// Neither branches nor paths filter the first two.
		if len(t.Types) > 0 && !contains(t.Types, e.Action) ||
			e.Name == "merge_group" && !matchesFilter(e.BaseRef, t.Branches, t.BranchesIgnore) {
			return false, nil
		}
		return true, nil
	case "pull_request", "pull_request_target":
		types := []string(t.Types)
		if len(types) == 0 {
			types = []string{"opened", "synchronize", "reopened"}
		}
		if !contains(types, e.Action) || !matchesFilter(e.BaseRef, t.Branches, t.BranchesIgnore) {
			return false, nil
		}
	case "push":
		if e.SHA == zeroOID {
			return false, nil
		}
		branch, isBranch := strings.CutPrefix(e.Ref, "refs/heads/")
		tag := strings.TrimPrefix(e.Ref, "refs/tags/")
		byBranch, byTag := len(t.Branches)+len(t.BranchesIgnore) > 0, len(t.Tags)+len(t.TagsIgnore) > 0
		switch {
		case isBranch && (byBranch || byTag) && !(byBranch && matchesFilter(branch, t.Branches, t.BranchesIgnore)):
			return false, nil
		case !isBranch && (byBranch || byTag) && !(byTag && matchesFilter(tag, t.Tags, t.TagsIgnore)):
			return false, nil
		case !isBranch:
			return true, nil // paths do not filter tags
		}
	}
	if len(t.Paths)+len(t.PathsIgnore) == 0 {
		return true, nil
	}
	files, err := changed()
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if matchesFilter(f, t.Paths, t.PathsIgnore) {
			return true, nil
		}
	}
	return false, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// matchesFilter applies GitHub's patterns; the last one that matches decides.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
func matchesFilter(name string, include, ignore []string) bool {
	for _, p := range ignore {
		if pattern(p).MatchString(name) {
			return false
		}
	}
	if len(include) == 0 {
		return true
	}
	matched := false
	for _, p := range include {
		rest, negative := strings.CutPrefix(p, "!")
		if pattern(rest).MatchString(name) {
			matched = !negative
		}
	}
	return matched
}

func pattern(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(glob); i++ {
		switch ch := glob[i]; ch {
		case '*':
			if strings.HasPrefix(glob[i:], "**/") {
				b.WriteString("(?:.*/)?")
				i += 2
			} else if strings.HasPrefix(glob[i:], "**") {
				b.WriteString(".*")
				i++
			} else {
				b.WriteString("[^/]*")
			}
		case '?', '+', '[', ']':
			b.WriteByte(ch)
		default:
			b.WriteString(regexp.QuoteMeta(string(ch)))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	if err != nil {
		return regexp.MustCompile("^" + regexp.QuoteMeta(glob) + "$")
	}
	return re
}

// checkInputs fills in defaults, and refuses as GitHub does.
func (t Trigger) checkInputs(given map[string]string) (map[string]string, error) {
	inputs := map[string]string{}
	var unknown []string
	for name := range given {
		if _, ok := t.Inputs[name]; !ok {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return nil, unprocessable("Unexpected inputs provided: [%s]", strings.Join(unknown, ", "))
	}
	for name, in := range t.Inputs {
		value, ok := given[name]
		if !ok || value == "" {
			value = in.Default
		}
		switch {
		case in.Required && value == "":
			return nil, unprocessable("Required input '%s' not provided", name)
		case in.Type == "choice" && value != "" && !contains(in.Options, value):
			return nil, unprocessable("Provided value '%s' for input '%s' not in the list of allowed values", value, name)
		case in.Type == "boolean" && value == "":
			value = "false"
		case in.Type == "boolean" && value != "true" && value != "false":
			return nil, unprocessable("Provided value '%s' for input '%s' is not a boolean", value, name)
		}
		inputs[name] = value
	}
	return inputs, nil
}

// Package summary says what a terraform plan would do, most dangerous first, and
// shows no value that is sensitive anywhere in the plan.
//
// Everything that changes has a place in the summary. What does not fit on a line
// is shown line by line.
package summary

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
)

// Actions on a resource or output, most dangerous first.
const (
	Destroy = "destroy"
	Replace = "replace"
	Forget  = "forget"
	Change  = "change"
	Add     = "add"
	Move    = "move" // nothing but a new address
	Import  = "import"
	Read    = "read"
	Refresh = "refresh" // the state takes over how the resource is
)

var order = []string{Destroy, Replace, Forget, Change, Add, Import, Move, Refresh, Read}

// Summary is what a plan would do, without any sensitive value.
type Summary struct {
	Counts    map[string]int `json:"counts"`
	Resources []Resource     `json:"resources"` // most dangerous first
	Drift     []Resource     `json:"drift,omitempty"`
	Outputs   []Resource     `json:"outputs,omitempty"`
	// RefreshOnly says that the state is brought up to date, and nothing else is changed.
	RefreshOnly bool `json:"refresh_only,omitempty"`
	// Checks are check blocks, conditions and the like that do not hold, or of
	// which it is not known yet; Warnings is what terraform warns of.
	Checks   []Check  `json:"checks,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Resource is what happens to one resource, or output.
type Resource struct {
	Address    string      `json:"address"`
	Type       string      `json:"type,omitempty"`
	Action     string      `json:"action"`
	Previous   string      `json:"previous,omitempty"` // address, when it moves
	Imported   bool        `json:"imported,omitempty"`
	Forced     []string    `json:"forced,omitempty"` // attributes that force the replacement
	Flags      []string    `json:"flags,omitempty"`  // iam, network, data
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Attribute is what changes in a resource.
type Attribute struct {
	Path   string `json:"path"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Lines show a text of several lines, or one that holds JSON, as - and + lines.
	Lines []string `json:"lines,omitempty"`
	Note  string   `json:"note,omitempty"`
}

// Check is a condition of the configuration that does not hold.
type Check struct {
	Address  string   `json:"address"`
	Status   string   `json:"status"` // fail, error or unknown
	Messages []string `json:"messages,omitempty"`
}

// Changes reports whether the plan does anything.
func (s Summary) Changes() bool { return len(s.Resources) > 0 || len(s.Outputs) > 0 }

// Asks reports whether somebody must approve the plan: it does something, or it leaves out
// what the root's code would do. That code is merged, and nothing shows what it does.
func (s Summary) Asks() bool { return s.Changes() || s.RefreshOnly }

// Destroys reports whether the plan destroys anything, replaced resources
// included. What it forgets counts too: nobody plans that resource again, and
// the next apply can create a second one.
func (s Summary) Destroys() bool { return s.Counts[Destroy]+s.Counts[Replace]+s.Counts[Forget] > 0 }

// Summarize says what a plan would do. What is secret stays so.
func Summarize(p *terraform.Plan, secrets *redact.Secrets) Summary {
	s := Summary{Counts: make(map[string]int)}
	for _, r := range p.ResourceChanges {
		if described, ok := Describe(r, secrets); ok {
			if described.Imported && described.Action != Import {
				s.Counts[Import]++
			}
			s.Counts[described.Action]++
			s.Resources = append(s.Resources, described)
		}
	}
	for _, r := range p.ResourceDrift {
		if described, ok := Describe(r, secrets); ok {
			s.Drift = append(s.Drift, described)
		}
	}
	for name, c := range p.OutputChanges {
		if action := actionOf(c.Actions); action != "" && action != Read {
			s.Outputs = append(s.Outputs, Resource{Address: name, Action: action, Attributes: attributes(c, secrets)})
		}
	}
	s.Checks = checks(p, secrets)
	sortResources(s.Resources)
	sortResources(s.Drift)
	sortResources(s.Outputs)
	return s
}

// Refresh is the summary of a plan that brings the state up to date: what changed outside
// is what it does. A resource that is gone is forgotten.
func (s Summary) Refresh() Summary {
	s.RefreshOnly = true
	for _, r := range s.Drift {
		switch r.Action {
		case Destroy:
			r.Action = Forget
		case Move, Import:
		default:
			r.Action = Refresh
		}
		s.Counts[r.Action]++
		s.Resources = append(s.Resources, r)
	}
	s.Drift = nil
	sortResources(s.Resources)
	return s
}

func sortResources(list []Resource) {
	slices.SortFunc(list, func(a, b Resource) int {
		if d := slices.Index(order, a.Action) - slices.Index(order, b.Action); d != 0 {
			return d
		}
		return strings.Compare(a.Address, b.Address)
	})
}

// Describe says what happens to one resource; false when nothing does.
func Describe(r *terraform.ResourceChange, secrets *redact.Secrets) (Resource, bool) {
	if r.Change == nil {
		return Resource{}, false
	}
	d := Resource{
		Address: secrets.Address(r.Address), Type: r.Type, Action: actionOf(r.Change.Actions), Imported: r.Change.Importing != nil,
	}
	if r.DeposedKey != "" {
		d.Address += " (deposed " + r.DeposedKey + ")"
	}
	if r.PreviousAddress != "" && r.PreviousAddress != r.Address {
		d.Previous = secrets.Address(r.PreviousAddress)
	}
	switch {
	case d.Action == "" && d.Imported:
		d.Action = Import
	case d.Action == "" && d.Previous != "":
		d.Action = Move
	case d.Action == "" || d.Action == Read:
		return Resource{}, false
	}
	if d.Action == Replace {
		for _, path := range r.Change.ReplacePaths {
			d.Forced = append(d.Forced, pathText(path))
		}
	}
	d.Flags = flags(r.Type)
	d.Attributes = attributes(r.Change, secrets)
	return d, true
}

func actionOf(a terraform.Actions) string {
	switch {
	case a.Replace():
		return Replace
	case a.Create():
		return Add
	case a.Delete():
		return Destroy
	case a.Update():
		return Change
	case a.Forget():
		return Forget
	case a.Read():
		return Read
	case a.NoOp():
		return ""
	}
	// One that this program does not know, such as forget and create.
	words := make([]string, len(a))
	for i, w := range a {
		words[i] = string(w)
	}
	if slices.Contains(words, "delete") || slices.Contains(words, "forget") {
		return Destroy
	}
	return Change
}

func pathText(path any) string {
	steps, _ := path.([]any)
	text := ""
	for _, s := range steps {
		if name, ok := s.(string); ok {
			text = join(text, name)
		} else {
			text += fmt.Sprintf("[%v]", s)
		}
	}
	return text
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func join(path, key string) string {
	if !identifier.MatchString(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// kinds of resource that deserve a second look, by the words of their types.
var kinds = []struct {
	flag  string
	words *regexp.Regexp
}{
	{
		"iam",
		regexp.MustCompile(`(^|_)(iam|role|policy|access|permission|permissions|service_account|user|group_membership|key|secret)(_|$)`),
	},
	{
		"network",
		regexp.MustCompile(`(^|_)(vpc|subnet|subnetwork|network|security_group|security_rule|firewall|route|gateway|` +
			`lb|alb|elb|dns|route53|peering|nat|acl)(_|$)`),
	},
	{
		"data",
		regexp.MustCompile(`(^|_)(db|rds|database|sql|dynamodb|s3|bucket|storage|redis|elasticache|disk|volume|ebs|efs|` +
			`spanner|bigtable|bigquery|cosmosdb|backup|snapshot|kms)(_|$)`),
	},
}

func flags(resourceType string) []string {
	var found []string
	for _, k := range kinds {
		if k.words.MatchString(resourceType) {
			found = append(found, k.flag)
		}
	}
	return found
}

// Package redact hides the sensitive values of terraform plans and environments
// in every text that leaves the job.
//
// A value that is sensitive anywhere is hidden everywhere, in every form in which
// terraform, a provider or a text within a text can write it. Values of fewer
// than six characters are hidden only where they are the whole text.
package redact

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Hidden stands where a sensitive value would.
const Hidden = "(sensitive value)"

// minSecret is how long a value must be to be looked for inside other text;
// shorter ones are hidden only where they are all of it.
const minSecret = 6

// Secrets are the values that are sensitive somewhere in a plan. A value that
// is sensitive anywhere is hidden everywhere: terraform marks places, not
// values, and a resource that echoes its input (terraform_data's output, a
// provider's computed attribute) shows it at a place that bears no mark.
type Secrets struct {
	exact    map[string]bool
	replacer *strings.Replacer
}

// FindSecrets collects them from every tree of the plan that says what is
// sensitive, and from the variables that the configuration or the caller calls
// sensitive.
func FindSecrets(plans ...*terraform.Plan) *Secrets {
	s := &Secrets{exact: make(map[string]bool)}
	for _, p := range plans {
		for _, list := range [][]*terraform.ResourceChange{p.ResourceChanges, p.ResourceDrift} {
			for _, r := range list {
				if r.Change != nil {
					s.change(r.Change)
				}
			}
		}
		for _, o := range p.OutputChanges {
			s.change(o)
		}
		if p.PriorState != nil && p.PriorState.Values != nil {
			s.module(p.PriorState.Values.RootModule)
		}
		if p.Config != nil && p.Config.RootModule != nil {
			for name, declared := range p.Config.RootModule.Variables {
				if v := p.Variables[name]; v != nil && declared.Sensitive {
					s.all(v.Value)
				}
			}
		}
	}
	return s.ready()
}

// GivenSecrets are the values of TF_VAR_ variables, and the credentials in an
// environment: what is known to be secret before there is a plan.
func GivenSecrets(env []string) *Secrets {
	s := &Secrets{exact: make(map[string]bool)}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TF_VAR_") {
			s.credential(name, value)
			continue
		}
		s.add(value)
		if v, err := strictjson.Value([]byte(value)); err == nil { // a list or a map, written as JSON
			s.all(v)
		}
	}
	return s.ready()
}

// secretName is how variables of the environment are called that hold secrets.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|passphrase|credential|private|api_?key|access_key|encryption|auth)`)

// credential adds the value of a variable that is called like a secret, and the
// password in the address of a proxy.
func (s *Secrets) credential(name, value string) {
	if secretName.MatchString(name) && len(value) >= minSecret && !strings.HasPrefix(value, "/") && !strings.Contains(name, "FILE") {
		s.add(value)
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && len(password) >= minSecret {
			s.add(password)
		}
	}
}

// Also hides what another hides, too.
func (s *Secrets) Also(other *Secrets) *Secrets {
	for text := range other.exact {
		s.exact[text] = true
	}
	return s.ready()
}

// Error hides every secret in the words of an error, and keeps its cause.
func (s *Secrets) Error(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{words: s.Redact(err.Error()), cause: err}
}

type redactedError struct {
	words string
	cause error
}

func (e *redactedError) Error() string { return e.words }
func (e *redactedError) Unwrap() error { return e.cause }

func (s *Secrets) ready() *Secrets {
	var pairs []string
	for text := range s.exact {
		if len(text) >= minSecret {
			pairs = append(pairs, text)
		}
	}
	slices.SortFunc(pairs, func(a, b string) int { return len(b) - len(a) }) // the longer one wins where both begin
	with := make([]string, 0, 2*len(pairs))
	for _, text := range pairs {
		with = append(with, text, Hidden)
	}
	s.replacer = strings.NewReplacer(with...)
	return s
}

func (s *Secrets) change(c *terraform.Change) {
	s.marked(c.Before, c.BeforeSensitive)
	s.marked(c.After, c.AfterSensitive)
}

// module adds what is sensitive of the state's resources: what a data source read stands
// nowhere else.
func (s *Secrets) module(m *terraform.StateModule) {
	if m == nil {
		return
	}
	for _, r := range m.Resources {
		if mark, err := strictjson.Value(r.SensitiveValues); err == nil {
			s.marked(r.AttributeValues, mark)
		}
	}
	for _, child := range m.ChildModules {
		s.module(child)
	}
}

func (s *Secrets) marked(value, mark any) {
	switch m := mark.(type) {
	case bool:
		if m {
			s.all(value)
		}
	case map[string]any:
		if v, ok := value.(map[string]any); ok {
			for key, inner := range m {
				s.marked(v[key], inner)
			}
		}
	case []any:
		if v, ok := value.([]any); ok {
			for i, inner := range m {
				if i < len(v) {
					s.marked(v[i], inner)
				}
			}
		}
	}
}

func (s *Secrets) all(value any) {
	switch v := value.(type) {
	case string:
		s.add(v)
	case json.Number:
		s.add(v.String())
	case float64: // of a state
		s.add(strconv.FormatFloat(v, 'f', -1, 64))
	case map[string]any:
		for key, inner := range v {
			s.add(key)
			s.all(inner)
		}
	case []any:
		for _, inner := range v {
			s.all(inner)
		}
	}
}

func (s *Secrets) add(text string) {
	if text == "" {
		return
	}
	s.exact[text] = true
	for _, form := range slices.Concat(escapedForms(text), encodings(text)) {
		s.exact[form] = true
	}
	if !strings.Contains(text, "\n") {
		return
	}
	for line := range strings.SplitSeq(text, "\n") { // line by line, as a log shows it
		if line = strings.TrimSpace(line); len(line) >= minSecret {
			s.exact[line] = true
			for _, form := range escapedForms(line) {
				s.exact[form] = true
			}
		}
	}
}

var instanceKey = regexp.MustCompile(`\["(?:[^"\\]|\\.)*"\]`)

// address hides secrets in the keys of an address. Names stay: a value that is
// called sensitive could otherwise hide which resource changes.
func (s *Secrets) Address(address string) string {
	return instanceKey.ReplaceAllStringFunc(address, func(key string) string {
		return `["` + s.Redact(key[2:len(key)-2]) + `"]`
	})
}

// Redact hides every secret in text.
func (s *Secrets) Redact(text string) string {
	if s == nil {
		return text
	}
	if s.exact[text] {
		return Hidden
	}
	return s.replacer.Replace(text)
}

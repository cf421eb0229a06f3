package examples_test

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
)

// ask is a request to AWS.
type ask struct {
	action, resource string
	context          map[string]string
}

// iamPolicy is a policy of IAM, of which this test knows what the modules write.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
type iamPolicy struct {
	name, text string
	Statement  []struct {
		Sid, Effect                              string
		Action, NotAction, Resource, NotResource words
		Condition                                map[string]map[string]words
	}
}

// words are one word or a list of them.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

func parsePolicy(t *testing.T, name, text string) iamPolicy {
	t.Helper()
	p := iamPolicy{name: name, text: text}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return p
}

func (p iamPolicy) judge(a ask) (allow, deny bool) {
	for _, s := range p.Statement {
		named := len(s.Action) > 0 && s.Action.match(a.action) || len(s.NotAction) > 0 && !s.NotAction.match(a.action)
		there := len(s.Resource) > 0 && s.Resource.match(a.resource) || len(s.NotResource) > 0 && !s.NotResource.match(a.resource)
		if !named || !there || !holds(s.Condition, a.context) {
			continue
		}
		allow, deny = allow || s.Effect == "Allow", deny || s.Effect == "Deny"
	}
	return allow, deny
}

// match reports whether a pattern of IAM matches. Actions have no letters of their own.
func (w words) match(value string) bool {
	return slices.ContainsFunc(w, func(pattern string) bool {
		if !strings.Contains(pattern, ":") || !strings.HasPrefix(pattern, "arn:") {
			pattern, value = strings.ToLower(pattern), strings.ToLower(value)
		}
		// path.Match gives the slash a meaning that IAM does not know.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
		return err == nil && ok
	})
}

// holds reports whether all conditions hold. A key that the request does not have fails
// a comparison, and holds for the opposite of one.
func holds(conditions map[string]map[string]words, context map[string]string) bool {
	for operator, keys := range conditions {
		for key, values := range keys {
			value, there := context[key]
			var ok bool
			switch operator {
			case "Null":
				ok = (values[0] == "true") != there
			case "StringEquals":
				ok = there && slices.Contains(values, value)
			case "StringLike", "ArnLike", "ArnEquals", "ForAllValues:StringLike":
				ok = there && values.match(value)
			case "StringNotEquals":
				ok = !there || !slices.Contains(values, value)
			case "StringNotLike":
				ok = !there || !values.match(value)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

package render

import (
	"regexp"
	"slices"
	"strings"
)

// hidden is a value that nobody is shown. Two are equal where the values are.
type hidden struct{ value any }

const hiddenText = "(hidden)"

// MarshalJSON shows that there is something.
func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenText + `"`), nil }

// shown are the fields of a Secret that hold no secret, beside its metadata.
var shown = []string{"apiVersion", "kind", "type", "immutable"}

// lastApplied holds a whole object as text, so that of a Secret its values.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// redacted hides the values of Secrets, wherever these stand: also in lists and
// inside of other objects. Whatever is not known to be harmless is hidden.
func redacted(objects []Object) []Object {
	out := make([]Object, len(objects))
	for i, o := range objects {
		out[i] = o
		if o.Kind == "Secret" {
			out[i].Content = secret(o.Content)
		} else {
			out[i].Content, _ = redact(o.Content).(map[string]any)
		}
	}
	return out
}

// secretText is a Secret that is written down as text, in an annotation, say.
var secretText = regexp.MustCompile(`kind["']?\s*:\s*["']?Secret\b`)

// redact copies only what it changes.
func redact(v any) any {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "Secret") && secretText.MatchString(v) {
			return hide(v)
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = redact(e)
		}
		return out
	case map[string]any:
		if v["kind"] == "Secret" && holdsValues(v) {
			return secret(v)
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			if out[k] = redact(e); k == lastApplied {
				out[k] = hide(e)
			}
		}
		return out
	}
	return v
}

// holdsValues tells a Secret from a reference to one.
func holdsValues(v map[string]any) bool {
	for _, key := range []string{"data", "stringData", "metadata"} {
		if _, ok := v[key]; ok {
			return true
		}
	}
	return false
}

func secret(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for k, e := range v {
		switch {
		case k == "metadata":
			out[k] = secretMetadata(e)
		case slices.Contains(shown, k):
			out[k] = e
		default:
			out[k] = hide(e)
		}
	}
	return out
}

// secretMetadata hides annotations: tools write copies of the content there.
func secretMetadata(v any) any {
	metadata, ok := v.(map[string]any)
	if !ok {
		return hide(v)
	}
	out := make(map[string]any, len(metadata))
	for k, e := range metadata {
		if out[k] = e; k == "annotations" || k == "managedFields" {
			out[k] = hide(e)
		}
	}
	return out
}

// hide keeps the keys of mappings, because they name what changed.
func hide(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = hide(e)
		}
		return out
	}
	return hidden{v}
}

package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
)

// drafts are the descriptions of JSON Schema itself, which Helm has built in. The
// ones without a draft's name mean the newest.
var drafts = []string{
	"http://json-schema.org/draft-04/schema", "http://json-schema.org/draft-06/schema", "http://json-schema.org/draft-07/schema",
	"http://json-schema.org/schema", "https://json-schema.org/schema", "https://json-schema.org/draft-07/schema",
	"https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema",
}

// localSchemas refuses a values.schema.json that refers to anything but itself:
// Helm would read such files of this machine, and fetch such addresses.
func localSchemas(dir string, c *chart.Chart) error {
	if len(c.Schema) > 0 {
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return fmt.Errorf("%s/values.schema.json: %w", dir, err)
		}
		if at := foreignReference(schema); at != "" {
			return fmt.Errorf(
				"%s/values.schema.json: %q is not in this file: only what is committed here is read. Copy it into $defs", dir, at,
			)
		}
	}
	for _, sub := range c.Dependencies() {
		if err := localSchemas(dir+"/charts/"+sub.Name(), sub); err != nil {
			return err
		}
	}
	return nil
}

func foreignReference(v any) string {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if at := foreignReference(e); at != "" {
				return at
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			text, isText := v[key].(string)
			switch {
			case isText && strings.HasSuffix(strings.ToLower(key), "ref") && strings.HasPrefix(key, "$") && !strings.HasPrefix(text, "#"):
				return text
			case isText && key == "$schema" && !slices.Contains(drafts, strings.TrimSuffix(text, "#")):
				return text
			}
			if at := foreignReference(v[key]); at != "" {
				return at
			}
		}
	}
	return ""
}

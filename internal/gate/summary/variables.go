package summary

import (
	"encoding/json"
	"strings"

	"github.com/waybill-dev/waybill/internal/strictjson"
)

// SameVariable reports whether the text of a TF_VAR_ variable gives the value that
// a plan holds. A list or map is compared where it is written as JSON; another
// notation of it cannot be told and counts as the same.
func SameVariable(text string, value any) bool {
	switch v := value.(type) {
	case string:
		return text == v
	case json.Number:
		return strings.TrimSpace(text) == v.String()
	case bool:
		return strings.TrimSpace(text) == map[bool]string{true: "true", false: "false"}[v]
	}
	given, err := strictjson.Value([]byte(text))
	return err != nil || equal(given, value)
}

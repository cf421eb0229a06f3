package text

import (
	"bytes"
	"encoding/json"
)

// JSON is a value as an indented document. The runner takes nothing in it as a
// command when it is printed: the runner's older form counts anywhere in a line.
func JSON(v any) ([]byte, error) {
	document, err := json.MarshalIndent(v, "", "  ")
	return bytes.ReplaceAll(document, []byte("##["), []byte(`#\u0023[`)), err
}

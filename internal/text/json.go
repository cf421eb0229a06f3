package text

import "encoding/json"

// JSON is a value as an indented document, in which the runner takes nothing as
// a command when it is printed.
func JSON(v any) ([]byte, error) {
	document, err := json.MarshalIndent(v, "", "  ")
	return []byte(NoCommandInJSON(string(document))), err
}

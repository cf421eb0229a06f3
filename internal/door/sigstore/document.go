package sigstore

import (
	"os"
	"strings"
)

// document reads a JSON document that is given as itself or as the path of a
// file, as variables of Actions hold the one and machines the other. name is
// what to call it in errors: the path, never the content.
func document(given string) (data []byte, name string, err error) {
	if strings.HasPrefix(strings.TrimSpace(given), "{") {
		return []byte(given), "(given as JSON)", nil
	}
	data, err = os.ReadFile(given)
	return data, given, err
}

package starter

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/examples"
)

// A line is looked at if it has a hint: each token of the examples has one, and ends
// with its line.
func TestTokensHaveHints(t *testing.T) {
	t.Parallel()
	seen := 0
	err := fs.WalkDir(examples.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(examples.Files, name)
		for _, token := range tokens().FindAllString(string(data), -1) {
			seen++
			if strings.Contains(token, "\n") || !slices.ContainsFunc(hints, func(h string) bool { return strings.Contains(token, h) }) {
				t.Errorf("%s: the token %q has no hint, or two lines", name, token)
			}
		}
		return err
	})
	if err != nil || seen < 1000 {
		t.Errorf("%d tokens, %v", seen, err)
	}
}

package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// versionFiles are what version managers read, by program.
var versionFiles = map[string]string{"terraform": ".terraform-version", "tofu": ".opentofu-version"}

// TreeWishes are what a root itself asks for: required_version of the root and
// its local modules, all of them, and the file of the version managers, in the
// root or above it.
func TreeWishes(top, dir, program string, modules []string) ([]Wish, error) {
	var wishes []Wish
	for _, m := range modules {
		read, err := configuration.Read(filepath.Join(top, filepath.FromSlash(m)), false)
		if err != nil {
			return nil, err
		}
		for _, v := range read.Versions {
			if strings.TrimSpace(v.Name) == "" {
				continue
			}
			file, err := filepath.Rel(top, v.File)
			if err != nil {
				return nil, err
			}
			wishes = append(wishes, Wish{v.Name, fmt.Sprintf("required_version in %s:%d", filepath.ToSlash(file), v.Line)})
		}
	}
	name := versionFiles[filepath.Base(program)]
	if name == "" {
		return wishes, nil
	}
	for at := filepath.Join(top, filepath.FromSlash(dir)); ; at = filepath.Dir(at) {
		data, err := os.ReadFile(filepath.Join(at, name))
		if err == nil {
			file, _ := filepath.Rel(top, filepath.Join(at, name))
			text := strings.TrimSpace(string(data))
			if strings.HasPrefix(text, "latest") || strings.HasPrefix(text, "min-") || len(text) == 0 || len(text) > 64 {
				return nil, outcome.Usagef("%s: %.64q names no version: write one, such as 1.11.4", filepath.ToSlash(file), text)
			}
			return append(wishes, Wish{text, filepath.ToSlash(file)}), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the version that is asked for: %w", err)
		}
		if at == top || at == filepath.Dir(at) {
			return wishes, nil
		}
	}
}

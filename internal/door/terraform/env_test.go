package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	const overrides, mirror = "holds dev_overrides", "takes providers from the repository"
	for name, c := range map[string]struct{ text, says string }{
		"nothing":               {"plugin_cache_dir = \"/var/cache\"\n", ""},
		"overrides":             {"provider_installation {\n  dev_overrides {\n  }\n}\n", overrides},
		"in JSON":               {`{"provider_installation": {"dev_overrides": {}}}`, overrides},
		"with an escape":        {`{"provider_installation": {"dev\u005foverrides": {}}}`, overrides},
		"in words":              {"# no dev_overrides ** here\n  // nor dev_overrides *\n", ""},
		"behind the end of one": {"/*\n// */ provider_installation { dev_overrides { } }\n", overrides},
		"a mirror":              {"provider_installation {\n  filesystem_mirror {\n    path = \"/srv/mirror\"\n  }\n}\n", ""},
		"of the repository":     {"provider_installation {\n  filesystem_mirror {\n    path = \"TOP/mirror\"\n  }\n}\n", mirror},
		"with an escape too":    {"provider_installation {\n  filesystem_mirror {\n    path = \"\\u002fTOP/mirror\"\n  }\n}\n", mirror},
		"beside a root":         {"provider_installation {\n  filesystem_mirror {\n    path = \"../mirror\"\n  }\n}\n", mirror},
		"of the home":           {"provider_installation {\n  filesystem_mirror {\n    path = \"~/mirror\"\n  }\n}\n", ""},
	} {
		home, top := t.TempDir(), t.TempDir()
		text := strings.ReplaceAll(c.text, "TOP", top)
		if err := os.WriteFile(filepath.Join(home, ".terraformrc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		why, err := Settings(func(name string) string { return map[string]string{"HOME": home}[name] }, top)
		if err != nil || (why == "") != (c.says == "") || !strings.Contains(why, c.says) {
			t.Errorf("%s: %q %v", name, why, err)
		}
	}
}

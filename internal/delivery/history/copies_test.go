package history_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

func TestCopies(t *testing.T) {
	t.Parallel()
	parse := func(path string) (config.App, error) {
		cfg, err := config.Parse("waybill.yaml", []byte(strings.Replace(
			configrepotest.Config("demo-api"), "source: acme/demo-api}", "promote: {paths: [\""+path+"\"]}}", 1,
		)))
		if err != nil {
			return config.App{}, err
		}
		return cfg.App("demo-api")
	}
	for what, test := range map[string]struct {
		path  string
		files map[string]string
		want  []string // NAME=TEXT, or -NAME
	}{
		"a file":        {"x/{env}.yaml", map[string]string{"x/dev.yaml": "1", "x/staging.yaml": "0"}, []string{"x/staging.yaml=1"}},
		"the same":      {"x/{env}.yaml", map[string]string{"x/dev.yaml": "1", "x/staging.yaml": "1"}, nil},
		"an empty file": {"x/{env}", map[string]string{"x/dev/a": ""}, []string{"x/staging/a="}},
		"one that is gone": {"x/{env}", map[string]string{
			"x/dev/a": "1", "x/staging/a": "1", "x/staging/b": "1",
		}, []string{"-x/staging/b"}},
		"nothing to copy": {"x/{env}", map[string]string{"x/staging/b": "1"}, nil},
		"a key": {"x/{env}.yaml#/a/b", map[string]string{"x/dev.yaml": "a: {b: 1, c: 1}", "x/staging.yaml": "a: {b: 0, c: 0}"},
			[]string{"x/staging.yaml=a: {b: 1, c: 0}"}},
		"a key that is not there": {"x/{env}.yaml#/a/d", map[string]string{"x/dev.yaml": "a: 1", "x/staging.yaml": "a: 0"}, nil},
		"a like name": {"x/{env}", map[string]string{
			"x/dev/a": "1", "x/dev2/a": "1", "x/staging2/a": "1",
		}, []string{"x/staging/a=1"}},
		"never the overlay": {"apps/{app}/overlays/{env}", map[string]string{
			configrepotest.Overlay("demo-api", "dev"): "1", "apps/demo-api/overlays/dev/a": "1",
			configrepotest.Overlay("demo-api", "staging"): "0",
		}, []string{"apps/demo-api/overlays/staging/a=1"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			app, err := parse(test.path)
			if err != nil {
				t.Fatal(err)
			}
			s := &configrepo.Snapshot{Files: map[string][]byte{}}
			for name, text := range test.files {
				s.Files[name] = []byte(text)
			}
			copies, err := history.Copies(s, app, "dev", "staging")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for name, data := range copies {
				if data == nil {
					got = append(got, "-"+name)
				} else {
					got = append(got, name+"="+string(data))
				}
			}
			if slices.Sort(got); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	const notMeant = "is not what is meant here: A path with {env}"
	for path, says := range map[string]string{
		"x/y": notMeant, "x/y.yaml#/{env}": notMeant, "x/{env}.yaml#a": notMeant,
		"x/{env}.yaml#/": notMeant,
		".github/{env}":  "promote.paths", ".waybill/holds/{env}": "promote.paths", "../{env}": "promote.paths",
		"x/../../{env}": "promote.paths",
		"/etc/{env}":    "without leading slash",
	} {
		if _, err := parse(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", path, err, says)
		}
	}
	app, err := parse("x/{env}")
	if err != nil {
		t.Fatal(err)
	}
	s := &configrepo.Snapshot{Files: map[string][]byte{"x/dev/a": []byte("1")}, Linked: map[string]bool{"x/dev/a": true}}
	if _, err := history.Copies(s, app, "dev", "staging"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link: %v", err)
	}
	if history.SameCopies(map[string][]byte{"a": nil}, map[string][]byte{"a": {}}) {
		t.Error("a file to delete is like an empty one")
	}
}

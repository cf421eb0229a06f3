package upgrades_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/upgrades"
)

func object(t *testing.T, text string) render.Object {
	t.Helper()
	o := render.Object{Name: "x"}
	if err := yaml.Unmarshal([]byte(text), &o.Content); err != nil {
		t.Fatal(err)
	}
	o.APIVersion, _ = o.Content["apiVersion"].(string)
	o.Kind, _ = o.Content["kind"].(string)
	return o
}

func application(source string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: " + source + "}\n"
}

func TestAhead(t *testing.T) {
	t.Parallel()
	chart := func(version string) string {
		return application(`{repoURL: https://charts.example, chart: loki, targetRevision: "` + version + `"}`)
	}
	git := func(url, revision string) string {
		return application("{repoURL: '" + url + "', path: chart, targetRevision: '" + revision + "'}")
	}
	release := func(version string) string {
		return "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n" +
			"spec: {chart: {spec: {chart: loki, version: '" + version + "'}}}\n"
	}
	oci := func(ref string) string {
		return "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n" +
			"spec: {url: oci://registry.example/loki, ref: {" + ref + "}}\n"
	}
	for name, c := range map[string]struct {
		dev, prod []string
		want      string // empty is no problem
	}{
		"the same": {[]string{chart("6.1.0")}, []string{chart("6.1.0")}, ""},
		"behind":   {[]string{chart("6.10.0")}, []string{chart("6.9.0")}, ""},
		"ahead": {
			[]string{chart("6.9.0")}, []string{chart("6.10.0")}, "prod has loki 6.10.0, and dev, which comes before, has 6.9.0",
		},
		"with another v":    {[]string{chart("v6.9.0")}, []string{chart("6.9.0")}, ""},
		"a release at last": {[]string{chart("6.9.0-rc.1")}, []string{chart("6.9.0")}, "prod has loki 6.9.0"},
		"a range": {
			[]string{chart("6.9.0")}, []string{chart("6.*")},
			`prod names no exact version of loki ("6.*"), so that prod can get a newer one than dev`,
		},
		"nothing":           {[]string{chart("6.9.0")}, []string{chart("")}, "prod names no exact version"},
		"a range in dev":    {[]string{chart("6.*")}, []string{chart("6.9.0")}, ""},
		"only in prod":      {nil, []string{chart("6.9.0")}, ""},
		"one of two in dev": {[]string{chart("6.9.0"), chart("6.10.0")}, []string{chart("6.10.0")}, ""},
		"one of two in prod": {
			[]string{chart("6.9.0")}, []string{chart("6.9.0"), chart("7.0.0")}, "prod has loki 7.0.0",
		},
		"from another registry": {
			[]string{chart("6.9.0")}, []string{application("{repoURL: ghcr.io/x, chart: mirror/loki, targetRevision: 7.0.0}")},
			"prod has loki 7.0.0",
		},
		"several sources": {
			[]string{chart("6.9.0")},
			[]string{"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {sources: [{repoURL: u, ref: values, targetRevision: main}, " +
				"{repoURL: u, chart: loki, targetRevision: 7.0.0}]}\n"},
			"prod has loki 7.0.0",
		},
		"an ApplicationSet": {
			[]string{chart("6.9.0")},
			[]string{"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\n" +
				"spec: {template: {spec: {source: {chart: loki, targetRevision: '{{version}}'}}}}\n"},
			"names no exact version",
		},
		"a tag in git": {
			[]string{git("https://git.example/x.git", "v1.0.0")}, []string{git("https://git.example/X/", "v1.1.0")},
			"prod has git.example/x//chart v1.1.0",
		},
		"a branch in git": {
			[]string{git("https://git.example/x", "v1.0.0")}, []string{git("https://git.example/x", "main")}, "",
		},
		"a HelmRelease": {[]string{release("6.9.0")}, []string{release("6.10.0")}, "prod has loki 6.10.0"},
		"an OCIRepository": {
			[]string{oci("tag: 6.9.0")}, []string{oci("tag: 6.10.0")}, "prod has registry.example/loki 6.10.0",
		},
		"Flux's range": {[]string{oci("tag: 6.9.0")}, []string{oci("semver: '>=6'")}, "names no exact version"},
		"another kind": {
			[]string{chart("1.0.0")},
			[]string{"apiVersion: acme.dev/v1\nkind: Application\nspec: {source: {chart: loki, targetRevision: 2.0.0}}\n"}, "",
		},
	} {
		read := func(texts []string) (found []upgrades.Version) {
			for _, text := range texts {
				found = append(found, upgrades.Read([]render.Object{object(t, text)})...)
			}
			return found
		}
		problems := upgrades.Ahead([]upgrades.Environment{{Name: "dev", Runs: read(c.dev)}, {Name: "prod", Runs: read(c.prod)}})
		switch {
		case c.want == "" && len(problems) > 0:
			t.Errorf("%s: %s", name, problems[0].Message)
		case c.want != "" && (len(problems) != 1 || problems[0].Env != "prod" || !strings.Contains(problems[0].Message, c.want)):
			t.Errorf("%s: got %v, want %q", name, problems, c.want)
		}
	}
}

// Each environment is compared with all before it, and said once.
func TestOrderOfThree(t *testing.T) {
	t.Parallel()
	runs := func(version string) []upgrades.Version { return []upgrades.Version{{Of: "loki", Text: version}} }
	problems := upgrades.Ahead([]upgrades.Environment{
		{Name: "dev", Runs: runs("1.0.0")}, {Name: "staging"}, {Name: "prod", Runs: runs("2.0.0")}, {Name: "other", Runs: runs("1.5.0")},
	})
	if len(problems) != 2 || problems[0].Env != "prod" || problems[1].Env != "other" || !strings.Contains(problems[1].Message, "dev") {
		t.Errorf("got %v", problems)
	}
}

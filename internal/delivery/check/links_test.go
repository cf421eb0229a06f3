package check_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// What is a link, or a submodule, in git leads a cluster to what nobody judged.
func TestLinksAreSaid(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	const at = "apps/demo-api/chart/templates/more.yaml"
	for what, mode := range map[string]string{"a symbolic link": "120000", "a submodule": "160000"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", map[string]string{"more.txt": "../../../../../more.txt"})
			id := w.Git(t, "rev-parse", "change:more.txt")
			if mode == "160000" {
				id = w.Git(t, "rev-parse", "main")
			}
			w.Git(t, "read-tree", "change")
			w.Git(t, "update-index", "--add", "--cacheinfo", mode+","+id+","+at)
			w.Git(t, "update-ref", "refs/heads/change", w.Git(t, "commit-tree", "-p", "change", "-m", "a link", w.Git(t, "write-tree")))
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if want := at + " is a link or a submodule: nothing of what it leads to is judged"; !strings.Contains(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
			w.Write(t, "main", "the base moves on", map[string]string{"README.md": "more\n"})
			if again := strings.Join(w.findings(t, "main", "change"), "\n"); again != got {
				t.Errorf("merged: got %s\nwant %s", again, got)
			}
		})
	}
}

// Git can hand out other files than it holds.
func TestAttributesOfGit(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	for _, file := range []string{".gitattributes", "apps/.gitattributes", ".gitmodules"} {
		w := template.copy(t)
		w.Write(t, "change", "the change", map[string]string{file: "*.yaml filter=lfs\n"})
		if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(
			got, file+" changes what files a deployer gets from git",
		) {
			t.Errorf("%s: got %s", file, got)
		}
	}
}

// A place whose overlay is an Application is judged by its digest, and compared in
// everything else; an overlay that makes Applications is compared too.
func TestOverlaysThatAreDeployers(t *testing.T) {
	t.Parallel()
	const file = "deploy/prod.yaml"
	application := func(n int) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source:\n    repoURL: u\n    " +
			"path: x\n    kustomize:\n      images: [\"ghcr.io/acme/demo-api@" + demo(n).Digest() + "\"]\n"
	}
	template := newWorld(t)
	config := strings.Replace(
		configrepotest.Config("demo-api"), "source: acme/demo-api}", "source: acme/demo-api, overlay: \"deploy/{env}.yaml\"}", 1,
	)
	for what, test := range map[string]struct {
		change map[string]string
		want   string // empty is nothing
	}{
		"its digest":         {map[string]string{file: application(2)}, ""},
		"a digest too early": {map[string]string{file: application(4)}, "refused order: " + demo(4).Short()},
		"its path": {
			map[string]string{file: strings.Replace(application(1), "path: x", "path: z", 1)},
			"Application a of deploy/prod.yaml deploys otherwise: spec.source.path goes from x to z",
		},
		"its path with it": {
			map[string]string{file: strings.Replace(application(2), "path: x", "path: z", 1)},
			"Application a of deploy/prod.yaml deploys otherwise: spec.source.path goes from x to z",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			files := map[string]string{"waybill.yaml": config}
			for _, env := range []string{"dev", "staging", "prod"} {
				files["deploy/"+env+".yaml"] = application(2)
			}
			files[file] = application(1)
			w.Write(t, "main", "before", files)
			w.Clock.Pass(48 * 3600e9)
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
	t.Run("in an overlay", func(t *testing.T) {
		t.Parallel()
		w := template.copy(t)
		w.Write(t, "change", "the change", resource(strings.Replace(application(2), evidencetest.Ref("demo-api", 2).String(), "x", 1)))
		if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(
			got, "Application a of apps/demo-api/overlays/prod is new",
		) {
			t.Errorf("got %s", got)
		}
	})
}

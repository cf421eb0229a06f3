package roots_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

func commit(t *testing.T, top string) {
	t.Helper()
	for _, args := range [][]string{
		{"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "change"},
	} {
		if _, err := git.Run(t.Context(), top, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// A root is touched when its entry in waybill.yaml says something else of its plan, though
// none of its files changes; and no other root is.
func TestAnotherEntryIsTouched(t *testing.T) {
	t.Parallel()
	file := func(a, b, more string) string {
		return "apiVersion: waybill.dev/v1\nterraform:\n" + more + "  roots:\n" +
			"    - {dir: infra/a" + a + "}\n    - {dir: infra/b" + b + "}\n"
	}
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":            {file("", "", ""), file("", "", "") + "# a comment\n", nil},
		"files":              {file("", "", ""), file(", files: [scripts]", "", ""), []string{"infra/a"}},
		"other files":        {file(", files: [scripts]", "", ""), file(", files: [other]", "", ""), []string{"infra/a"}},
		"files of variables": {file("", "", ""), file("", ", varFiles: [common.tfvars]", ""), []string{"infra/b"}},
		"destroy":            {file("", "", ""), file(", destroy: true", "", ""), []string{"infra/a"}},
		"a version":          {file("", "", ""), file("", `, version: "1.11.4"`, ""), []string{"infra/b"}},
		"the common version": {file("", "", ""), file("", "", "  version: \"1.11.4\"\n"), []string{"infra/a", "infra/b"}},
		"but for one's own": {
			file(`, version: "1.11.3"`, "", ""), file(`, version: "1.11.3"`, "", "  version: \"1.11.4\"\n"), []string{"infra/b"},
		},
		"another workspace":     {file("", "", ""), file(", workspace: blue", "", ""), []string{"infra/a"}},
		"what it comes after":   {file("", "", ""), file("", ", after: [infra/a]", ""), nil},
		"one that is new":       {file("", "", ""), file("", "}\n    - {dir: infra/c", ""), []string{"infra/c"}},
		"and one that was none": {"", file("", "", ""), nil},
	} {
		const root = "terraform {\n  backend \"local\" {}\n}\n"
		files := map[string]string{
			"infra/a/main.tf": root, "infra/b/main.tf": root, "scripts/x": "", "other/x": "", "common.tfvars": "", "infra/c/x.txt": "",
		}
		if c.before != "" {
			files["waybill.yaml"] = c.before
		}
		top := committed(t, files)
		put(t, top, map[string]string{"waybill.yaml": c.after})
		commit(t, top)
		chosen, err := roots.Select(t.Context(), roots.Request{Top: top, Since: "HEAD^"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, r := range chosen.Roots {
			got = append(got, r.Dir)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// What others made, changed or took away since is theirs.
func TestWhatOthersChangedSince(t *testing.T) {
	t.Parallel()
	const root = "terraform {\n  backend \"local\" {}\n}\n"
	entries := func(more string) string {
		return "apiVersion: waybill.dev/v1\nterraform:\n  roots:\n    - {dir: infra/a}\n" + more
	}
	top := committed(t, map[string]string{
		"waybill.yaml":    entries("    - {dir: infra/b}\n    - {dir: infra/gone}\n    - {dir: infra/old}\n"),
		"infra/a/main.tf": root, "infra/b/main.tf": root, "infra/new/main.tf": root, "infra/later/main.tf": root,
		"infra/gone/x": "", "infra/old/x": "",
	})
	for _, file := range []string{ // the change, and what others merged after it
		entries("    - {dir: infra/b, files: [infra/a]}\n    - {dir: infra/new}\n    - {dir: infra/old}\n"),
		"apiVersion: waybill.dev/v1\nterraform:\n  roots:\n    - {dir: infra/a, destroy: true}\n    - {dir: infra/b}\n" +
			"    - {dir: infra/new}\n    - {dir: infra/later}\n",
	} {
		put(t, top, map[string]string{"waybill.yaml": file})
		commit(t, top)
	}
	for until, want := range map[string]string{
		"HEAD^": "infra/b infra/new, without infra/gone", "": "infra/a infra/new infra/later, without infra/gone infra/old",
	} {
		chosen, err := roots.Select(t.Context(), roots.Request{Top: top, Since: "HEAD~2", Until: until, Files: []string{"waybill.yaml"}})
		if err != nil {
			t.Fatal(err)
		}
		var planned, gone []string
		for _, r := range chosen.Roots {
			planned = append(planned, r.Dir)
		}
		for _, r := range chosen.Removed {
			gone = append(gone, r.Dir)
		}
		if got := strings.Join(planned, " ") + ", without " + strings.Join(gone, " "); got != want {
			t.Errorf("until %q: %s, want %s", until, got, want)
		}
	}
}

// A root that is taken out of the list is planned once more where its files change. One
// whose workspaces are a pattern is not: nobody asked its backend which there are, and no
// workspace is called as the pattern is.
func TestRootsThatAreNoMore(t *testing.T) {
	t.Parallel()
	const root = "terraform {\n  backend \"local\" {}\n}\n"
	const entries = "apiVersion: waybill.dev/v1\nterraform:\n  roots:\n    - {dir: infra/a}\n"
	top := committed(t, map[string]string{
		"waybill.yaml":    entries + "    - {dir: infra/one}\n    - {dir: infra/each, workspaces: [\"eu-*\"]}\n",
		"infra/a/main.tf": root, "infra/one/main.tf": root, "infra/each/main.tf": root,
	})
	put(t, top, map[string]string{"waybill.yaml": entries})
	for _, args := range [][]string{
		{"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "change"},
	} {
		if _, err := git.Run(t.Context(), top, args...); err != nil {
			t.Fatal(err)
		}
	}
	chosen, err := roots.Select(t.Context(), roots.Request{
		Top: top, Since: "HEAD^", Files: []string{"waybill.yaml", "infra/one/main.tf", "infra/each/main.tf"},
	})
	if err != nil || len(chosen.Roots) != 1 || chosen.Roots[0].Dir != "infra/one" || len(chosen.Removed) != 2 {
		t.Errorf("planned %+v, removed %+v: %v", chosen.Roots, chosen.Removed, err)
	}
}

// A root of which something is missing stops a change that touches it, and no other one.
func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	const root = "terraform {\n  backend \"local\" {}\n}\n"
	call := func(source string) string { return "module \"m\" {\n  source = \"" + source + "\"\n}\n" }
	top := committed(t, map[string]string{
		"infra/a/main.tf": root + call("../../modules/there"), "infra/b/main.tf": root, "infra/c/main.tf": root,
		"modules/there/main.tf": call("../gone"), "infra/d/main.tf": root + call("../../links/m/deep"), "links/m->": "../real/m",
		"real/m->": "../elsewhere",
	})
	list := []roots.Root{{Dir: "infra/a"}, {Dir: "infra/b", VarFiles: []string{"gone.tfvars"}}, {Dir: "infra/c"}, {Dir: "infra/d"}}
	for file, says := range map[string]string{
		"infra/c/main.tf": "", "README.md": "", "infra/a/main.tf": "modules/gone does not exist",
		"modules/there/main.tf": "modules/gone does not exist",
		"links/m":               "links/m/deep does not exist", "real/m": "links/m/deep does not exist",
		"elsewhere/deep/x.tf": "links/m/deep does not exist", "elsewhere/other/x.tf": "",
		"modules/gone/main.tf": "modules/gone does not exist", "infra/b/x.tf": "gone.tfvars does not exist",
		"gone.tfvars": "gone.tfvars does not",
	} {
		kept, err := roots.Changed(t.Context(), top, list, []string{file})
		switch {
		case says == "" && (err != nil || (len(kept) == 1) != (file == "infra/c/main.tf")):
			t.Errorf("%s: %v %v", file, kept, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%s: %v %v, want %s", file, kept, err, says)
		}
	}
}

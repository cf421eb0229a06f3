package roots_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/gate/roots"
)

// A pattern stands for the workspaces that the backend lists, each once, and never for the
// default one.
func TestPatternsOfWorkspaces(t *testing.T) {
	t.Parallel()
	pattern := func(dir, glob string) roots.Root {
		return roots.Root{Dir: dir, Workspace: glob, Pattern: true, VarFiles: []string{"common.tfvars", "{workspace}.tfvars"}}
	}
	root := func(dir, workspace string) roots.Root {
		return roots.Root{Dir: dir, Workspace: workspace, VarFiles: []string{"common.tfvars", workspace + ".tfvars"}}
	}
	prod := roots.Root{Dir: "a", Workspace: "eu-prod"}
	found := roots.Workspaces{"a": {"default", "eu-dev", "eu-prod", "us-dev"}, "b": {"default"}}
	for name, c := range map[string]struct {
		list, want []roots.Root
		unmatched  []string
	}{
		"some": {[]roots.Root{pattern("a", "eu-*")}, []roots.Root{root("a", "eu-dev"), root("a", "eu-prod")}, nil},
		"all but default": {
			[]roots.Root{pattern("a", "*")}, []roots.Root{root("a", "eu-dev"), root("a", "eu-prod"), root("a", "us-dev")}, nil,
		},
		"named by itself":    {[]roots.Root{pattern("a", "eu-*"), prod}, []roots.Root{root("a", "eu-dev"), prod}, nil},
		"two patterns":       {[]roots.Root{pattern("a", "eu-p*"), pattern("a", "*-prod")}, []roots.Root{root("a", "eu-prod")}, nil},
		"one of several":     {[]roots.Root{pattern("a", "{us,x}-*")}, []roots.Root{root("a", "us-dev")}, nil},
		"none":               {[]roots.Root{pattern("a", "asia-*")}, nil, []string{"a: no workspace matches asia-*"}},
		"the default alone":  {[]roots.Root{pattern("b", "def*")}, nil, []string{"b: no workspace matches def*"}},
		"not listed":         {[]roots.Root{pattern("c", "*")}, []roots.Root{pattern("c", "*")}, nil},
		"a name, no pattern": {[]roots.Root{{Dir: "a", Workspace: "x"}}, []roots.Root{{Dir: "a", Workspace: "x"}}, nil},
	} {
		if diff := cmp.Diff(c.want, found.Expand(c.list)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(c.unmatched, found.Unmatched(c.list)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

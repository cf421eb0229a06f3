package roots_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const bucket = "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key    = \"KEY\"\n  }\n}\n"

func owners(t *testing.T, keys map[string]string) []roots.Owner {
	t.Helper()
	top := t.TempDir()
	var list []roots.Root
	for dir, key := range keys {
		put(t, top, map[string]string{dir + "/main.tf": strings.ReplaceAll(bucket, "KEY", key)})
		list = append(list, roots.Root{Dir: dir})
	}
	return roots.Owners(top, list, nil)
}

// A root may not take the state of another: neither of one beside it, nor of one
// that owned it where the change is to be merged.
func TestOneStateBelongsToOneRoot(t *testing.T) {
	t.Parallel()
	prod := owners(t, map[string]string{"infra/prod": "prod"})
	for name, c := range map[string]struct {
		head, base []roots.Owner
		want       string // of sandbox/play; empty passes
		takesOver  bool
	}{
		"its own": {
			owners(t, map[string]string{"infra/prod": "prod", "sandbox/play": "play"}),
			owners(t, map[string]string{"infra/prod": "prod", "sandbox/play": "play"}), "", false,
		},
		"a neighbour's": {
			owners(t, map[string]string{"infra/prod": "prod", "sandbox/play": "./prod"}), prod,
			"sandbox/play keeps its state where infra/prod does", true,
		},
		"that a neighbour leaves in the same change": {
			owners(t, map[string]string{"infra/prod": "new", "sandbox/play": "prod"}), prod,
			"sandbox/play keeps its state where infra/prod does", true,
		},
		"of a root that is no more": {owners(t, map[string]string{"sandbox/play": "prod"}), prod, "", false},
		"that no root owns":         {owners(t, map[string]string{"infra/prod": "prod", "sandbox/play": "alias"}), prod, "", true},
	} {
		states := roots.States{Head: c.head, Base: c.base, HasBase: true}
		err := states.Check("sandbox/play", "")
		if c.want == "" && err != nil || c.want != "" && (outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "" && states.TakesOver("sandbox/play", "") != c.takesOver {
			t.Errorf("%s: takes over %t", name, !c.takesOver)
		}
	}
	if (roots.States{Head: prod}).TakesOver("infra/prod", "") {
		t.Error("without a base, nobody can tell")
	}
	if got := (roots.States{Head: prod}).Place("infra/prod", ""); got != "s3 bucket=b key=prod" {
		t.Error(got)
	}
}

package roots_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const bucket = "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key    = \"KEY\"\n  }\n}\n"

// What moves beside resources is said: the place of the state, the workspace,
// providers and their hashes.
func TestMoves(t *testing.T) {
	t.Parallel()
	lock := func(version string, hashes string) string {
		return "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"" + version + "\"\n  hashes = [" + hashes + "]\n}\n"
	}
	at := func(key, workspace, lockFile string) []roots.Owner {
		top := t.TempDir()
		put(t, top, map[string]string{"prod/main.tf": strings.ReplaceAll(bucket, "KEY", key), "prod/.terraform.lock.hcl": lockFile})
		return roots.Owners(top, []roots.Root{{Dir: "prod", Workspace: workspace}}, nil)
	}
	const aws = "registry.terraform.io/hashicorp/aws"
	same := lock("5.0.0", `"h1:a", "h1:b"`)
	before := at("a", "", same)
	for name, c := range map[string]struct {
		head []roots.Owner
		now  string // workspace
		want string
	}{
		"nothing":              {at("a", "", lock("5.0.0", `"h1:b", "h1:a"`)), "", ""},
		"the key":              {at("b", "", same), "", "its state was in s3 bucket=b key=a, and is in s3 bucket=b key=b"},
		"the workspace":        {at("a", "blue", lock("5.0.0", `"h1:a", "h1:b"`)), "blue", "its workspace was default, and is blue"},
		"a provider's version": {at("a", "", lock("6.0.0", `"h1:c"`)), "", "provider " + aws + " was 5.0.0, and is 6.0.0"},
		"a hash": {
			at("a", "", lock("5.0.0", `"h1:a", "h1:c"`)), "", "provider " + aws + " 5.0.0 has other hashes in the lock file",
		},
		"a provider": {
			at("a", "", lock("5.0.0", `"h1:a", "h1:b"`)+"provider \"example.com/a/b\" {\n  version = \"1.0.0\"\n}\n"), "",
			"provider example.com/a/b 1.0.0 is new in the lock file",
		},
	} {
		if got := strings.Join((roots.States{Head: c.head, Base: before, HasBase: true}).Moves("prod", c.now), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (roots.States{Head: before, HasBase: true}).Moves("prod", ""); got != nil {
		t.Errorf("a new root: %q", got)
	}
}

// Which fetched modules have another source or version is said, also of those that local
// modules call; it is nothing that moves.
func TestModules(t *testing.T) {
	t.Parallel()
	at := func(root, local string) []roots.Owner {
		top := t.TempDir()
		call := func(name, rest string) string { return "module \"" + name + "\" {\n" + rest + "\n}\n" }
		put(t, top, map[string]string{
			"prod/main.tf": bucket + call("net", `source = "../net"`) + call("again", `source = "../net"`) + root,
			"net/main.tf":  call("vpc", local) + call("self", `source = "../prod"`),
		})
		return roots.Owners(top, []roots.Root{{Dir: "prod"}}, nil)
	}
	const old = "source  = \"acme/vpc/aws\"\n  version = \"5.0.0\""
	before := at("", old)
	for name, c := range map[string]struct {
		head []roots.Owner
		want string
	}{
		"nothing": {at("", old), ""},
		"a version": {
			at("", strings.ReplaceAll(old, "5.0.0", "5.1.0")), "module vpc in net was acme/vpc/aws 5.0.0, and is acme/vpc/aws 5.1.0",
		},
		"a source": {
			at("", `source = "git::https://example.com/vpc?ref=abc"`),
			"module vpc in net was acme/vpc/aws 5.0.0, and is git::https://example.com/vpc?ref=abc",
		},
		"a module": {at("module \"new\" {\n  source = \"acme/x/aws\"\n}\n", old), "module new in prod is new: acme/x/aws"},
	} {
		states := roots.States{Head: c.head, Base: before, HasBase: true}
		if got := strings.Join(states.Modules("prod", ""), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := states.Moves("prod", ""); got != nil {
			t.Errorf("%s moves %q", name, got)
		}
	}
	if got := (roots.States{Head: before, HasBase: true}).Modules("prod", ""); got != nil {
		t.Errorf("a new root: %q", got)
	}
}

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

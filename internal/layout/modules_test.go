package layout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

func goMod(t *testing.T, dir string) *modfile.File {
	t.Helper()
	name := filepath.Join(tooltest.Root(t), filepath.FromSlash(dir), "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := modfile.Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// otherVersions lists the modules that both files require, at different versions.
func otherVersions(product, peers *modfile.File) (different []string, shared int) {
	versions := make(map[string]string)
	for _, r := range product.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range peers.Require {
		switch version, ok := versions[r.Mod.Path]; {
		case !ok:
		case version != r.Mod.Version:
			different = append(different, fmt.Sprintf("%s: %s, and the peers have %s", r.Mod.Path, version, r.Mod.Version))
		default:
			shared++
		}
	}
	return different, shared
}

// The command lines that Waybill is compared with are built of the modules that it
// links. Another version would compare two libraries, and compile each twice.
func TestPeersHaveTheProductsVersions(t *testing.T) {
	t.Parallel()
	peers := goMod(t, "internal/tools/peers")
	different, shared := otherVersions(goMod(t, "."), peers)
	for _, d := range different {
		t.Errorf("%s: run make peers", d)
	}
	if shared < 100 {
		t.Errorf("only %d modules are shared: something is not read", shared)
	}
	makefile, err := os.ReadFile(filepath.Join(tooltest.Root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range peers.Tool {
		if !strings.Contains(string(makefile), tool.Path) {
			t.Errorf("the Makefile builds no %s", tool.Path)
		}
	}
	for _, name := range []string{"cosign/v2/cmd/cosign", "trivy/cmd/trivy", "cmd/crane", "cmd/helm", "kustomize/kustomize/v5"} {
		if !slices.ContainsFunc(peers.Tool, func(tool *modfile.Tool) bool { return strings.HasSuffix(tool.Path, name) }) {
			t.Errorf("internal/tools/peers has no tool %s", name)
		}
	}
}

func TestOtherVersionsAreSeen(t *testing.T) {
	t.Parallel()
	parse := func(text string) *modfile.File {
		f, err := modfile.Parse("go.mod", []byte("module m\n"+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	different, shared := otherVersions(
		parse("require (\na.example/a v1.0.0\na.example/b v1.0.0\na.example/c v1.0.0\n)\n"),
		parse("require (\na.example/a v1.0.0\na.example/b v1.0.1 // indirect\na.example/d v1.0.0\n)\n"),
	)
	if want := []string{"a.example/b: v1.0.0, and the peers have v1.0.1"}; !slices.Equal(different, want) || shared != 1 {
		t.Errorf("got %q and %d, want %q and 1", different, shared, want)
	}
}

// What users scan with Waybill holds nothing that only its tests start.
func TestTheProductHasNoTools(t *testing.T) {
	t.Parallel()
	for _, tool := range goMod(t, ".").Tool {
		t.Errorf("go.mod has the tool %s: it belongs into a module below internal/tools", tool.Path)
	}
}

// `go install …@VERSION` refuses a module whose go.mod replaces another.
// https://go.dev/ref/mod#go-install
func TestTheModuleCanBeInstalled(t *testing.T) {
	t.Parallel()
	f := goMod(t, ".")
	if len(f.Replace)+len(f.Exclude) > 0 {
		t.Errorf("go.mod replaces %d modules and excludes %d: go install would refuse it", len(f.Replace), len(f.Exclude))
	}
}

// docs/evidence.md says of which versions what it says of cosign and of the engines is:
// those that the tests run.
func TestDocumentedVersionsAreThoseThatAreRun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ tools, module, says string }{ // %s is the version, %m its first number
		{"policycontroller", "github.com/sigstore/policy-controller", "\npolicy-controller (%s) reads less than Kyverno."},
		{"peers", "github.com/sigstore/cosign/v", "These are cosign %m and gh"},
		{"kyverno", "github.com/sigstore/cosign/v", "Kyverno's engine, which judges the same bundles, has cosign %m's libraries"},
	} {
		found := false
		for _, r := range goMod(t, "internal/tools/"+c.tools).Require {
			if !strings.HasPrefix(r.Mod.Path, c.module) {
				continue
			}
			found = true
			version := strings.TrimPrefix(r.Mod.Version, "v")
			major, _, _ := strings.Cut(version, ".")
			if want := strings.NewReplacer("%s", version, "%m", major).Replace(c.says); !strings.Contains(string(text), want) {
				t.Errorf("docs/evidence.md does not say %q", strings.TrimSpace(want))
			}
		}
		if !found {
			t.Errorf("internal/tools/%s has no %s", c.tools, c.module)
		}
	}
}

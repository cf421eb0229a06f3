package scan

import (
	"context"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The table of docs/evidence.md names the limits that the child is told, and those
// that it has by itself.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	ref, err := imageref.Parse("registry.example/acme/app@sha256:" + strings.Repeat("1", 64))
	if err != nil {
		t.Fatal(err)
	}
	request, err := newRequest(t.Context(), onePlatform{}, Database{}, Options{Image: ref}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := request.Limits
	guard := func(name string) string {
		return mebibytes(constantOf(t, "internal/delivery/scan/trivy/guard.go", name))
	}
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ what, limit string }{
		{"layers of a platform, unpacked", gibibytes(l.ImageBytes)},
		{
			"a layer, or the archives within an archive",
			fmt.Sprintf("%d times its size, beyond %s", l.Ratio, mebibytes(l.RatioFree)),
		},
		{
			"temporary files at one time; memory; time",
			fmt.Sprintf("%s; %s; %.0f minutes", gibibytes(l.DiskBytes), gibibytes(l.MemoryBytes), DefaultTimeout.Minutes()),
		},
		{
			"files; files that describe packages; packages, of them the distribution's; JAR files and the like, for each platform",
			thousands(l.Files) + "; " + thousands(l.PackageFiles) + "; " + thousands(l.Packages) + ", " + thousands(l.System) + "; " +
				thousands(l.Archives),
		},
		{
			"one file that describes packages",
			guard("mostOfPackageFile") + "; the database of APK " + guard("mostOfAPK") + ", of RPM " + guard("mostOfRPM") +
				"; an SBOM " + guard("mostOfBOM"),
		},
		{
			"archives within archives",
			fmt.Sprintf("%d deep; %s for a description in one", l.ArchiveDepth,
				mebibytes(constantOf(t, "internal/delivery/scan/nested/nested.go", "mostOfMetadata"))),
		},
	} {
		if line := "\n| " + row.what + " | " + row.limit + " |\n"; !strings.Contains(string(text), line) {
			t.Errorf("docs/evidence.md, Hostile images, has no row %q", strings.TrimSpace(line))
		}
	}
}

// onePlatform says of every image that it has one.
type onePlatform struct{}

func (onePlatform) Contents(_ context.Context, ref imageref.Ref) (registry.Contents, error) {
	return registry.Contents{
		Platforms: []registry.Platform{{Platform: "linux/amd64", Ref: ref}}, Manifests: []string{ref.Digest()},
	}, nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

func gibibytes(n int64) string { return fmt.Sprintf("%d GiB", n>>30) }

// thousands is a number with commas between its thousands.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// constantOf is the value of a constant in a file of another package, which need not
// export it.
func constantOf(t *testing.T, file, name string) int64 {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(tooltest.Root(t), file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found ast.Expr
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, is := n.(*ast.ValueSpec); is && spec.Names[0].Name == name && len(spec.Values) == 1 {
			found = spec.Values[0]
		}
		return found == nil
	})
	if found == nil {
		t.Fatalf("%s has no constant %s", file, name)
	}
	value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(found))
	if err != nil {
		t.Fatal(err)
	}
	n, exact := constant.Int64Val(value.Value)
	if !exact {
		t.Fatalf("%s of %s is no whole number: %s", name, file, value.Value)
	}
	return n
}

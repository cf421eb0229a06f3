package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func TestWithin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	work, outside := filepath.Join(dir, "work"), filepath.Join(dir, "work-temp")
	for _, d := range []string{work + "/app", work + "/.git/modules", outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{work + "/app/Dockerfile", work + "/.git/config", outside + "/Dockerfile"} {
		if err := os.WriteFile(f, []byte("FROM scratch\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		work + "/out": outside, work + "/in": "app", work + "/app/linked": outside + "/Dockerfile", dir + "/workspace": work,
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	const left = "is outside of the checked-out repository"
	for _, test := range []struct{ context, file, want string }{
		{"app", "", ""}, {".", "app/Dockerfile", ""}, {"in", "", ""}, {"app/../app", "", ""}, {"missing", "", ""},
		{"..", "", "--context: "}, {"../work-temp", "", left}, {outside, "", left}, {"out", "", left}, {"app/../../work-temp", "", left},
		{"app", "../work-temp/Dockerfile", "--file: "}, {"app", "app/linked", left}, {"app", outside + "/Dockerfile", left},
		{"app", "/proc/self/environ", left},
		{".git", "", "is inside .git"}, {".git/modules", "app/Dockerfile", "is inside .git"}, {".", ".git/config", "is inside .git"},
	} {
		in := func(path string) string {
			if path == "" || filepath.IsAbs(path) {
				return path
			}
			return work + "/" + path
		}
		for _, workspace := range []string{work, dir + "/workspace"} {
			err := build.Within(workspace, in(test.context), in(test.file), nil)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%s %s: %v", test.context, test.file, err)
			case test.want != "" && (outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s %s: got %v, want %q", test.context, test.file, err, test.want)
			}
		}
	}
	if err := build.Within("", outside, "", nil); err != nil {
		t.Errorf("on a laptop: %v", err)
	}
}

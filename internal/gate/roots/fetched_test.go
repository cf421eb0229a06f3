package roots_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const bare = "terraform {\n  backend \"local\" {}\n}\n"

// Whether a file can be started counts, as git keeps it: a shell asks for it.
func TestTheModeOfAProgramCounts(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	put(t, top, map[string]string{"infra/a/main.tf": bare, "infra/a/run.sh": "#!/bin/sh\n"})
	before, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(top, "infra/a/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	after, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if before.Digest == after.Digest {
		t.Error("a file that can be started now has the digest that it had before")
	}
}

// A plan can bind a root to more files, and to nothing outside of the repository: whoever
// believes it would read that.
func TestWhatAPlanSaysThatFetchedModulesRead(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	put(t, top, map[string]string{"infra/a/main.tf": bare, "shared/a": "x", "other/b": "x"})
	if err := os.Symlink("/proc", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	sources, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	more, err := sources.With(t.Context(), top, "infra/a", &roots.Fetched{Reads: []string{"shared", "absent"}})
	if err != nil || more.Digest == sources.Digest || !more.Uses("shared/a") || more.Uses("other/b") || more.LockFile != sources.LockFile {
		t.Errorf("with what a fetched module reads: %+v, %v", more, err)
	}
	for _, name := range []string{"../x", "/etc/passwd", "link/self", "link"} {
		_, err := sources.With(t.Context(), top, "infra/a", &roots.Fetched{Reads: []string{name}})
		if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "outside of the repository") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What lies among the fetched modules counts by their digests: it is there when terraform
// has initialised, and not before.
func TestFilesAmongFetchedModules(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	put(t, top, map[string]string{
		"infra/a/main.tf": bare + "locals {\n  x = file(\"${path.root}/.terraform/modules/far/x.json\")\n}\n",
	})
	before, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, top, map[string]string{"infra/a/.terraform/modules/far/x.json": "{}"})
	after, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil || after.Digest != before.Digest {
		t.Errorf("initialised, the configuration has another digest: %v", err)
	}
}

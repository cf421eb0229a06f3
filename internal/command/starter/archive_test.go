package starter_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

var update = flag.Bool("update", false, "write applications.txtar from examples/")

// The archive of the example applications is what stands in examples/: run with
// -update after changing them.
func TestArchive(t *testing.T) {
	t.Parallel()
	archive := txtar.Archive{Comment: []byte("The example applications, written by go test -run TestArchive -update: do not edit.\n\n")}
	for _, a := range []struct{ name, dir string }{{"backend", "app"}, {"frontend", "frontend"}} {
		dir := filepath.Join(tooltest.Root(t), "examples", a.dir)
		for name, data := range tree(t, dir) {
			if strings.HasPrefix(name, "dist/") || name == "coverage.out" {
				continue
			}
			if txtar.Parse([]byte(data)).Files != nil || !strings.HasSuffix(data, "\n") {
				t.Fatalf("%s cannot stand in an archive", name)
			}
			archive.Files = append(archive.Files, txtar.File{Name: a.name + "/" + name, Data: []byte(data)})
		}
	}
	sortFiles(archive.Files)
	want := string(txtar.Format(&archive))
	if *update {
		if err := os.WriteFile("applications.txtar", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("applications.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("applications.txtar is not examples/: go test ./internal/command/starter -run TestArchive -update\n%s", diff)
	}
}

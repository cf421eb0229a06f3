package build

import (
	"archive/tar"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// A tar beyond a limit is refused by the limit's name, before the file that is
// too much is written.
func TestLimitsOfATar(t *testing.T) {
	t.Parallel()
	archive := func(sizes ...int) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for i, size := range sizes {
			if err := w.WriteHeader(&tar.Header{Name: string(rune('a' + i)), Mode: 0o644, Size: int64(size)}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, c := range []struct {
		data  []byte
		says  string
		files int
	}{
		{archive(10, 10, 10), "", 3},
		{archive(1, 1, 1, 1), "more than 3 entries, which is the limit of a build context", 3},
		{archive(20, 11), "b: the tar's files are larger than the limit of a build context (30 bytes)", 1},
		{archive(), "it is empty", 0}, {[]byte("no tar"), "holds no whole tar", 0},
	} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		err = unpackEntries(root, bytes.NewReader(c.data), tarLimits{entries: 3, bytes: 30})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
		if strings.Contains(c.says, "limit") && outcome.Code(err) != outcome.Usage {
			t.Errorf("exit code %d: %v", outcome.Code(err), err)
		}
		if found, err := os.ReadDir(dir); err != nil || len(found) != c.files {
			t.Errorf("%q: %d files, want %d", c.says, len(found), c.files)
		}
	}
}

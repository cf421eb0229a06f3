package configrepo_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// Where GitHub cuts the list of files, the archive gives it, and only directories in which the
// archive differs from the commit are listed, one by one.
func TestLargeTree(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		".github/workflows/a.yml": "a: 1\n", "apps/x": "x\n", "apps.txt": "t\n", "apps-1/y": "y\n", "waybill.yaml": "a: b\n", "ü/ß": "s\n",
	}
	for i := range 20 {
		files[fmt.Sprintf("apps/a-%d/overlays/dev/kustomization.yaml", i)] = fmt.Sprint("n: ", i, "\n")
	}
	for what, test := range map[string]struct {
		attributes string
		most       int // requests; the list that is cut, the archive by two, and the commit come first
	}{
		"an archive that is the commit": {"", 4},
		"one that is not": {
			"apps/a-7/overlays/dev/* export-ignore\napps/a-8/overlays/dev/* export-subst\n",
			4 + 1 + 2 + 2 + 2, // the top, apps twice, two of its parts, and two files
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			all := map[string]string{".gitattributes": test.attributes}
			for name, text := range files {
				all[name] = text
			}
			all["apps/a-8/overlays/dev/subst"] = "$Format:%H$\n"
			r := configrepotest.GitHubThatCuts(t, 5, all)
			head := must(r.Head(t.Context(), "main"))(t)
			r.Requests.Take()
			s := must(r.Snapshot(t.Context(), head))(t)
			if n, asked := r.Requests.Take(); n > test.most {
				t.Errorf("%d requests, want at most %d:\n%s", n, test.most, asked)
			}
			if len(s.Files) != len(all) {
				t.Errorf("%d files, want %d", len(s.Files), len(all))
			}
			for name, text := range all {
				if !bytes.Equal(s.Files[name], []byte(text)) {
					t.Errorf("%s holds %q, want %q", name, s.Files[name], text)
				}
			}
		})
	}
}

// A commit of which the archive tells little is not listed by thousands of requests.
func TestLargeTreeEnds(t *testing.T) {
	t.Parallel()
	files := map[string]string{".gitattributes": "** export-ignore\n"}
	for i := range 110 {
		for j := range 4 {
			files[fmt.Sprintf("d%d/e%d/f", i, j)] = "f\n"
		}
	}
	r := configrepotest.GitHubThatCuts(t, 3, files)
	_, err := r.Snapshot(t.Context(), "main")
	if err == nil || !strings.Contains(err.Error(), "GitHub cuts the list because there are too many files: use a local clone") {
		t.Errorf("got %v", err)
	}
}

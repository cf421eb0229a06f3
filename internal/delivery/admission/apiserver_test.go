package admission_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
)

// What a real API server decided (kube-apiserver 1.36.3, by kubectl create
// --dry-run=server, with the policies beside it applied), Waybill decides too.
// The server names the first of its reasons; it must be among ours.
func TestAsTheAPIServer(t *testing.T) {
	t.Parallel()
	files := make(map[string][]byte)
	names, err := filepath.Glob("testdata/apiserver/platform/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files["platform/"+filepath.Base(name)] = data
	}
	set := admission.Load(files)
	if len(set.Problems) > 0 {
		t.Fatalf("%+v", set.Problems)
	}
	data, err := os.ReadFile("testdata/apiserver/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Case    string
		Refused string // part of the server's words; empty where it took the object
		Object  map[string]any
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, c := range cases {
		violations, gaps, err := set.Judge(t.Context(), admission.Object{ID: c.Case, Content: c.Object})
		if err != nil || len(gaps) > 0 {
			t.Fatalf("%s: %v %+v", c.Case, err, gaps)
		}
		found := c.Refused == "" && len(violations) == 0
		for _, v := range violations {
			found = found || c.Refused != "" && strings.Contains(v.Message, c.Refused)
		}
		if !found {
			t.Errorf("%s: the server says %q, and we %+v", c.Case, c.Refused, violations)
		}
		if c.Refused != "" {
			refused++
		}
	}
	if refused < 20 || len(cases)-refused < 10 {
		t.Errorf("%d of %d are refused: that proves little", refused, len(cases))
	}
}

package comment

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/markdown"
)

// A list of many roots leaves a comment of a size that GitHub takes: the list is whole,
// and words that have no room are left out.
func TestListsOfManyRoots(t *testing.T) {
	t.Parallel()
	var many []Moved
	words := ""
	for i := range 450 {
		m := Moved{Dir: "infra/customers", Workspace: fmt.Sprintf("customer-%d", i), Lineage: strings.Repeat("a", 36), Serial: 12, By: 7}
		many, words = append(many, m), words+"\n- "+m.String()
	}
	data, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	body := listBody(movedMarker, data, words)
	if n := utf8.RuneCountInString(body); n > markdown.MaxComment || !strings.HasSuffix(body, "… and more\n") {
		t.Errorf("%d characters, which end with %q", n, body[len(body)-20:])
	}
	line, _, _ := strings.Cut(body, "\n")
	var read []Moved
	list := strings.TrimSuffix(strings.TrimPrefix(line, movedMarker+" "), " -->")
	if err := json.Unmarshal([]byte(list), &read); err != nil || len(read) != 450 {
		t.Errorf("%d of the list can be read: %v", len(read), err)
	}
	if short := listBody(movedMarker, []byte("[]"), "words\n"); short != movedMarker+" [] -->\nwords\n" {
		t.Errorf("a short one is %q", short)
	}
}

package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// A change of the rules is told what it would have stopped; any other change is
// not, and trouble with that is a note.
func TestChangedRulesAreReplayed(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry()
	for n := 1; n <= 2; n++ {
		images.Push(evidencetest.Image{App: "demo-api", N: n, At: r.Clock.Now()})
		r.Deploy(t, "main", "dev", "demo-api", evidencetest.Ref("demo-api", n))
		r.Clock.Pass(2 * time.Hour)
		r.Deploy(t, "main", "staging", "demo-api", evidencetest.Ref("demo-api", n))
	}
	text := configrepotest.Config("demo-api")
	r.Write(t, "soak", "soak", map[string]string{"waybill.yaml": strings.Replace(text, "soak: 30m", "soak: 3h", 1)})
	r.Write(t, "else", "else", map[string]string{"waybill.yaml": text + "# more\n", "README.md": "more\n"})
	store, ok := r.Store.(*configrepo.Local)
	if !ok {
		t.Fatal("no local store")
	}
	d := desk.Desk{Repo: store, Judge: func(context.Context, string) (*rules.Judge, error) {
		return &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}, nil
	}}
	notes := func(head string) (list string) {
		t.Helper()
		verdict, err := d.Take(t.Context(), desk.Request{Base: "main", Head: head})
		if err != nil || verdict.State() != evidence.Met {
			t.Fatalf("%+v %v", verdict, err)
		}
		for _, n := range verdict.Notes {
			list += n.Rule + ": " + n.Message + "\n"
		}
		return list
	}
	const want = "replay: these rules would newly have stopped 2 of the last 4 deployments (soak 2): waybill replay lists them\n"
	if got := notes("soak"); got != want {
		t.Errorf("got %swant %s", got, want)
	}
	if got := notes("else"); got != "" {
		t.Errorf("nothing of the rules changes: %s", got)
	}
	images.Break(errors.New("503"))
	if got := notes("soak"); !strings.Contains(got, "what they would have stopped could not be found out: ") ||
		!strings.Contains(got, "503") {
		t.Errorf("in trouble: %s", got)
	}
}

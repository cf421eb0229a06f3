package seal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The parts of a joined plan are bounded together, each as it is kept: a list of many that
// fit alone does not fill the memory of the job that opens them.
func TestJoinedPlansThatAreLarge(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	place, size := t.TempDir(), 0
	j := Joined{}
	for _, name := range []string{"one", "two"} {
		binary := []byte("plan of " + name)
		record := plan.RootRecord{Dir: "infra/" + name, Workspace: "default"}
		if record.Plan, err = terraform.PlanDigest(binary); err != nil {
			t.Fatal(err)
		}
		shown := []byte(`{"format_version":"1.2"}`)
		if record.Changes, err = plan.ChangesDigest(shown); err != nil {
			t.Fatal(err)
		}
		b := Bundle{
			Document: plan.Document{Version: plan.DocumentVersion, Repository: "acme/infra", Head: "h", Roots: []plan.RootRecord{record}},
			Expires:  time.Now().Add(time.Hour), Roots: []Root{{Binary: binary, JSON: shown}},
		}
		sealed, err := Seal(b, []Recipient{identity.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		where := filepath.Join(place, name+".sealed")
		if err := os.WriteFile(where, sealed, 0o600); err != nil {
			t.Fatal(err)
		}
		j.Parts, j.Order = append(j.Parts, where), append(j.Order, JoinedRoot{Dir: record.Dir, Workspace: record.Workspace})
		size += len(sealed)
	}
	data, err := j.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s := Source{Plan: filepath.Join(place, "joined"), Identities: []Identity{identity}, Expect: Expect{Now: time.Now()}}
	if b, err := s.openJoined(t.Context(), data, size); err != nil || len(b.Roots) != 2 {
		t.Errorf("as large as they may be: %+v %v", b, err)
	}
	_, err = s.openJoined(t.Context(), data, size-1)
	says := fmt.Sprintf("its parts are larger than %d bytes together", size-1)
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), says) {
		t.Errorf("a byte more: %v", err)
	}
}

package proposal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The workspaces reach the jobs that plan as an environment variable, which has a limit.
func TestMoreWorkspacesThanAJobCanBeTold(t *testing.T) {
	t.Parallel()
	list := func(n int) roots.Workspaces {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("customer-%05d", i))
		}
		return roots.Workspaces{"infra/customers": names}
	}
	if err := tellable(list(5_000)); err != nil {
		t.Error(err)
	}
	err := tellable(list(7_000))
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "list 7000 workspaces, more than the jobs that plan can be told") {
		t.Errorf("got %v", err)
	}
}

package promote_test

import (
	"context"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/github"
)

func setStatus(t *testing.T, f pulls.Forge, head, state string) error {
	t.Helper()
	return f.API.SetStatus(
		t.Context(), f.Repository, head, github.Status{Context: f.StatusContext, State: state, Description: "the verdict"},
	)
}

// racing does something before the first commit is made.
type racing struct {
	configrepotest.Store
	once sync.Once
	do   func()
}

func (r *racing) Commit(ctx context.Context, req configrepo.Request) (string, error) {
	r.once.Do(r.do)
	return r.Store.Commit(ctx, req)
}

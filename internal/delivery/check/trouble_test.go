package check

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// What this machine could not render or judge in time is trouble. It says
// nothing of the change: neither that it is refused nor that it has to wait.
func TestTroubleOutsideOfOverlays(t *testing.T) {
	t.Parallel()
	for what, files := range map[string]map[string]string{
		"a kustomization": {"platform/x/kustomization.yaml": "resources: []\n"},
		"a manifest":      {"platform/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"},
		"one that goes":   {"platform/y/kustomization.yaml": ""},
		"one of overlays": {"clusters/prod/kustomization.yaml": "resources: [../../apps/demo-api/overlays/prod]\n"},
	} {
		r := configrepotest.Local(t, configrepotest.Files("demo-api"))
		r.Write(t, "main", "before", map[string]string{"platform/y/kustomization.yaml": "resources: []\n", "platform/y/x.yaml": "a: b\n"})
		r.Write(t, "change", "the change", files)
		s := newSession(&Checker{Repo: r, Judge: &rules.Judge{}})
		if err := s.load(t.Context(), "main", "change"); err != nil {
			t.Fatal(err)
		}
		over := &limit.Exceeded{Message: "rendering takes longer"}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(over)
		err := s.outside(ctx)
		if outcome.Code(err) != outcome.Broken || !errors.Is(err, over) || len(s.result.Findings) != 0 {
			t.Errorf("%s: got %v with %v, want trouble and no finding", what, err, s.result.Findings)
		}
	}
}

// Each of the two kinds of trouble is one, and nothing else is.
func TestTroubled(t *testing.T) {
	t.Parallel()
	over := fmt.Errorf("render x: %w", &limit.Exceeded{Message: "rendering takes longer"})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for what, test := range map[string]struct {
		ctx  context.Context
		err  error
		want bool
	}{
		"a limit": {t.Context(), over, true}, "an interrupt": {gone, errors.New("x"), true},
		"a verdict": {t.Context(), errors.New("x"), false}, "nothing": {gone, nil, false},
	} {
		if got := troubled(test.ctx, test.err); got != test.want {
			t.Errorf("%s: %t", what, got)
		}
	}
}

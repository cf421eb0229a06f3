package why_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/why"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

type oneOpen struct{}

func (oneOpen) FindPull(_ context.Context, branch, _ string) (*rules.Pull, error) {
	if branch != "waybill/staging/demo-api" {
		return nil, nil
	}
	return &rules.Pull{Number: 212, URL: "https://github.com/acme/config/pull/212"}, nil
}

// What stands in the way is what promote and bump would say, all of it, and
// nothing is changed by asking.
func TestWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		n     int // deployed to dev
		pass  time.Duration
		hold  bool
		forge why.Forge
		env   string
		want  []string
		not   string
	}{
		"soak is left": {
			n: 1, pass: 10 * time.Minute, env: "staging",
			want: []string{"of dev is not in staging:", "soak", "10 m in dev, 30 m asked", "→ passes"}, not: "order",
		},
		"nothing, ask promote": {
			n: 1, pass: time.Hour, env: "staging", want: []string{"of dev may enter staging: run waybill promote."},
		},
		"nothing, merge it": {
			n: 1, pass: time.Hour, env: "staging", forge: oneOpen{},
			want: []string{"merge #212 (https://github.com/acme/config/pull/212)"},
		},
		"held and not signed": {
			n: 2, pass: time.Hour, hold: true, env: "staging",
			want: []string{"hold", "a migration", "→ lift it with waybill hold --lift", "signature", "no signature record"},
		},
		"nothing runs before":     {env: "prod", want: []string{"Nothing runs in staging yet, so nothing can enter prod."}},
		"soak and a pull request": {n: 1, pass: time.Minute, env: "staging", forge: oneOpen{}, want: []string{"#212 is open for it"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.Files("demo-api")
			if test.hold {
				files[hold.Path("demo-api", "staging")] = string(hold.Hold{App: "demo-api", Env: "staging", Reason: "a migration"}.File())
			}
			r := configrepotest.Local(t, files)
			images := evidencetest.NewRegistry(
				evidencetest.Image{App: "demo-api", N: 1, At: configrepotest.Start},
				evidencetest.Image{App: "demo-api", N: 2, At: configrepotest.Start, Without: []evidence.Kind{evidence.Signature}},
			)
			judge := &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}
			if test.n > 0 {
				r.Deploy(t, "main", "dev", "demo-api", demo(test.n))
			}
			r.Clock.Pass(test.pass)
			head := r.Git(t, "rev-parse", "main")
			result, err := why.Explain(t.Context(), r, judge, test.forge, why.Request{App: "demo-api", Env: test.env, Branch: "main"})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(result.Text(), want) {
					t.Errorf("no %q in:\n%s", want, result.Text())
				}
			}
			if test.not != "" && strings.Contains(result.Text(), test.not) {
				t.Errorf("%q, which is met, in:\n%s", test.not, result.Text())
			}
			if now := r.Git(t, "rev-parse", "main"); now != head {
				t.Errorf("main has moved from %s to %s", head, now)
			}
		})
	}
}

// A registry that cannot be asked says nothing about the digest, and neither does the answer.
func TestTroubleIsNoAnswer(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	judge := &rules.Judge{Now: r.Clock.Now, Collect: func(context.Context, imageref.Ref) (evidence.Evidence, error) {
		return evidence.Evidence{}, errors.New("the registry is down")
	}}
	result, err := why.Explain(t.Context(), r, judge, nil, why.Request{App: "demo-api", Env: "staging", Branch: "main"})
	if err == nil || !strings.Contains(err.Error(), "the registry is down") {
		t.Errorf("got %v", err)
	}
	if got := result.Text(); !strings.HasPrefix(got, "Nobody can say now whether ") || strings.Contains(got, "run waybill promote") {
		t.Errorf("it says %q", got)
	}
}

func TestFirstEnvironmentAndCurrent(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry(evidencetest.Image{App: "demo-api", N: 1, At: configrepotest.Start})
	judge := &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	_, err := why.Explain(t.Context(), r, judge, nil, why.Request{App: "demo-api", Env: "dev", Branch: "main"})
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "name the digest with --image") {
		t.Errorf("without a digest: %v", err)
	}
	result, err := why.Explain(t.Context(), r, judge, nil, why.Request{
		App: "demo-api", Env: "dev", Images: []imageref.Ref{demo(1)}, Branch: "main",
	})
	if err != nil || !strings.Contains(result.Text(), "there is nothing to wait for") {
		t.Errorf("what runs already: %v %s", err, result.Text())
	}
}

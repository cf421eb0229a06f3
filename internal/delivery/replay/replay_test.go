package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

// world deploys 1 and 2 to staging after two hours each, and 3 (which has a medium
// finding) after ten minutes, when staging asks for 30.
func world(t *testing.T) (*configrepotest.Repo, *evidencetest.Registry) {
	t.Helper()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry()
	for n, wait := range []time.Duration{2 * time.Hour, 2 * time.Hour, 10 * time.Minute} {
		image := evidencetest.Image{App: "demo-api", N: n + 1, At: r.Clock.Now()}
		if n == 2 {
			image.Findings = []evidence.Finding{{
				ID: "CVE-2026-1", Package: "libx", Version: "1", FixedVersion: "2", Severity: evidence.Medium,
			}}
		}
		images.Push(image)
		r.Deploy(t, "main", "dev", "demo-api", demo(n+1))
		r.Clock.Pass(wait)
		r.Deploy(t, "main", "staging", "demo-api", demo(n+1))
		r.Clock.Pass(time.Hour)
	}
	return r, images
}

func run(t *testing.T, r *configrepotest.Repo, images *evidencetest.Registry, old, changed string) replay.Result {
	t.Helper()
	text := configrepotest.Config("demo-api")
	if !strings.Contains(text, old) {
		t.Fatalf("the configuration has no %q", old)
	}
	policy, err := config.Parse("new.yaml", []byte(strings.Replace(text, old, changed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	judge := &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}
	result, err := replay.Run(t.Context(), r, judge, replay.Request{
		Branch: "main", Policy: policy, Period: 30 * 24 * time.Hour, Now: r.Clock.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// stopped are the deployments of staging that would newly have been stopped.
func stopped(result replay.Result) (list []string) {
	for _, v := range result.Stopped {
		if !v.Already && v.Env == "staging" {
			list = append(list, v.Step.Image.Hex()[:8]+" "+string(v.State)+" "+v.Reasons[0].Rule+": "+v.Reasons[0].Detail)
		}
	}
	return list
}

func TestReplay(t *testing.T) {
	t.Parallel()
	r, images := world(t)
	hex := func(n int) string { return demo(n).Hex()[:8] }
	for what, test := range map[string]struct {
		old, changed string
		want         []string // newest first
		already      int
		rules        map[string]int
	}{
		"the same": {"soak: 30m", "soak: 30m", nil, 1, map[string]int{}},
		"a longer soak": {"soak: 30m", "soak: 3h", []string{
			hex(2) + " pending soak: 2 h in dev, 3 h asked", hex(1) + " pending soak: 2 h in dev, 3 h asked",
		}, 1, map[string]int{"soak": 2}},
		"a shorter soak lets the third in": {"soak: 30m", "soak: 5m", nil, 0, map[string]int{}},
		"a freeze of that day": {"{name: staging, promotion: pull-request, soak: 30m}",
			"{name: staging, promotion: pull-request, freeze: [{from: 2026-11-20, until: 2026-11-20, reason: holidays}]}",
			[]string{
				hex(3) + " pending freeze: staging is frozen: holidays", hex(2) + " pending freeze: staging is frozen: holidays",
				hex(1) + " pending freeze: staging is frozen: holidays",
			}[1:], 1, map[string]int{"freeze": 2}},
		"a lower severity": {"severity: high", "severity: medium", nil, 1, map[string]int{"scan": 1}},
		"another signer": {"acme/config/.github/workflows/deliver.yml@refs/heads/main",
			"acme/other/.github/workflows/x.yml@refs/heads/main",
			[]string{"", ""}, 1, map[string]int{"signature": 5, "provenance": 5, "sbom": 5, "scan": 5}},
		"a place it does not know": {"source: acme/demo-api}", "source: acme/demo-api, environments: [dev]}", nil, 0, map[string]int{}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := run(t, r, images, test.old, test.changed)
			list, already := stopped(got), 0
			for _, v := range got.Stopped {
				if v.Already {
					already++
				}
			}
			for i := range list {
				if i < len(test.want) && test.want[i] == "" {
					list[i] = "" // its reason is long
				}
			}
			if diff := cmp.Diff(test.want, list); diff != "" || already != test.already || cmp.Diff(test.rules, got.Rules) != "" {
				t.Errorf("(-want +got):\n%s\n%d already, %v by rule, in\n%s", diff, already, got.Rules, got.Text())
			}
		})
	}
}

// An image that is gone says nothing; a registry in trouble is trouble.
func TestReplayWithoutTheImage(t *testing.T) {
	t.Parallel()
	r, _ := world(t)
	if got := run(t, r, evidencetest.NewRegistry(), "soak: 30m", "soak: 3h"); got.Judged != 0 || len(got.Gone) != 6 ||
		!strings.Contains(got.Text(), "6 images are gone from the registry") {
		t.Errorf("%s", got.Text())
	}
	broken := evidencetest.NewRegistry()
	broken.Break(errors.New("503"))
	policy, err := config.Parse("new.yaml", []byte(configrepotest.Config("demo-api")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = replay.Run(t.Context(), r, &rules.Judge{Collect: broken.Collect, Now: r.Clock.Now}, replay.Request{
		Branch: "main", Policy: policy, Period: 24 * time.Hour, Now: r.Clock.Now(),
	})
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a registry in trouble: %v", err)
	}
}

package promote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Each application is in exactly one part, whatever others there are.
func TestShardsAreAPartition(t *testing.T) {
	t.Parallel()
	var apps []string
	for n := range 40 {
		apps = append(apps, fmt.Sprintf("app-%d", n))
	}
	parts := func(apps []string) map[string]string {
		cfg, err := config.Parse("waybill.yaml", []byte(configrepotest.Config(apps...)))
		if err != nil {
			t.Fatal(err)
		}
		in := make(map[string]string)
		for n := 1; n <= 7; n++ {
			shard, err := ParseShard(fmt.Sprintf("%d/7", n))
			if err != nil {
				t.Fatal(err)
			}
			moves, err := selectTrips(cfg, Request{Shard: shard})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range moves {
				if was, ok := in[m.steps[0].app+m.to]; ok {
					t.Errorf("%s to %s is in the parts %s and %d", m.steps[0].app, m.to, was, n)
				}
				in[m.steps[0].app+m.to] = fmt.Sprint(n)
			}
		}
		return in
	}
	all := parts(apps)
	if len(all) != 80 {
		t.Errorf("%d moves are in some part, want 80", len(all))
	}
	for move, part := range parts(apps[:20]) {
		if all[move] != part {
			t.Errorf("%s is in part %s without the other applications, and in %s with them", move, part, all[move])
		}
	}
}

func TestParseShard(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0/10", "11/10", "3", "3/", "/3", "a/b", "3/10x", " 3/10", "-1/3", "+1/3", "1/257", "01/3"} {
		if _, err := ParseShard(s); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "is not N/OF") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

package promote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// The names of a group's environments can be longer than GitHub takes a title to be.
func TestLongTitle(t *testing.T) {
	t.Parallel()
	l := load{group: "checkout", to: config.Environment{Name: "prod"}}
	for n := range 6 {
		l.list = append(l.list, candidate{move: move{from: config.Environment{Name: strings.Repeat("staging-", 7) + fmt.Sprint(n)}}})
	}
	got := l.title("")
	if len([]rune(got)) != markdown.MaxTitle || !strings.HasPrefix(got, "checkout: staging-") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters: %s", len([]rune(got)), got)
	}
	l.list = l.list[:1]
	if got := l.title(", 3 commits"); !strings.HasSuffix(got, "-0 → prod, 3 commits ()") {
		t.Errorf("a title that fits is %q", got)
	}
}

package configrepo_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// Two writers that both looked before either wrote: one wins, the other is
// told.
func TestLostRace(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		head := must(s.Head(t.Context(), "main"))(t)
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			writer := p.open(t)
			wg.Go(func() {
				_, errs[i] = writer.Commit(t.Context(), configrepo.Request{
					Branch: "main", Expect: head, Parent: head, Message: "m",
					Changes: []configrepo.Change{{Path: fmt.Sprint("f", i), Content: []byte("x")}},
				})
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("want one winner, got %v and %v", errs[0], errs[1])
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, configrepo.ErrMoved) {
				t.Errorf("the loser is told %v, want ErrMoved", err)
			}
		}
		if got := gitIn(t, p.gitDir, "rev-list", "--count", head+"..main"); got != "1" {
			t.Errorf("%s commits landed, want 1", got)
		}
	})
}

// Many writers that look again whenever they lose: all land, none is lost.
func TestAllWritersLand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		writers := 20
		if strings.Contains(t.Name(), "pushes") || strings.Contains(t.Name(), "working") {
			writers = 6 // each does more
		}
		first := must(s.Head(t.Context(), "main"))(t)
		var wg sync.WaitGroup
		errs := make(chan error, writers)
		for i := range writers {
			writer := p.open(t)
			wg.Go(func() {
				for {
					head, err := writer.Head(t.Context(), "main")
					if err == nil {
						_, err = writer.Commit(t.Context(), configrepo.Request{
							Branch: "main", Expect: head, Parent: head, Message: "m",
							Changes: []configrepo.Change{{Path: fmt.Sprint("f", i), Content: []byte("x")}},
						})
					}
					if err == nil || !errors.Is(err, configrepo.ErrMoved) {
						errs <- err
						return
					}
					time.Sleep(rand.N(100 * time.Millisecond)) // as callers do
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		snapshot := must(s.Snapshot(t.Context(), must(s.Head(t.Context(), "main"))(t)))(t)
		for i := range writers {
			if !bytes.Equal(snapshot.Files[fmt.Sprint("f", i)], []byte("x")) {
				t.Errorf("writer %d is lost: %v", i, slices.Sorted(maps.Keys(snapshot.Files)))
			}
		}
		if got := gitIn(t, p.gitDir, "rev-list", "--count", first+"..main"); got != fmt.Sprint(writers) {
			t.Errorf("%s commits landed, want %d", got, writers)
		}
	})
}

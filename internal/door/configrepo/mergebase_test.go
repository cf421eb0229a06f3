package configrepo_test

import (
	"errors"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

func TestMergeBase(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, map[string]string{"README.md": "begin\n"}, func(t *testing.T, r *configrepotest.Repo) {
		base, _ := r.Head(t.Context(), "main")
		side := r.Write(t, "side", "side", map[string]string{"a": "1\n"})
		next := r.Write(t, "main", "next", map[string]string{"b": "1\n"})
		for _, pair := range [][3]string{
			{next, side, base}, {side, next, base}, {base, next, base}, {next, base, base}, {next, next, next},
		} {
			if got, err := r.MergeBase(t.Context(), pair[0], pair[1]); err != nil || got != pair[2] {
				t.Errorf("of %s and %s: got %s, %v, want %s", pair[0], pair[1], got, err, pair[2])
			}
		}
		orphan := r.Git(t, "commit-tree", base+"^{tree}", "-m", "orphan")
		r.Git(t, "update-ref", "refs/heads/orphan", orphan)
		if got, err := r.MergeBase(t.Context(), next, orphan); !errors.Is(err, configrepo.ErrNotFound) {
			t.Errorf("histories that never met: got %s, %v", got, err)
		}
	})
}

package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// merged gives the files that merging head into base leads to. A change that
// was begun before the base's newest commits does not take those back. Of a
// file that both have changed, it has the head's side: whatever a merge makes
// of it, the head's is what its author wants.
func merged(ctx context.Context, repo Repository, base, head *configrepo.Snapshot) (*configrepo.Snapshot, error) {
	ancestor, err := repo.MergeBase(ctx, base.Commit, head.Commit)
	if errors.Is(err, configrepo.ErrNotFound) || err == nil && ancestor == base.Commit {
		return head, nil
	}
	if err != nil {
		return nil, err
	}
	was, err := repo.Snapshot(ctx, ancestor)
	if err != nil {
		return nil, fmt.Errorf("read the common ancestor %s: %w", ancestor, err)
	}
	files := maps.Clone(base.Files)
	for name, data := range head.Files {
		if old, ok := was.Files[name]; !ok || !bytes.Equal(old, data) {
			files[name] = data
		}
	}
	for name := range was.Files {
		if _, kept := head.Files[name]; !kept {
			delete(files, name)
		}
	}
	large := mergedIDs(base.Large, was.Large, head.Large)
	links := mergedIDs(base.Links, was.Links, head.Links)
	for name, id := range both(head.Large, head.Links) {
		if was.Large[name] != id && was.Links[name] != id && !head.Followed[name] {
			delete(files, name)
		}
	}
	followed := maps.Clone(base.Followed)
	if followed == nil {
		followed = make(map[string]bool)
	}
	maps.Copy(followed, head.Followed)
	for name := range files {
		delete(large, name) // it shrank
		delete(links, name)
	}
	return &configrepo.Snapshot{Commit: head.Commit, Dir: head.Dir, Files: files, Large: large, Links: links, Followed: followed}, nil
}

// mergedIDs does the same with what is known by its id alone.
func mergedIDs(base, was, head map[string]string) map[string]string {
	ids := both(base, nil)
	for name, id := range head {
		if was[name] != id {
			ids[name] = id
		}
	}
	for name := range was {
		if _, kept := head[name]; !kept {
			delete(ids, name)
		}
	}
	return ids
}

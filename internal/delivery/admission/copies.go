package admission

import (
	"maps"
	"slices"
	"strings"
)

// copies compares what the base defines with what the head makes of it. One
// name may be defined in several files, for several clusters: each is compared
// with that of its own file. Of several in one file the last counts, because it
// is applied last.
type copies[T any] struct {
	base, head []T
	place      func(T) (id, file string) // no id is a definition that counts for nothing
}

// each calls f for every definition of the base, with nil where it is gone.
// where names the file, if there are several. A single definition may move
// within its cluster. What the head defines once more for the same cluster is
// held against the base's too.
func (c copies[T]) each(f func(base T, head *T, where string)) {
	base, head := c.byPlace(c.base), c.byPlace(c.head)
	for _, id := range slices.Sorted(maps.Keys(base)) {
		was, now := base[id], head[id]
		for _, file := range slices.Sorted(maps.Keys(was)) {
			where := ""
			if len(was) > 1 || len(now) > 1 {
				where = " in " + file
			}
			var more []string
			for _, other := range slices.Sorted(maps.Keys(now)) {
				if _, had := was[other]; !had && ClusterOf(other) == ClusterOf(file) {
					more = append(more, other)
				}
			}
			own, kept := now[file]
			switch {
			case kept:
				f(was[file], &own, where)
			case len(was) > 1 || len(more) == 0:
				f(was[file], nil, where)
			}
			for _, other := range more {
				h := now[other]
				if len(now) > 1 || len(was) > 1 {
					where = " in " + other
				}
				f(was[file], &h, where)
			}
		}
	}
}

// byPlace finds definitions by id and file.
func (c copies[T]) byPlace(list []T) map[string]map[string]T {
	found := make(map[string]map[string]T)
	for _, t := range list {
		id, file := c.place(t)
		if id == "" {
			continue
		}
		if found[id] == nil {
			found[id] = make(map[string]T)
		}
		found[id][file] = t
	}
	return found
}

// ClusterOf is what a file is for: one cluster below clusters/, else all.
func ClusterOf(file string) string {
	parts := strings.Split(file, "/")
	if parts[0] == "clusters" && len(parts) > 2 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

package evidence

import (
	"maps"
	"slices"
	"strings"
)

// Kinds of package change.
const (
	PackageAdded   = "added"
	PackageRemoved = "removed"
	PackageUpdated = "updated"
)

// PackageChange is a package whose versions differ between two images.
type PackageChange struct {
	Name     string
	Kind     string
	Old, New []string // versions, over all platforms
}

// ComparePackages lists the packages that differ between two scanned images,
// platforms taken together, by name.
func ComparePackages(base, head ScanReport) []PackageChange {
	old, now := versions(base), versions(head)
	names := slices.Collect(maps.Keys(old))
	for name := range now {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b [2]string) int { return strings.Compare(a[1]+"\x00"+a[0], b[1]+"\x00"+b[0]) })
	var changes []PackageChange
	for _, name := range names {
		c := PackageChange{Name: name[1], Kind: PackageUpdated, Old: old[name], New: now[name]}
		switch {
		case slices.Equal(c.Old, c.New):
			continue
		case len(c.Old) == 0:
			c.Kind = PackageAdded
		case len(c.New) == 0:
			c.Kind = PackageRemoved
		}
		changes = append(changes, c)
	}
	return changes
}

// versions lists each package's versions, by type and name.
func versions(r ScanReport) map[[2]string][]string {
	found := make(map[[2]string][]string)
	for _, platform := range r.Platforms {
		for _, p := range platform.Packages {
			key := [2]string{p.Type, p.Name}
			if !slices.Contains(found[key], p.Version) {
				found[key] = append(found[key], p.Version)
			}
		}
	}
	for _, list := range found {
		slices.Sort(list)
	}
	return found
}

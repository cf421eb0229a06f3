package configrepo

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// modeLink is git's mode of a symbolic link, whose content is its target.
const modeLink = "120000"

const (
	modeFile       = "100644"
	modeExecutable = "100755"
)

// maxHops bounds a chain of links, as the Linux kernel does (path_resolution(7)).
const maxHops = 40

// follow adds to a snapshot what its symbolic links lead to inside the
// repository, as Kustomize and Argo CD read them: a link to a file is that file
// under another name, a link to a directory every file below it.
// Links that lead out of the repository, in a circle, or to nothing are left
// out. So are those that stand for waybill.yaml or CODEOWNERS: the rules of a
// repository are read from the files that its owners guard, as on GitHub.
func (s *Snapshot) follow(links map[string]string) error {
	s.Linked, s.Followed = make(map[string]bool), make(map[string]bool)
	below := make(map[string][]string)
	for _, name := range slices.Concat(slices.Collect(maps.Keys(s.Files)), slices.Collect(maps.Keys(links))) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			below[dir] = append(below[dir], name)
		}
	}
	for link := range links {
		target, ok := followed(links, link)
		if base := path.Base(link); !ok || base == "waybill.yaml" || base == "CODEOWNERS" {
			continue
		}
		found := map[string]string{link: target}
		for _, name := range below[target] {
			found[link+strings.TrimPrefix(name, target)] = name
		}
		for name, real := range found {
			real, ok := followed(links, real)
			data, there := s.Files[real]
			if !ok || !there || s.Linked[real] {
				continue
			}
			if len(s.Files) >= maxSnapshotFiles {
				return errTooMany
			}
			s.Files[name], s.Linked[name], s.Followed[link] = data, true, true
		}
	}
	return nil
}

// followed is the path that a path leads to once every link in it is followed.
func followed(links map[string]string, name string) (string, bool) {
	for range maxHops {
		link, rest := "", ""
		for at := name; at != "."; at = path.Dir(at) {
			if _, ok := links[at]; ok {
				link, rest = at, strings.TrimPrefix(name, at)
			}
		}
		if link == "" {
			return name, true
		}
		if path.IsAbs(links[link]) {
			return "", false
		}
		if name = path.Join(path.Dir(link), links[link]) + rest; name == "." || name == ".." || strings.HasPrefix(name, "../") {
			return "", false
		}
	}
	return "", false
}

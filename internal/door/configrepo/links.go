package configrepo

import (
	"fmt"
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

// throughNothing refuses paths below what is no directory, by the modes of what there is:
// git would put a directory in its place, and what the link led to would be gone.
func throughNothing(paths []string, modes map[string]string) error {
	for _, name := range paths {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if mode, there := modes[dir]; there {
				return fmt.Errorf("write %s: %s above it is a symbolic link, submodule or file (mode %s), which is not followed: "+
					"name the directory itself", name, dir, mode)
			}
		}
	}
	return nil
}

// Writable reports an error if a change of the snapshot would be refused, because it goes
// through a symbolic link or submodule.
func (s *Snapshot) Writable(changes []Change) error {
	modes, paths := make(map[string]string), make([]string, 0, len(changes))
	for name := range s.Links {
		modes[name] = modeLink
	}
	for _, c := range changes {
		paths = append(paths, c.Path)
		if mode, there := modes[c.Path]; there && c.Content != nil {
			_, err := keptMode(c.Path, mode, true)
			return err
		}
	}
	return throughNothing(paths, modes)
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

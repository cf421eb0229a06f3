package history

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// TrailerFrom names the environment that a promotion copied files from.
const TrailerFrom = "Waybill-From"

// Copies are the files by which the promoted paths of an application differ between
// two environments, as they are in the first: nil is a file to delete. The file that
// names the image is not among them: its digest goes by rules of its own.
func Copies(s *configrepo.Snapshot, app config.App, from, to string) (map[string][]byte, error) {
	copies := make(map[string][]byte)
	sources, targets := app.Promoted(from), app.Promoted(to)
	names := make(map[string]bool) // files that can name the image, on either side
	for _, env := range []string{from, to} {
		for _, file := range overlay.Candidates(Target(app, env)) {
			names[file] = true
		}
	}
	for i, source := range sources {
		if at, key, is := strings.Cut(source, "#"); is {
			file, _, _ := strings.Cut(targets[i], "#")
			if err := copyKey(s, copies, at, file, key); err != nil {
				return nil, fmt.Errorf("promote.paths: %s: %w", source, err)
			}
			continue
		}
		found := false
		for file, data := range s.Files {
			rest, below := below(file, source)
			target := path.Join(targets[i], rest)
			if !below || names[file] || names[target] {
				continue
			}
			found = true
			if s.Linked[file] || s.Linked[target] {
				return nil, fmt.Errorf("promote.paths: %s is read through a symbolic link, which is not copied", file)
			}
			if was, there := s.Files[target]; !there || !bytes.Equal(was, data) {
				copies[target] = append([]byte{}, data...)
			}
		}
		for file := range s.Files {
			if !found {
				break // a path that the first environment does not have empties nothing
			}
			rest, below := below(file, targets[i])
			if _, there := s.Files[path.Join(source, rest)]; below && !there && !names[file] {
				copies[file] = nil
			}
		}
	}
	return copies, sameImage(s.Files, copies, app, to)
}

// copyKey adds the copy of one key of a file.
func copyKey(s *configrepo.Snapshot, copies map[string][]byte, source, target, key string) error {
	now, changed := copies[target]
	if !changed {
		now = s.Files[target]
	}
	data, there := s.Files[source]
	switch {
	case !there:
		return nil // as for a whole file
	case s.Linked[source] || s.Linked[target]:
		return errors.New("it is read through a symbolic link, which is not copied")
	case now == nil:
		return fmt.Errorf("there is no %s", target)
	}
	after, found, err := overlay.CopyKey(data, now, key)
	if err != nil || !found || bytes.Equal(after, s.Files[target]) {
		return err
	}
	copies[target] = after
	return nil
}

// sameImage reports an error if copies change the image that the place runs: that goes by
// rules of its own.
func sameImage(files, copies map[string][]byte, app config.App, env string) error {
	if len(copies) == 0 {
		return nil
	}
	before, err := ReadSet(files, app, env)
	if err != nil {
		return nil //nolint:nilerr // whoever prepares a change says so
	}
	after, err := ReadSet(Copied(files, copies), app, env)
	if err != nil {
		return fmt.Errorf("with what promote.paths copies: %w", err)
	}
	same := func(a, b overlay.Place) bool { return a.Ref == b.Ref && a.Tag == b.Tag && a.File == b.File }
	if !slices.EqualFunc(before, after, same) {
		return fmt.Errorf("promote.paths: the image of %s in %s is among what they copy: it goes by rules of its own, so name other keys",
			app.Name, env)
	}
	return nil
}

// SameCopies reports whether both write and delete the same files.
func SameCopies(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) })
}

// below gives what of a file's path is below a directory; the file itself is too.
func below(file, dir string) (rest string, ok bool) {
	if file == dir {
		return "", true
	}
	return strings.CutPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// Copied gives the files with copies made; without any, the files themselves.
func Copied(files, copies map[string][]byte) map[string][]byte {
	if len(copies) == 0 {
		return files
	}
	after := maps.Clone(files)
	for name, data := range copies {
		if after[name] = data; data == nil {
			delete(after, name)
		}
	}
	return after
}

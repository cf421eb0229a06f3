package history

import (
	"bytes"
	"fmt"
	"maps"
	"path"
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
	return copies, nil
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

// Copied gives the files with copies made.
func Copied(files, copies map[string][]byte) map[string][]byte {
	after := make(map[string][]byte, len(files))
	for name, data := range files {
		after[name] = data
	}
	for name, data := range copies {
		if after[name] = data; data == nil {
			delete(after, name)
		}
	}
	return after
}

package build

import (
	"io/fs"
	"path"
	"time"
)

// Tracked is what git tracks of a build context. A checkout gives files the
// time of the checkout and permissions less the umask, which say nothing of the
// commit. Both engines give them those of the commit instead, so that every
// checkout of a commit gives the same image. Other files keep what they have.
type Tracked struct {
	executable map[string]bool // by path below the context
	dirs       map[string]bool // those that hold a tracked file
	time       time.Time
}

// NewTracked makes a Tracked of the files below the context, of which some are
// executable, with the time that they get.
func NewTracked(executable map[string]bool, t time.Time) *Tracked {
	k := &Tracked{executable: executable, dirs: map[string]bool{}, time: t}
	for name := range executable {
		for dir := path.Dir(name); dir != "." && !k.dirs[dir]; dir = path.Dir(dir) {
			k.dirs[dir] = true
		}
	}
	return k
}

const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// Metadata gives the mode and time of a file of the context. A mode with a
// special bit was set by somebody, and is kept. If k is nil, nothing changes.
func (k *Tracked) Metadata(name string, mode fs.FileMode, t time.Time) (fs.FileMode, time.Time) {
	if k == nil {
		return mode, t
	}
	executable, tracked := k.executable[name]
	switch {
	case mode.IsDir() && k.dirs[name]:
		executable = true
	case !tracked || mode.IsDir():
		return mode, t
	case mode&fs.ModeSymlink != 0:
		return mode, k.time
	}
	if mode&special != 0 {
		return mode, k.time
	}
	if executable {
		return mode&^fs.ModePerm | 0o755, k.time
	}
	return mode&^fs.ModePerm | 0o644, k.time
}

package terraform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stateFile is where a path of a local state leads.
type stateFile struct {
	path string
	// doubtful says that nobody can tell which file it will be: the path goes
	// through what the kernel makes up, or steps back out of what is no directory.
	doubtful bool
}

// maxLinks is how many links the kernel follows in one path.
const maxLinks = 40

// follow resolves a path as the kernel does: a link is followed before
// a step back that comes after it. Terraform opens the path as it is written.
func follow(file string) stateFile {
	if !filepath.IsAbs(file) {
		if here, err := os.Getwd(); err == nil {
			file = here + "/" + file
		}
	}
	rest := strings.Split(file, "/")
	at, links, doubtful := "/", 0, false
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			info, err := os.Lstat(at)
			doubtful = doubtful || err != nil || !info.IsDir()
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		target, err := os.Readlink(next)
		if err != nil { // no link, or not there
			at = next
			doubtful = doubtful || madeUp(at)
			continue
		}
		if links++; links > maxLinks || madeUp(next) {
			return stateFile{filepath.Join(next, filepath.Join(rest...)), true}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return stateFile{at, doubtful}
}

// madeUp reports whether a path lies where the kernel makes up files: there a
// link leads each process somewhere else.
func madeUp(path string) bool {
	parts := strings.SplitN(path, "/", 3)
	return len(parts) > 1 && slices.Contains([]string{"proc", "dev", "sys"}, parts[1])
}

// resolve follows the links in as much of a path as is there.
func resolve(file string) string { return follow(file).path }

package render

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// tree is the files of a commit as Kustomize wants a file system. Any name is
// taken that git takes; nothing can be written.
type tree struct {
	files map[string][]byte
	dirs  map[string]bool

	mu   sync.Mutex
	read map[string]bool // files whose content was asked for
}

var errReadOnly = errors.New("the files of a commit cannot be written")

func newTree(files map[string][]byte) *tree {
	t := &tree{files: files, dirs: map[string]bool{"/": true}, read: make(map[string]bool)}
	for name := range files {
		for dir := path.Dir("/" + name); !t.dirs[dir]; dir = path.Dir(dir) {
			t.dirs[dir] = true
		}
	}
	return t
}

// get reads a file by its path in the repository, and remembers that it was.
func (t *tree) get(name string) ([]byte, bool) {
	data, ok := t.files[name]
	if ok {
		t.mu.Lock()
		t.read[name] = true
		t.mu.Unlock()
	}
	return data, ok
}

// wasRead reports whether rendering has asked for the file.
func (t *tree) wasRead(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read[name]
}

func absolute(name string) string { return path.Join("/", filepath.ToSlash(name)) }

func (t *tree) isFile(name string) bool {
	_, ok := t.files[absolute(name)[1:]]
	return ok
}

// IsDir reports whether a directory of that name holds files.
func (t *tree) IsDir(name string) bool { return t.dirs[absolute(name)] }

// Exists reports whether there is a file or directory of that name.
func (t *tree) Exists(name string) bool { return t.IsDir(name) || t.isFile(name) }

// ReadFile reads a file.
func (t *tree) ReadFile(name string) ([]byte, error) {
	data, ok := t.get(absolute(name)[1:])
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return data, nil
}

// CleanedAbs splits a path into directory and file.
func (t *tree) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	at := absolute(name)
	switch {
	case t.dirs[at]:
		return filesys.ConfirmedDir(at), "", nil
	case t.isFile(at):
		return filesys.ConfirmedDir(path.Dir(at)), path.Base(at), nil
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", at)
}

// ReadDir lists a directory.
func (t *tree) ReadDir(name string) ([]string, error) {
	at := absolute(name)
	if !t.dirs[at] {
		return nil, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
	}
	inside := make(map[string]bool)
	for file := range t.files {
		for p := "/" + file; p != "/"; p = path.Dir(p) {
			if path.Dir(p) == at {
				inside[path.Base(p)] = true
			}
		}
	}
	return sortedKeys(inside), nil
}

// Glob lists the files and directories that match a pattern.
func (t *tree) Glob(pattern string) ([]string, error) {
	var found []string
	for name := range t.files {
		if ok, err := path.Match(absolute(pattern), "/"+name); err != nil {
			return nil, err
		} else if ok {
			found = append(found, "/"+name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// Walk is not needed to render.
func (t *tree) Walk(string, filepath.WalkFunc) error { return errors.ErrUnsupported }

// Open is not needed to render.
func (t *tree) Open(name string) (filesys.File, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

// Create refuses.
func (t *tree) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir refuses.
func (t *tree) Mkdir(string) error { return errReadOnly }

// MkdirAll refuses.
func (t *tree) MkdirAll(string) error { return errReadOnly }

// RemoveAll refuses.
func (t *tree) RemoveAll(string) error { return errReadOnly }

// WriteFile refuses.
func (t *tree) WriteFile(string, []byte) error { return errReadOnly }

package roots

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// digester takes the digests of files, by their names from the top.
type digester struct {
	top   string // real path
	files map[string]string
	dirs  map[string]bool // that are done
	kept  map[string]bool // committed files that look like terraform's own
	links func(target string)
}

// newDigester lists the committed files whose names look like state or like
// terraform's own: those count, and others of such names do not.
func newDigester(ctx context.Context, top string) *digester {
	d := &digester{top: top, files: make(map[string]string), dirs: make(map[string]bool), kept: make(map[string]bool)}
	out, err := git.Run(
		ctx, top, "ls-files", "-z", "--", ":(glob)**/*.tfstate*", ":(glob)**/.terraform/**", ":(glob)**/terraform.tfstate.d/**",
	)
	if err != nil {
		return d // no repository: nothing is committed
	}
	for _, name := range splitNames(out) {
		d.kept[name] = true
	}
	return d
}

func splitNames(out string) []string {
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 })
}

// path takes the digest of a file, or of everything below a directory. What is
// not there counts as such: it could come.
func (d *digester) path(relative string) error {
	full := filepath.Join(d.top, filepath.FromSlash(relative))
	info, err := os.Lstat(full)
	if d.fetched(relative) {
		err = fs.ErrNotExist // it is there or not, as terraform has initialised; its own digest binds it
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || err != nil && strings.Contains(err.Error(), "not a directory"):
		d.files[relative] = "absent"
		return nil
	case err != nil:
		return fmt.Errorf("read the configuration: %w", err)
	case info.IsDir():
		return d.tree(relative)
	}
	return d.file(full, info.Mode())
}

// fetched reports whether a path lies where terraform puts modules that it fetches, and in
// no commit.
func (d *digester) fetched(name string) bool {
	if !strings.Contains("/"+name+"/", "/"+terraform.FetchedDir+"/") {
		return false
	}
	for kept := range d.kept {
		if kept == name || strings.HasPrefix(kept, name+"/") {
			return false
		}
	}
	return true
}

// tree takes the digest of every file below a directory.
func (d *digester) tree(relative string) error {
	if d.dirs[relative] {
		return nil
	}
	d.dirs[relative] = true
	root := filepath.Join(d.top, filepath.FromSlash(relative))
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if entry.IsDir() {
			if path != root && entry.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if d.ours(path) {
			return nil
		}
		return d.file(path, entry.Type())
	})
}

// ours reports whether a file is terraform's own, and in no commit: a state, or
// in a data directory.
func (d *digester) ours(path string) bool {
	relative, err := filepath.Rel(d.top, path)
	if err != nil {
		return false
	}
	name := filepath.ToSlash(relative)
	parts := strings.Split(name, "/")
	last := parts[len(parts)-1]
	own := strings.HasSuffix(last, ".tfstate") || strings.Contains(last, ".tfstate.") ||
		slices.Contains(parts[:len(parts)-1], ".terraform") || slices.Contains(parts[:len(parts)-1], "terraform.tfstate.d")
	return own && !d.kept[name]
}

// file takes the digest of one file. A link counts as what it says, and as what
// it leads to.
func (d *digester) file(path string, mode fs.FileMode) error {
	relative, err := filepath.Rel(d.top, path)
	if err != nil {
		return err
	}
	name := filepath.ToSlash(relative)
	switch {
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		d.files[name] = "link:" + target
		return d.target(path)
	case mode.IsRegular():
		digest, err := terraform.FileDigest(path)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if info, err := os.Lstat(path); err == nil && info.Mode()&0o100 != 0 {
			digest = "program:" + digest // git keeps this of a file's mode, and a shell asks for it
		}
		d.files[name] = digest
	}
	return nil
}

// target takes the digest of what a link leads to, inside the repository.
func (d *digester) target(link string) error {
	real, err := filepath.EvalSymlinks(link)
	if err != nil {
		return d.missing(link)
	}
	return d.linked(real)
}

// linked takes the digest of a path that a link leads to.
func (d *digester) linked(path string) error {
	relative, err := filepath.Rel(d.top, path)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return nil // policy refuses it
	}
	name := filepath.ToSlash(relative)
	if _, done := d.files[name]; done {
		return nil
	}
	if d.links != nil {
		d.links(name)
	}
	return d.path(name)
}

// missing takes the digest of what a link leads to that is not there: it could come, or
// was there before the change.
func (d *digester) missing(link string) error {
	target, err := os.Readlink(link)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	rest := ""
	for at := target; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return d.linked(filepath.Join(real, rest))
		}
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return d.linked(at) // another link, which counts by itself
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// whole takes the digest of every committed file.
func (d *digester) whole(ctx context.Context) error {
	out, err := git.Run(ctx, d.top, "ls-files", "-z")
	if err != nil {
		return fmt.Errorf("list the files of the commit: %w", err)
	}
	for _, name := range splitNames(out) {
		if _, done := d.files[name]; done {
			continue
		}
		if err := d.path(name); err != nil {
			return err
		}
	}
	return nil
}

// sum is the digest of them all.
func sum(files map[string]string, without func(name string) bool) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if without == nil || !without(name) {
			fmt.Fprintf(h, "%d:%s %d:%s\n", len(name), name, len(files[name]), files[name])
		}
	}
	return imageref.DigestSum(h)
}

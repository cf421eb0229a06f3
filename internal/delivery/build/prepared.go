package build

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// AddPrepared puts files that another job has made into the directory root, which
// is a checked-out repository, and returns their digest for the record. from is a
// tar, or a directory; a directory that holds one .tar alone stands for that, as
// GitHub's artifacts keep no modes. Files are added and never replaced, because the
// record names the commit. If from is empty, nothing happens.
//
// The digest is that of the lines "SHA256  PATH" of all files in the order of their
// paths, as sha256sum prints them.
func AddPrepared(from, root string) (digest string, err error) {
	if from == "" {
		return "", nil
	}
	to, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("add the prepared files: %w", err)
	}
	defer to.Close()
	p := prepared{root: to, sums: map[string]string{}}
	if archive, found := soleTar(from); found {
		err = p.unpack(archive)
	} else {
		err = p.copy(from)
	}
	if err != nil {
		return "", err
	}
	if len(p.sums) == 0 {
		return "", outcome.Usagef("--prepared: %s holds no file: the job before has to make what the Dockerfile copies", from)
	}
	return p.digest(), nil
}

// soleTar is from itself, or the one file in it, if that is a tar.
func soleTar(from string) (string, bool) {
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		return from, err == nil
	}
	entries, err := os.ReadDir(from)
	if err != nil || len(entries) != 1 || !entries[0].Type().IsRegular() || path.Ext(entries[0].Name()) != ".tar" {
		return "", false
	}
	return filepath.Join(from, entries[0].Name()), true
}

type prepared struct {
	root *os.Root
	sums map[string]string // by path
}

func (p *prepared) unpack(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the prepared files: %w", err)
	}
	defer f.Close()
	reader := tar.NewReader(f)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the prepared files of %s: %w", file, err)
		}
		if err := p.add(header.Name, header.FileInfo().Mode(), header.Linkname, reader); err != nil {
			return err
		}
	}
}

func (p *prepared) copy(dir string) error {
	from := os.DirFS(dir)
	return fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the prepared files: %w", err)
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("read the prepared files: %w", err)
		}
		if !info.Mode().IsRegular() {
			link, _ := os.Readlink(filepath.Join(dir, name))
			return p.add(name, info.Mode(), link, nil)
		}
		file, err := from.Open(name)
		if err != nil {
			return fmt.Errorf("read the prepared files: %w", err)
		}
		defer file.Close()
		return p.add(name, info.Mode(), "", file)
	})
}

// add writes one file. A tar has a hard link as a regular file with the path of
// another one, which must come before it.
func (p *prepared) add(name string, mode fs.FileMode, link string, content io.Reader) error {
	clean := path.Clean(name)
	if clean == "." {
		return nil
	}
	if err := p.refuse(clean, name); err != nil {
		return err
	}
	if mode.IsDir() {
		return p.wrote(clean, p.root.MkdirAll(clean, 0o755))
	}
	if err := p.root.MkdirAll(path.Dir(clean), 0o755); err != nil {
		return p.wrote(clean, err)
	}
	switch {
	case mode&fs.ModeSymlink != 0:
		sum := sha256.Sum256([]byte(link))
		p.sums[clean] = hex.EncodeToString(sum[:])
		if has, err := p.root.Readlink(clean); err == nil && has == link {
			return nil
		}
		return p.wrote(clean, p.root.Symlink(link, clean))
	case !mode.IsRegular():
		return outcome.Usagef("--prepared: %s is no file, directory or link: leave it out", name)
	case link != "":
		other := path.Clean(link)
		sum, ours := p.sums[other]
		if !ours {
			return outcome.Usagef("--prepared: %s is a hard link to %s, which does not come before it", name, link)
		}
		p.sums[clean] = sum
		linked, err := p.root.Open(other)
		if err != nil {
			return p.wrote(clean, err)
		}
		defer linked.Close()
		if p.same(clean, sha256.New(), linked) {
			return nil
		}
		return p.wrote(clean, p.root.Link(other, clean))
	}
	// Whatever the umask was, the image is the same.
	permissions := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		permissions = 0o755
	}
	sum := sha256.New()
	file, err := p.root.OpenFile(clean, os.O_WRONLY|os.O_CREATE|os.O_EXCL, permissions)
	if errors.Is(err, fs.ErrExist) && p.same(clean, sum, content) {
		p.sums[clean] = hex.EncodeToString(sum.Sum(nil))
		return nil
	}
	if err != nil {
		return p.wrote(clean, err)
	}
	_, err = io.Copy(io.MultiWriter(file, sum), content)
	err = outcome.Join(err, file.Chmod(permissions), file.Close())
	p.sums[clean] = hex.EncodeToString(sum.Sum(nil))
	return p.wrote(clean, err)
}

// same reports whether a file has the content already: an earlier run may have
// added it.
func (p *prepared) same(name string, sum hash.Hash, content io.Reader) bool {
	info, err := p.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := p.root.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	has := sha256.New()
	_, err = io.Copy(has, file)
	_, read := io.Copy(sum, content)
	return err == nil && read == nil && bytes.Equal(has.Sum(nil), sum.Sum(nil))
}

// refuse names a path that leaves the repository, is in .git, or goes through a
// link.
func (p *prepared) refuse(clean, name string) error {
	if !filepath.IsLocal(clean) {
		return outcome.Usagef("--prepared: %s is outside of the repository: name paths below its root", name)
	}
	parts := strings.Split(clean, "/")
	for i, part := range parts {
		if strings.EqualFold(part, ".git") {
			return outcome.Usagef("--prepared: %s is inside .git, which git would run programs of: leave it out", name)
		}
		if above := strings.Join(parts[:i], "/"); i > 0 {
			if info, err := p.root.Lstat(above); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				return outcome.Usagef("--prepared: %s goes through the link %s: name the place that it leads to", name, above)
			}
		}
	}
	return nil
}

func (p *prepared) wrote(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return outcome.Usagef("--prepared: the repository holds %s already: what is prepared may add files and replace none, because "+
			"the provenance names the commit", name)
	}
	if err != nil {
		return fmt.Errorf("add the prepared file %s: %w", name, err)
	}
	return nil
}

func (p *prepared) digest() string {
	names := make([]string, 0, len(p.sums))
	for name := range p.sums {
		names = append(names, name)
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		fmt.Fprintf(all, "%s  %s\n", p.sums[name], name)
	}
	return imageref.DigestSum(all)
}

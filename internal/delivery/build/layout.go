package build

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// WriteLayout writes an index or image to an OCI image layout, which is made if
// it is not there. What the layout holds already stays; the same content stands in
// it once however often it is written.
func WriteLayout(dir string, m made, annotations Annotations) error {
	path, err := layout.FromPath(dir)
	if err != nil {
		if path, err = layout.Write(dir, empty.Index); err != nil {
			return fmt.Errorf("write the OCI layout %s: %w", dir, err)
		}
	}
	beside := layout.WithAnnotations(annotations.Of(LevelIndexDescriptor, Platform{}))
	var digest v1.Hash
	if m.plain != nil {
		if digest, err = m.plain.Digest(); err == nil {
			err = path.ReplaceImage(m.plain, match.Digests(digest), beside)
		}
	} else if digest, err = m.index.Digest(); err == nil {
		err = path.ReplaceIndex(m.index, match.Digests(digest), beside)
	}
	if err != nil {
		return fmt.Errorf("write the OCI layout %s: %w", dir, err)
	}
	return nil
}

// local reports whether the image stays on this machine.
func (o *Order) local() bool { return o.Layout != "" || o.Archive != "" || o.Load }

// docker reports whether the image goes into an archive that Docker reads.
func (o *Order) docker() bool { return o.Load || o.Archive != "" && o.DockerArchive }

// keep writes the image to this machine, and pushes nothing.
func (r *Result) keep(ctx context.Context, s Shop, o Order, m made) (err error) {
	switch {
	case o.Layout != "":
		r.Image = filepath.ToSlash(o.Layout) + "@" + r.Build.Digest
		err = WriteLayout(o.Layout, m, o.Annotations)
	case o.Archive != "":
		r.Image = filepath.ToSlash(o.Archive) + "@" + r.Build.Digest
		err = writeArchive(o.Archive, o, m)
	default:
		r.Image, err = load(ctx, s, o, m)
	}
	if err != nil {
		return err
	}
	r.Build.FinishedAt = time.Now().UTC()
	return r.write(o)
}

// load has the local Docker read the image.
func load(ctx context.Context, s Shop, o Order, m made) (_ string, err error) {
	dir, err := os.MkdirTemp("", "waybill-load-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the archive: %w", err)
	}
	defer func() { err = outcome.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "image.tar")
	if err := writeArchive(file, o, m); err != nil {
		return "", err
	}
	return s.Load(ctx, file)
}

// writeArchive writes the file whole or not at all.
func writeArchive(file string, o Order, m made) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(file), ".waybill-archive-")
	if err != nil {
		return fmt.Errorf("write the archive %s: %w", file, err)
	}
	defer func() { err = outcome.Join(err, os.RemoveAll(dir)) }()
	whole := filepath.Join(dir, "archive.tar")
	if o.docker() {
		err = tarball.WriteToFile(whole, o.localName(), m.plain)
	} else if err = WriteLayout(filepath.Join(dir, "layout"), m, o.Annotations); err == nil {
		err = pack(whole, filepath.Join(dir, "layout"))
	}
	if err == nil {
		err = os.Rename(whole, file)
	}
	if err != nil {
		return fmt.Errorf("write the archive %s: %w", file, err)
	}
	return nil
}

// localName is what Docker calls the image: the repository's name, or nothing
// but its digest if there is none.
func (o *Order) localName() name.Reference {
	if repository := o.Repository.RepositoryStr(); repository != "" {
		return o.Repository.Tag("latest")
	}
	return name.Digest{}
}

// pack writes the files of a directory to a tar, the same for the same files.
func pack(file, dir string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = outcome.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return packFile(w, path, filepath.ToSlash(relative), entry.IsDir())
	})
	return outcome.Join(err, w.Close())
}

func packFile(w *tar.Writer, path, name string, isDir bool) (err error) {
	if isDir {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, Format: tar.FormatPAX})
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = outcome.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

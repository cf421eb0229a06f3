package layerfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
)

// MaxKept bounds the part of a layer that stays in memory until it is known whether
// the cache has it. A larger layer is read twice where the cache does not.
const MaxKept = 32 << 20

// cached takes a layer from the cache where it has one with the same content. The
// content is always read: names, times and sizes of files are not believed.
func (s *Store) cached(write func(io.Writer) error) (*Layer, error) {
	kept := new(prefix)
	plain := &counter{w: kept, hash: sha256.New()}
	if err := write(plain); err != nil {
		return nil, err
	}
	diffID := plain.sum()
	name := fmt.Sprint("layer ", compressors(), s.Compression, diffID)
	if found, ok := s.Cache.Find(name); ok {
		l := &Layer{digest: found.Digest, diffID: diffID, size: found.Size, media: s.mediaType()}
		l.file = sync.OnceValues(func() (string, error) {
			file, err := s.takeOut(found)
			if err == nil {
				return file, nil
			}
			found.Damaged(err)
			made, err := s.compress(write, v1.Hash{})
			if err != nil {
				return "", err
			}
			if made.digest != l.digest {
				return "", errors.New("a file of the build context changed during the build: build again when nothing writes to it")
			}
			s.keep(name, made)
			return made.file()
		})
		return l, nil
	}
	again := v1.Hash{} // what is read again may be another
	if plain.n <= MaxKept {
		write, again = kept.writeTo, diffID
	}
	l, err := s.compressNew(write, again)
	if err == nil && l.diffID == diffID {
		s.keep(name, l)
	}
	return l, err
}

// takeOut copies an entry to a file of this build, and checks it.
func (s *Store) takeOut(found layercache.Entry) (_ string, err error) {
	f, err := os.CreateTemp(s.Dir, "layer-*")
	if err != nil {
		return "", fmt.Errorf("write a layer: %w", err)
	}
	return f.Name(), errors.Join(found.Copy(f), f.Close())
}

// keep puts a layer into the cache, until the build is closed.
func (s *Store) keep(name string, l *Layer) {
	s.keeping.Go(func() {
		if r, err := l.Compressed(); err == nil {
			s.Cache.Put(name, l.digest, l.size, r)
			_ = r.Close()
		}
	})
}

// download gives the file of a base image's layer, which the cache may have.
func (s *Store) download(l v1.Layer) (string, error) {
	digest, err := l.Digest()
	if err != nil {
		return "", err
	}
	name := "base " + digest.String()
	if found, ok := s.Cache.Find(name); ok {
		file, err := s.takeOut(found)
		if err == nil {
			return file, nil
		}
		found.Damaged(err)
	}
	r, err := l.Compressed() // which checks the digest
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(s.Dir, "base-*")
	if err != nil {
		return "", errors.Join(fmt.Errorf("keep a base layer: %w", err), r.Close())
	}
	size, err := io.Copy(f, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", errors.Join(err, f.Close())
	}
	if _, err = f.Seek(0, io.SeekStart); err == nil {
		s.Cache.Put(name, digest, size, f)
		err = f.Close()
	}
	if err != nil {
		return "", fmt.Errorf("keep a base layer: %w", err)
	}
	return f.Name(), nil
}

// prefix holds what was written, as long as that is not too much.
type prefix struct {
	parts [][]byte
	size  int
}

func (p *prefix) Write(data []byte) (int, error) {
	if p.size += len(data); p.size > MaxKept {
		p.parts = nil
	} else {
		p.parts = append(p.parts, bytes.Clone(data))
	}
	return len(data), nil
}

func (p *prefix) writeTo(w io.Writer) error {
	for _, part := range p.parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// compressors names what compresses: another version of it may make other bytes of
// the same content. A test does not know its modules, and is a file of its own.
var compressors = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/klauspost/compress" && m.Replace == nil {
				return m.Version + m.Sum
			}
		}
	}
	file, err := os.Executable()
	if err != nil {
		return ""
	}
	is, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return fmt.Sprint(file, is.Size(), is.ModTime().UnixNano())
})

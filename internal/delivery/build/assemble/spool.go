package assemble

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// spool is a temporary file that holds the contents of many files.
type spool struct {
	f *os.File
	n int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "files-*")
	if err != nil {
		return nil, fmt.Errorf("keep unpacked files: %w", err)
	}
	return &spool{f: f}, nil
}

// add keeps what r holds, and returns how to open it.
func (s *spool) add(r io.Reader) (func() (io.ReadCloser, error), error) {
	name, offset := s.f.Name(), s.n
	size, err := io.Copy(s.f, r)
	s.n += size
	if err != nil {
		return nil, err
	}
	return func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(f, offset, size), f}, nil
	}, nil
}

func (s *spool) close() error {
	if err := s.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("keep unpacked files: %w", err)
	}
	return nil
}

package layerfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Spool is a temporary file that holds the contents of many files.
type Spool struct {
	f *os.File
	n int64
}

// Spool makes an empty spool. Its file goes with the directory of the store.
func (s *Store) Spool() (*Spool, error) {
	f, err := os.CreateTemp(s.Dir, "files-*")
	if err != nil {
		return nil, fmt.Errorf("keep unpacked files: %w", err)
	}
	return &Spool{f: f}, nil
}

// Add keeps what r holds, and returns how to open it.
func (s *Spool) Add(r io.Reader) (func() (io.ReadCloser, error), error) {
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

// Close ends the adding. What was added can still be opened.
func (s *Spool) Close() error {
	if err := s.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("keep unpacked files: %w", err)
	}
	return nil
}

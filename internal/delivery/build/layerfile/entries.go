package layerfile

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Entry is an entry of a base image's layer, as the cache keeps it.
type Entry struct {
	Header tar.Header
	Kept   bool // whether Data is its content
	Data   []byte
	Open   func() (io.ReadCloser, error) // its content, of a file that is copied from
}

// MaxAccounts bounds /etc/passwd and /etc/group.
const MaxAccounts = 4 << 20

// Entries hands the entries of a base image's layer to each, with the content of every
// file or that of the few that --chown needs. Without the contents the layer is not
// read where the cache has its entries.
func (s *Store) Entries(ctx context.Context, l v1.Layer, content bool, each func(Entry) error) error {
	if content {
		return s.read(ctx, l, true, each)
	}
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	list, found := s.listing(digest)
	if !found {
		list = nil
		err := s.read(ctx, l, false, func(entry Entry) error {
			list = append(list, entry)
			return nil
		})
		if err != nil {
			return err
		}
		s.keepListing(digest, list)
	}
	for _, entry := range list {
		if err := each(entry); err != nil {
			return err
		}
	}
	return nil
}

// read reads the entries of a layer.
func (s *Store) read(ctx context.Context, l v1.Layer, content bool, each func(Entry) error) (err error) {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	stream := Cancellable(ctx, r)
	var contents *Spool
	if content {
		if contents, err = s.Spool(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, contents.Close()) }()
	}
	files := tar.NewReader(stream)
	for {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		found := Entry{Header: *header}
		switch base := path.Base(header.Name); {
		case header.Typeflag != tar.TypeReg:
		case content:
			if found.Open, err = contents.Add(files); err != nil {
				return err
			}
		case (base == "passwd" || base == "group") && header.Size <= MaxAccounts:
			if found.Data, err = io.ReadAll(files); err != nil {
				return err
			}
			found.Kept = true
		}
		if err := each(found); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, stream) // the padding, so that the digest is checked
	return err
}

// listingOf is the name of the entries of a layer in the cache.
func listingOf(digest v1.Hash) string { return "entries of " + digest.String() }

// listing gives the entries of a layer, if the cache has them. The layer itself is
// then not downloaded.
func (s *Store) listing(digest v1.Hash) (list []Entry, ok bool) {
	found, ok := s.Cache.Find(listingOf(digest))
	if !ok {
		return nil, false
	}
	var data bytes.Buffer
	err := found.Copy(&data)
	if err == nil {
		err = gob.NewDecoder(&data).Decode(&list)
	}
	if err != nil {
		found.Damaged(err)
	}
	return list, err == nil
}

func (s *Store) keepListing(digest v1.Hash, list []Entry) {
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(list); err == nil {
		s.Cache.PutBytes(listingOf(digest), data.Bytes())
	}
}

package assemble

import (
	"archive/tar"
	"bytes"
	"encoding/gob"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// listed is an entry of a base image's layer, as the cache keeps it.
type listed struct {
	Header tar.Header
	Kept   bool // whether Data is its content
	Data   []byte
	open   func() (io.ReadCloser, error) // its content, of a file that is copied from
}

// listingOf is the name of the entries of a layer in the cache.
func listingOf(digest v1.Hash) string { return "entries of " + digest.String() }

// listing gives the entries of a layer, if the cache has them. The layer itself is
// then not downloaded.
func (e *shared) listing(digest v1.Hash) (list []listed, ok bool) {
	found, ok := e.cache.Find(listingOf(digest))
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

func (e *shared) keepListing(digest v1.Hash, list []listed) {
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(list); err == nil {
		e.cache.PutBytes(listingOf(digest), data.Bytes())
	}
}

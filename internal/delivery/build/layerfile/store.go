// Package layerfile keeps the layers of one build as compressed files: those that the
// build writes, and those of base images that it has to read. What an earlier build
// left in the layer cache is neither compressed nor downloaded again.
//
// It knows bytes and entries of archives. What files a layer has is the business of
// the assemble engine.
package layerfile

import (
	"runtime"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
)

// Options say how the layers of a build are kept.
type Options struct {
	Dir         string // of the files; who made it removes it after the build
	Compression build.Compression
	Cache       *layercache.Cache // nil for none
	// Packed, if not nil, is called while layers are compressed, also by several at
	// once, with the bytes of all files that are in.
	Packed func(bytes int64)
	// Early, if not nil, begins to push a layer while others are compressed.
	Early func(l v1.Layer)
}

// Store keeps layers. It is safe for concurrent use.
type Store struct {
	Options
	keeping sync.WaitGroup // what is put into the cache
	slots   chan struct{}  // of layers that are written at the same time
	total   atomic.Int64   // bytes in layers
}

// maxAtOnce bounds the layers that are in memory at the same time, see MaxKept.
const maxAtOnce = 4

// New makes a store without layers.
func New(o Options) *Store {
	return &Store{Options: o, slots: make(chan struct{}, min(maxAtOnce, runtime.GOMAXPROCS(0)))}
}

// Wait returns when the cache has what it is to keep.
func (s *Store) Wait() { s.keeping.Wait() }

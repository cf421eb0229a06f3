package registry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// candidate is one blob, and everything that lists it. Sizes are what is said:
// the smallest gives the place in the queue, the largest bounds what is read, so
// that a lie about a good blob neither delays it nor cuts it off.
type candidate struct {
	digest            string
	smallest, largest int64
	listed            []Blob
}

// Read reads the blobs, small ones first, each once however often it is listed,
// and hands it to use with everything that lists it. use may be called by
// several goroutines at once, and must not keep data: its space is used again.
func (b *Beside) Read(ctx context.Context, blobs []Blob, use func(listed []Blob, data []byte) error) error {
	var large []*candidate
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for _, c := range group(blobs) {
		if c.largest > smallBlob {
			large = append(large, c)
			continue
		}
		if b.affords() {
			g.Go(func() error {
				_, err := b.one(gctx, c, nil, use)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if len(large) == 0 {
		return nil
	}
	oneLarge.Lock()
	defer oneLarge.Unlock()
	var most int64
	for _, c := range large {
		most = max(most, c.largest)
	}
	buffer := make([]byte, 0, most+1) // once: only what is read of it costs memory
	for _, c := range large {
		if !b.affords() {
			continue
		}
		var err error
		if buffer, err = b.one(ctx, c, buffer, use); err != nil {
			return err
		}
	}
	return nil
}

// oneLarge lets one image's large blobs be read at a time, however many images
// are verified at once: memory is the process's.
var oneLarge sync.Mutex

// group puts what lists the same blob together, small blobs first, and keeps
// the order otherwise.
func group(blobs []Blob) []*candidate {
	var candidates []*candidate
	known := make(map[string]*candidate)
	for _, blob := range blobs {
		c := known[blob.Digest]
		if c == nil {
			c = &candidate{digest: blob.Digest, smallest: blob.Size}
			known[blob.Digest] = c
			candidates = append(candidates, c)
		}
		c.smallest, c.largest = min(c.smallest, blob.Size), max(c.largest, blob.Size)
		c.listed = append(c.listed, blob)
	}
	slices.SortStableFunc(candidates, func(x, y *candidate) int { return cmp.Compare(x.smallest, y.smallest) })
	return candidates
}

// affords reports whether the bounds allow to read another blob, and counts one
// that they do not.
func (b *Beside) affords() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes >= b.bounds.Bytes || time.Now().After(b.until) {
		b.beyond++
		return false
	}
	return true
}

func (b *Beside) spend(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += int64(n)
}

func (b *Beside) one(ctx context.Context, c *candidate, buffer []byte, use func([]Blob, []byte) error) ([]byte, error) {
	a, found, err := b.reader.content(ctx, "blobs", c.digest, buffer, c.largest)
	b.spend(len(a.body))
	if cap(a.body) > cap(buffer) {
		buffer = a.body
	}
	switch {
	case errors.As(err, new(tooLarge)):
		b.addJunk("the blob %s has more bytes than the %d that it is said to have", c.digest, c.largest)
		return buffer, nil
	case err != nil:
		return buffer, wrap(b.ref.Name(), "read "+c.digest+", which is kept beside "+b.ref.String(), err)
	case !found:
		b.addJunk("something beside the image names the blob %s, which the registry does not have", c.digest)
		return buffer, nil
	}
	return buffer, use(c.listed, a.body)
}

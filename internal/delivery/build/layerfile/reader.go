package layerfile

import (
	"bufio"
	"compress/bzip2"
	"context"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/moby/go-archive/compression"
	"github.com/ulikunitz/xz"
)

// Decompress reads what any of the compressions that ADD knows holds.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	start, err := buffered.Peek(10)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch compression.Detect(start) {
	case compression.Gzip:
		return gzip.NewReader(buffered)
	case compression.Bzip2:
		return io.NopCloser(bzip2.NewReader(buffered)), nil
	case compression.Xz:
		plain, err := xz.NewReader(buffered)
		return io.NopCloser(plain), err
	case compression.Zstd:
		plain, err := zstd.NewReader(buffered, zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return plain.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}

// Cancellable reads r until the context ends.
func Cancellable(ctx context.Context, r io.Reader) io.Reader { return &cancellable{ctx: ctx, r: r} }

type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

package assemble

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// compare reads back what both pushed last and reports any difference.
func (b *bench) compare(ctx context.Context) error {
	ours, err := b.read(ctx, b.built)
	if err != nil {
		return fmt.Errorf("compare what was pushed: %w", err)
	}
	peer, err := b.read(ctx, b.peer)
	if err != nil {
		return fmt.Errorf("compare what was pushed: %w", err)
	}
	if len(ours) == 0 || len(ours) != len(peer) {
		return fmt.Errorf("compare what was pushed: %d platforms against %d", len(ours), len(peer))
	}
	for platform, mine := range ours {
		if !maps.Equal(mine.files, peer[platform].files) {
			return fmt.Errorf("%s: the two pushed other files: %v against %v", platform, mine.files, peer[platform].files)
		}
		if !reflect.DeepEqual(mine.config, peer[platform].config) {
			return fmt.Errorf("%s: the two pushed another configuration: %+v against %+v", platform, mine.config, peer[platform].config)
		}
	}
	return nil
}

type contents struct {
	files  map[string]string // name → type, mode, owner, size, content
	config v1.Config
}

func (b *bench) read(ctx context.Context, reference string) (map[string]contents, error) {
	ref, err := b.client.Resolve(ctx, reference)
	if err != nil {
		return nil, err
	}
	list, err := b.client.Platforms(ctx, ref)
	if err != nil {
		return nil, err
	}
	all := map[string]contents{}
	for _, p := range list {
		image, err := b.client.Image(ctx, p.Ref)
		if err != nil {
			return nil, err
		}
		if all[p.Platform], err = readImage(image); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readImage(image v1.Image) (contents, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return contents{}, err
	}
	c := contents{files: map[string]string{}, config: config.Config}
	layers, err := image.Layers()
	if err != nil {
		return contents{}, err
	}
	for _, l := range layers {
		if err := c.add(l); err != nil {
			return contents{}, err
		}
	}
	return c, nil
}

func (c contents) add(l v1.Layer) (err error) {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, files); err != nil {
			return err
		}
		c.files[path.Clean(h.Name)] = fmt.Sprintf(
			"%c %o %d:%d %s %d %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, h.Size, hash.Sum(nil),
		)
	}
}

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Bounds of what is read beside one image, so that whoever may push there
// cannot keep a verifier busy for ever.
const (
	maxReferrers  = 1000
	maxAttachment = 64 << 20
	parallelReads = 8
)

// AnnotationBlob names an attachment's blob in the list of referrers, so that
// the copy beside each platform need not be fetched to be known.
const AnnotationBlob = "dev.waybill.blob"

const mediaTypeEmptyConfig = "application/vnd.oci.empty.v1+json"

// Attachment is a blob that is kept beside an image: an OCI referrer of it.
type Attachment struct {
	Subject     imageref.Ref // whose referrer it is
	MediaType   string       // of the blob; also the artifact type when written
	Digest      string       // sha256:HEX of the blob, when read
	Data        []byte
	Annotations map[string]string // of the referrer's manifest
	// Gone is set for a referrer that is listed and cannot be read because the
	// registry says that it does not exist, or because it is malformed.
	Gone string
}

// Attached reads the blobs attached to the subjects whose media type begins
// with prefix, each blob once however many subjects it is attached to.
func (c *Client) Attached(ctx context.Context, subjects []imageref.Ref, prefix string) ([]Attachment, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	puller, err := remote.NewPuller(c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, wrap(subjects[0].Name(), "list the referrers of "+subjects[0].String(), err)
	}
	r := attachedReader{client: c, puller: puller, prefix: prefix, known: make(map[string]bool)}
	if err := r.read(ctx, subjects[:1]); err != nil { // the image itself first: what its platforms repeat is then known
		return nil, err
	}
	if err := r.read(ctx, subjects[1:]); err != nil {
		return nil, err
	}
	return r.found, nil
}

type attachedReader struct {
	client *Client
	puller *remote.Puller
	prefix string

	mu    sync.Mutex
	known map[string]bool // digests of blobs
	found []Attachment
}

func (r *attachedReader) read(ctx context.Context, subjects []imageref.Ref) error {
	lists := make([][]v1.Descriptor, len(subjects))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for i, subject := range subjects {
		g.Go(func() (err error) {
			lists[i], err = r.list(gctx, subject)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for i, subject := range subjects {
		for _, desc := range lists[i] {
			if r.claim(desc.Annotations[AnnotationBlob]) {
				g.Go(func() error { return r.fetch(gctx, subject, desc) })
			}
		}
	}
	return g.Wait()
}

// claim says whether the blob is still to be fetched. Without a digest nobody
// knows before the manifest is read.
func (r *attachedReader) claim(digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return digest == "" || !r.known[digest]
}

func (r *attachedReader) list(ctx context.Context, subject imageref.Ref) ([]v1.Descriptor, error) {
	index, err := remote.Referrers(subject.GoName(), append(r.client.RemoteOptions(ctx), remote.Reuse(r.puller))...)
	if err != nil {
		return nil, wrap(subject.Name(), "list the referrers of "+subject.String(), err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, wrap(subject.Name(), "list the referrers of "+subject.String(), err)
	}
	if len(manifest.Manifests) > maxReferrers {
		return nil, wrap(subject.Name(), "list the referrers of "+subject.String(), fmt.Errorf("%d referrers are more than the %d that are read", len(manifest.Manifests), maxReferrers))
	}
	return manifest.Manifests, nil
}

func (r *attachedReader) fetch(ctx context.Context, subject imageref.Ref, desc v1.Descriptor) error {
	doing := "read " + desc.Digest.String() + ", a referrer of " + subject.String()
	got, err := r.puller.Get(ctx, subject.Name().Digest(desc.Digest.String()))
	if isNotFound(err) {
		r.add(Attachment{Subject: subject, Gone: "the registry lists " + desc.Digest.String() + " and does not have it"})
		return nil
	}
	if err != nil {
		return wrap(subject.Name(), doing, err)
	}
	var manifest v1.Manifest
	if !got.MediaType.IsImage() || json.Unmarshal(got.Manifest, &manifest) != nil {
		return nil // an index, or something of another kind
	}
	for _, layer := range manifest.Layers {
		if !strings.HasPrefix(string(layer.MediaType), r.prefix) || !r.take(layer.Digest.String()) {
			continue
		}
		data, err := r.blob(ctx, subject, layer)
		if isNotFound(err) {
			r.add(Attachment{Subject: subject, Gone: desc.Digest.String() + " names the blob " + layer.Digest.String() + ", which the registry does not have"})
			continue
		}
		if err != nil {
			return wrap(subject.Name(), doing, err)
		}
		r.add(Attachment{Subject: subject, MediaType: string(layer.MediaType), Digest: layer.Digest.String(), Data: data, Annotations: manifest.Annotations})
	}
	return nil
}

func (r *attachedReader) take(digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[digest] {
		return false
	}
	r.known[digest] = true
	return true
}

func (r *attachedReader) add(a Attachment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, a)
}

func (r *attachedReader) blob(ctx context.Context, subject imageref.Ref, desc v1.Descriptor) ([]byte, error) {
	if desc.Size > maxAttachment {
		return nil, fmt.Errorf("%d bytes are more than the %d that are read", desc.Size, maxAttachment)
	}
	layer, err := r.puller.Layer(ctx, subject.Name().Digest(desc.Digest.String()))
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, maxAttachment+1)) // go-containerregistry compares the digest at the end
}

func isNotFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

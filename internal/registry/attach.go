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
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

// annotationBlob names an attachment's blob in the list of referrers, so that
// the copy beside each platform need not be fetched to be known.
const annotationBlob = "dev.waybill.blob"

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

// Attach makes each blob a referrer of every subject. On a registry without
// the referrers API the fallback tag is kept, for which a subject's referrers
// are written one after the other.
func (c *Client) Attach(ctx context.Context, subjects []imageref.Ref, attachments []Attachment) error {
	if len(subjects) == 0 || len(attachments) == 0 {
		return nil
	}
	repository := subjects[0].Name()
	pusher, err := remote.NewPusher(c.RemoteOptions(ctx)...)
	if err != nil {
		return wrap(repository, "attach to "+subjects[0].String(), err)
	}
	g, gctx := errgroup.WithContext(ctx)
	blobs := append([]Attachment{{MediaType: mediaTypeEmptyConfig, Data: []byte("{}")}}, attachments...)
	for _, a := range blobs {
		g.Go(func() error {
			return pusher.Upload(gctx, repository, static.NewLayer(a.Data, types.MediaType(a.MediaType)))
		})
	}
	if err := g.Wait(); err != nil {
		return wrap(repository, "attach to "+subjects[0].String(), err)
	}
	g, gctx = errgroup.WithContext(ctx)
	for _, subject := range subjects {
		g.Go(func() error {
			desc, err := remote.Head(subject.GoName(), c.RemoteOptions(gctx)...)
			if err != nil {
				return wrap(repository, "read "+subject.String(), err)
			}
			for _, a := range attachments {
				m, err := newReferrer(*desc, a)
				if err != nil {
					return err
				}
				if err := pusher.Put(gctx, repository.Digest(m.digest.String()), m); err != nil {
					return wrap(repository, "attach to "+subject.String(), err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// referrer is the manifest of one attachment.
type referrer struct {
	raw    []byte
	digest v1.Hash
}

func newReferrer(subject v1.Descriptor, a Attachment) (referrer, error) {
	blob := static.NewLayer(a.Data, types.MediaType(a.MediaType))
	digest, err := blob.Digest()
	if err != nil {
		return referrer{}, fmt.Errorf("compute the digest of an attachment: %w", err)
	}
	config := static.NewLayer([]byte("{}"), mediaTypeEmptyConfig)
	configDigest, err := config.Digest()
	if err != nil {
		return referrer{}, fmt.Errorf("compute the digest of an attachment: %w", err)
	}
	annotations := map[string]string{annotationBlob: digest.String()}
	for k, v := range a.Annotations {
		annotations[k] = v
	}
	raw, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.MediaType,
		Config:      v1.Descriptor{MediaType: mediaTypeEmptyConfig, Digest: configDigest, Size: 2},
		Layers:      []v1.Descriptor{{MediaType: types.MediaType(a.MediaType), Digest: digest, Size: int64(len(a.Data))}},
		Subject:     &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: annotations,
	})
	if err != nil {
		return referrer{}, fmt.Errorf("write the manifest of an attachment: %w", err)
	}
	m := referrer{raw: raw}
	m.digest, _, err = v1.SHA256(strings.NewReader(string(raw)))
	return m, err
}

func (r referrer) RawManifest() ([]byte, error)        { return r.raw, nil }
func (r referrer) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

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
			if r.claim(desc.Annotations[annotationBlob]) {
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

package registry

import (
	"bytes"
	"context"
	"sync"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// AnnotationBlob names an attachment's blob in the list of referrers.
const AnnotationBlob = "dev.waybill.blob"

// Attachment is a blob that is kept beside an image: an OCI referrer of it.
type Attachment struct {
	MediaType   string // of the blob; also the artifact type when written
	Digest      string // sha256:HEX of the blob, when read
	Data        []byte
	Annotations map[string]string // of the referrer's manifest
}

// Attached reads the blobs attached to subject whose media type begins with
// prefix, each once. What cannot be read because it is not there, or is not what
// it is said to be, is left out.
func (c *Client) Attached(ctx context.Context, subject imageref.Ref, prefix string) ([]Attachment, error) {
	beside, err := c.Beside(ctx, subject, Bounds{})
	if err != nil {
		return nil, err
	}
	blobs, err := beside.Referrers(ctx, prefix, nil)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []Attachment
	err = beside.Read(ctx, blobs, func(listed []Blob, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, Attachment{
			MediaType: listed[0].MediaType, Digest: listed[0].Digest, Data: bytes.Clone(data), Annotations: listed[0].Annotations,
		})
		return nil
	})
	return found, err
}

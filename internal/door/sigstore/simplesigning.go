package sigstore

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// SimpleSigning is the document that a legacy signature signs:
// https://www.redhat.com/en/blog/container-image-signing
func SimpleSigning(ref imageref.Ref) ([]byte, error) {
	data, err := payload.Cosign{Image: ref.GoName()}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the simple-signing document: %w", err)
	}
	return data, nil
}

// SimpleSigningDigest is the manifest digest that such a document names.
func SimpleSigningDigest(data []byte) (string, error) {
	var doc payload.SimpleContainerImage
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", fmt.Errorf("read the simple-signing document: %w", err)
	}
	if doc.Critical.Type != payload.CosignSignatureType || doc.Critical.Image.DockerManifestDigest == "" {
		return "", errors.New("read the simple-signing document: it names no image")
	}
	return doc.Critical.Image.DockerManifestDigest, nil
}

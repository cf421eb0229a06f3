package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"

	"github.com/digitorus/timestamp"
	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekor2 "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekor1client "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// What comes from a service is held against what was asked before it is used: an answer to
// somebody else, kept and given again by something on the way, would be attached beside the
// image and verify nowhere. Whether the service is one to trust is for verifiers.

// withoutTimeout has a library's client leave the time to the exchange.
const withoutTimeout = -1

// certify has Fulcio certify the key.
func (s service) certify(ctx context.Context, key *Key, token string) (*x509.Certificate, error) {
	call := s.call(ctx)
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.url, Timeout: withoutTimeout, Transport: call})
	der, err := fulcio.GetCertificate(ctx, key, &sign.CertificateProviderOptions{IDToken: token})
	if err != nil {
		return nil, call.failed(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, call.failed(err)
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.private.Public()) {
		return nil, call.another("certificate", "key")
	}
	return leaf, nil
}

// another says that an answer is to another question.
func (e *exchange) another(what, of string) error {
	return &serviceError{service: e.service, how: fmt.Sprintf("gave a %s of another %s than it was asked for, as a cache on the way "+
		"would that keeps answers: reach the service without it, and run it again", what, of)}
}

// authority is a timestamp authority.
type authority struct{ service }

// stamp has the authority say when the signature was there.
func (a authority) stamp(ctx context.Context, signature []byte) ([]byte, error) {
	call := a.call(ctx)
	client := sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: a.url, Timeout: withoutTimeout, Transport: call})
	stamp, err := client.GetTimestamp(ctx, signature)
	if err != nil {
		return nil, call.failed(err)
	}
	read, err := timestamp.ParseResponse(stamp)
	if err != nil {
		return nil, call.failed(err)
	}
	if sum := sha256.Sum256(signature); read.HashAlgorithm != crypto.SHA256 || !bytes.Equal(read.HashedMessage, sum[:]) {
		return nil, call.another("timestamp", "signature")
	}
	return stamp, nil
}

// log is a transparency log.
type log struct {
	service
	version uint32
	client  sign.RekorClient // of version 1, in tests; otherwise nil
}

// alreadyLoggedError says that a log of version 2 has such an entry, which it does not give
// again.
type alreadyLoggedError struct{ error }

// enter has the log keep the signature, and puts the entry into the bundle.
func (l log) enter(ctx context.Context, by, signature []byte, b *protobundle.Bundle) error {
	call := l.call(ctx)
	before := len(b.GetVerificationMaterial().GetTlogEntries())
	o := sign.RekorOptions{
		BaseURL: l.url, Timeout: withoutTimeout, Version: l.version, ClientV2: rekorTwo{call}, Client: l.client,
	}
	if l.client == nil && l.version < 2 {
		client, err := newRekorOne(call)
		if err != nil {
			return err
		}
		o.Client = client
	}
	if err := sign.NewRekor(&o).GetTransparencyLogEntry(ctx, by, b); err != nil {
		var has *alreadyLoggedError
		if errors.As(err, &has) {
			return err
		}
		return call.failed(err)
	}
	for _, entry := range b.GetVerificationMaterial().GetTlogEntries()[before:] {
		read, err := tlog.ParseTransparencyLogEntry(entry)
		if err != nil {
			return call.failed(err)
		}
		if !bytes.Equal(read.Signature(), signature) {
			return call.another("log entry", "signature")
		}
	}
	return nil
}

// rekorOne is a log of version 1 by its own client. An answer can lack parts, and
// sigstore-go would use them without looking.
type rekorOne struct{ inner entries.ClientService }

func newRekorOne(call *exchange) (rekorOne, error) {
	at, err := url.Parse(call.url)
	if err != nil {
		return rekorOne{}, fmt.Errorf("read the address of %s: %w", call.what, err)
	}
	if at.Path == "" {
		at.Path = rekor1client.DefaultBasePath
	}
	transport := httptransport.NewWithClient(at.Host, at.Path, []string{at.Scheme}, call.client())
	return rekorOne{rekor1client.New(transport, strfmt.Default).Entries}, nil
}

// CreateLogEntry implements sign.RekorClient.
func (r rekorOne) CreateLogEntry(p *entries.CreateLogEntryParams, o ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	created, err := r.inner.CreateLogEntry(p, o...)
	if err != nil {
		return nil, err
	}
	entry, ok := created.Payload[created.ETag]
	if !ok {
		return nil, errors.New("it holds no entry of the name that it gives")
	}
	return created, whole(entry)
}

// GetLogEntryByUUID implements sign.RekorClient.
func (r rekorOne) GetLogEntryByUUID(
	p *entries.GetLogEntryByUUIDParams, o ...entries.ClientOption,
) (*entries.GetLogEntryByUUIDOK, error) {
	got, err := r.inner.GetLogEntryByUUID(p, o...)
	if err != nil {
		return nil, err
	}
	if len(got.Payload) != 1 {
		return nil, fmt.Errorf("it holds %d entries, not one", len(got.Payload))
	}
	for _, entry := range got.Payload {
		err = whole(entry)
	}
	return got, err
}

func whole(entry models.LogEntryAnon) error {
	if entry.LogID == nil || entry.LogIndex == nil || entry.IntegratedTime == nil {
		return errors.New("it lacks the log, the time or the place of the entry")
	}
	if entry.Verification == nil || entry.Verification.InclusionProof == nil {
		return errors.New("it lacks the proof that the log has the entry")
	}
	if p := entry.Verification.InclusionProof; p.Checkpoint == nil || p.RootHash == nil || p.TreeSize == nil || p.LogIndex == nil {
		return errors.New("it lacks a part of the proof that the log has the entry")
	}
	return nil
}

// rekorTwo is a log of version 2. Its own client takes no transport.
// https://github.com/sigstore/rekor-tiles/blob/main/pkg/client/write/write.go
type rekorTwo struct{ call *exchange }

// Add implements sign.RekorV2Client.
func (r rekorTwo) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	hashed, ok := entry.(*rekor2.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("a log of Rekor v2 takes no %T", entry)
	}
	body, err := protojson.Marshal(&rekor2.CreateEntryRequest{
		Spec: &rekor2.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: hashed},
	})
	if err != nil {
		return nil, fmt.Errorf("write the entry: %w", err)
	}
	at, err := url.Parse(r.call.url)
	if err != nil {
		return nil, fmt.Errorf("read the address of %s: %w", r.call.what, err)
	}
	at.Path = path.Join("/", at.Path, "/api/v2/log/entries")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.call.client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusConflict {
		return nil, &alreadyLoggedError{&serviceError{
			service: r.call.service, status: response.StatusCode, how: "has this entry already (" + r.call.came + "): run it again",
		}}
	}
	read := new(protorekor.TransparencyLogEntry)
	if err := protojson.Unmarshal(answer, read); err != nil {
		return nil, err
	}
	return read, nil
}

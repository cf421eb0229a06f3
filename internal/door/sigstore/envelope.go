package sigstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// maxBesidePayload bounds a bundle or envelope without its payload:
// certificates, timestamps and log entries have some kilobytes.
const maxBesidePayload = 256 << 10

// MaxStatement is the largest statement that fits what verifiers read of one
// attachment, once it is written in base64.
const MaxStatement = (registry.MaxAttachment - maxBesidePayload) / 4 * 3

// withoutPayload takes the payload out of a JSON envelope. The payload is raw:
// the JSON string, as a slice of data.
func withoutPayload(data, envelope []byte) (rest, payload []byte, err error) {
	members, err := strictjson.Members(envelope)
	if err != nil {
		return nil, nil, fmt.Errorf("read the envelope: %w", err)
	}
	payload = members["payload"]
	if len(data)-len(payload) > maxBesidePayload {
		return nil, nil, fmt.Errorf("it has %d bytes beside its payload, and at most %d are read", len(data)-len(payload), maxBesidePayload)
	}
	if len(payload) < 2 || payload[0] != '"' {
		return data, nil, nil
	}
	start := cap(data) - cap(payload) // payload is a slice of data
	rest = append(append(append([]byte{}, data[:start]...), `""`...), data[start+len(payload):]...)
	return rest, payload, nil
}

// parseBundle is bundle.UnmarshalJSON that does not hold the payload twice, and
// does not parse what could not be evidence. The payload lies in data.
func parseBundle(data []byte) (*bundle.Bundle, error) {
	data = data[:len(data):len(data)]
	members, err := strictjson.Members(data)
	if err != nil {
		return nil, err
	}
	envelope := members["dsseEnvelope"]
	if envelope == nil {
		envelope = []byte("{}") // of another content; all of it has to be small
	}
	rest, raw, err := withoutPayload(data, envelope)
	if err != nil {
		return nil, err
	}
	parsed := new(protobundle.Bundle)
	if err := protojson.Unmarshal(rest, parsed); err != nil {
		return nil, err
	}
	if e := parsed.GetDsseEnvelope(); e != nil && raw != nil {
		if e.Payload, err = decode(raw, raw[1:len(raw)-1]); err != nil {
			return nil, fmt.Errorf("read the payload: %w", err)
		}
	}
	return bundle.NewBundle(parsed)
}

// maxSignatures bounds the signatures of one envelope that are tried.
const maxSignatures = 16

// unquote is the content of a JSON string, as a slice of it where nothing is
// escaped.
func unquote(text []byte) ([]byte, error) {
	content := text[1 : len(text)-1]
	if !bytes.Contains(content, []byte(`\`)) {
		return content, nil
	}
	var unescaped string // as some write the slash
	if err := json.Unmarshal(text, &unescaped); err != nil {
		return nil, err
	}
	return []byte(unescaped), nil
}

// decode reads a JSON string of base64 into the space of into.
func decode(text, into []byte) ([]byte, error) {
	content, err := unquote(text)
	if err != nil {
		return nil, err
	}
	n, err := base64.StdEncoding.Decode(into, content) // never writes beyond what it has read
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return into[:n], nil
}

// dsseEnvelope is a DSSE envelope whose payload stays as it is stored.
type dsseEnvelope struct {
	payloadType string
	encoded     []byte // base64
	signatures  [][]byte
}

// parseEnvelope reads a DSSE envelope, as a legacy attestation is one. It leaves
// data as it is.
func parseEnvelope(data []byte) (dsseEnvelope, error) {
	data = data[:len(data):len(data)]
	rest, raw, err := withoutPayload(data, data)
	if err != nil {
		return dsseEnvelope{}, err
	}
	var says struct {
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(rest, &says); err != nil {
		return dsseEnvelope{}, err
	}
	e := dsseEnvelope{payloadType: says.PayloadType}
	if raw == nil {
		return dsseEnvelope{}, errors.New("it has no payload")
	}
	if e.encoded, err = unquote(raw); err != nil {
		return dsseEnvelope{}, fmt.Errorf("read the payload: %w", err)
	}
	for _, s := range says.Signatures {
		e.signatures = append(e.signatures, s.Sig)
	}
	return e, nil
}

// signed reports whether the key made one of the signatures.
func (e dsseEnvelope) signed(key publicKey) error {
	err := errors.New("it carries no signature")
	length := base64.StdEncoding.DecodedLen(len(e.encoded)) - bytes.Count(e.encoded[max(0, len(e.encoded)-2):], []byte("="))
	open := func() io.Reader { return base64.NewDecoder(base64.StdEncoding, bytes.NewReader(e.encoded)) }
	for _, sig := range e.signatures[:min(len(e.signatures), maxSignatures)] {
		if err = key.verifyStream(sig, e.payloadType, length, open); err == nil {
			return nil
		}
	}
	return err
}

package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// store keeps what it is given.
type store struct{ bundles []json.RawMessage }

func (s *store) Attestations(context.Context, string) ([]json.RawMessage, error) {
	return s.bundles, nil
}

func (s *store) Attest(_ context.Context, bundle json.RawMessage) error {
	s.bundles = append(s.bundles, bytes.Clone(bundle))
	return nil
}

// Each bundle of the signer is handed over once, whoever attached it how often in
// which bytes, and nobody else's is.
func TestPublishHandsOverEachBundleOnce(t *testing.T) {
	t.Parallel()
	im := push(t, registrytest.New(t, nil).Host)
	key, trust, _ := newKey(t, "ecdsa")
	other, otherTrust, _ := newKey(t, "ecdsa")
	result, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signWith(t, im, otherTrust, sigstore.SignerOptions{Key: other}, im.options()); err != nil {
		t.Fatal(err)
	}
	attached, err := im.client.Attached(t.Context(), im.Ref, sigstore.MediaTypeBundlePrefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attached { // of both signers
		again := registry.Attachment{MediaType: a.MediaType, Data: slices.Concat([]byte("\n "), a.Data), Annotations: a.Annotations}
		if err := sigstore.Attach(t.Context(), im.client, []imageref.Ref{im.Ref}, []registry.Attachment{again}); err != nil {
			t.Fatal(err)
		}
	}
	to := new(store)
	deps := collect.Deps{Registry: im.client, Verifier: trust}
	for i, want := range []int{4, 0} {
		added, err := collect.Publish(t.Context(), deps, im.Ref, result.Signer, to)
		if err != nil || *added != want || len(to.bundles) != 4 {
			t.Fatalf("time %d: handed over %v, %v, and the store has %d; want %d and 4", i+1, *added, err, len(to.bundles), want)
		}
	}
}

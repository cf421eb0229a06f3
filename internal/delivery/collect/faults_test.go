package collect_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// Wherever the registry stops to answer, sign ends with an error, what is attached by
// then is whole, and signing again ends in the state of an image that met no trouble.
func TestFaultAtEachRequest(t *testing.T) {
	t.Parallel()
	key, trust, p := newKey(t, "ecdsa")
	for _, format := range []string{sign.Bundle, sign.Both} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var requests, stops atomic.Int64 // since the last sign, and from which one on the registry refuses
			server := registrytest.New(t, func(w http.ResponseWriter, _ *http.Request) bool {
				if n := requests.Add(1); stops.Load() > 0 && n >= stops.Load() {
					w.WriteHeader(http.StatusForbidden) // which nobody asks again
					return true
				}
				return false
			})
			signed := func(im image, o sign.Options, from int64) error {
				requests.Store(0)
				stops.Store(from)
				defer stops.Store(0)
				o.Format = format
				_, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o)
				return err
			}
			im := push(t, server.Host)
			if err := signed(im, im.options(), 0); err != nil {
				t.Fatal(err)
			}
			all := requests.Load()
			want := records(judge(t, im, trust, p).Records)
			if all < 20 {
				t.Fatalf("only %d requests: are they counted?", all)
			}
			for from := int64(1); from <= all; from += 5 {
				im := push(t, server.Host)
				o := im.options() // the same report both times
				err := signed(im, o, from)
				after := judge(t, im, trust, p)
				if err == nil && records(after.Records) != want {
					t.Fatalf("no answer from request %d on: no error, and %s", from, records(after.Records))
				}
				if len(after.Problems) > 0 {
					t.Errorf("no answer from request %d on: half attached: %v", from, after.Problems)
				}
				if err := signed(im, o, 0); err != nil {
					t.Fatalf("again, after no answer from request %d on: %v", from, err)
				}
				if again := judge(t, im, trust, p); !again.Decision.Allowed || records(again.Records) != want {
					t.Errorf("again, after no answer from request %d on: %s, want %s\n%s", from, records(again.Records), want, again.Text())
				}
			}
		})
	}
}

// records names what counts, in a fixed order.
func records(list []evidence.Record) string {
	var names []string
	for _, r := range list {
		names = append(names, string(r.Kind)+" "+r.Format)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

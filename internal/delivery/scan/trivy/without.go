//go:build !goexperiment.jsonv2

package trivy

import (
	"context"
	"errors"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Images opens manifests; internal/door/registry's Client does.
type Images interface {
	Image(ctx context.Context, ref imageref.Ref) (v1.Image, error)
}

// Scan says how to get a binary that scans.
func Scan(context.Context, Images, exchange.Request, *atomic.Int64, func(error)) (
	exchange.Answer, func() ([]exchange.Documents, error), error,
) {
	return exchange.Answer{}, nil, errors.New("this waybill-scan was built without Trivy, which needs GOEXPERIMENT=jsonv2: build it with " +
		"`make build`, or with GOEXPERIMENT=jsonv2 go build ./cmd/waybill-scan")
}

// Version is that of the Trivy module linked in.
func Version() string { return "none" }

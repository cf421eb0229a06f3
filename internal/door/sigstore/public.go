package sigstore

import (
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
)

// The public Sigstore instance publishes its signing config and trusted root
// by TUF; sigstore-go carries the root of that trust.

func tufOptions(cache string) *tuf.Options {
	o := tuf.DefaultOptions()
	if cache != "" {
		o.CachePath = cache
	}
	return o
}

func publicSigningConfig(cache string) (*root.SigningConfig, error) {
	config, err := root.FetchSigningConfigWithOptions(tufOptions(cache))
	if err != nil {
		return nil, fmt.Errorf("fetch the signing config of the public Sigstore instance: %w (give --signing-config to use another)", err)
	}
	return config, nil
}

func publicTrustedRoot(cache string) (root.TrustedMaterial, error) {
	trusted, err := root.FetchTrustedRootWithOptions(tufOptions(cache))
	if err != nil {
		return nil, fmt.Errorf("fetch the trusted root of the public Sigstore instance: %w (give --trusted-root to use another)", err)
	}
	return trusted, nil
}

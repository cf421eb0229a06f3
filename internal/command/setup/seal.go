package setup

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// sealKey is the pair of keys by which plans are sealed. The private half is
// made here, goes to GitHub, and is kept nowhere else.
func (s *setup) sealKey() setting {
	place := github.InEnvironment(infraEnvironment)
	const public, private = "WAYBILL_SEAL_TO", "WAYBILL_SEAL_KEY"
	return setting{
		kind: "secret", text: fmt.Sprintf("%s of %s, and %s in its environment %s", public, s.infra, private, infraEnvironment),
		there: func(ctx context.Context) (bool, error) {
			vars, err := s.API.Variables(ctx, s.infra, github.OfRepository)
			if err != nil {
				return false, err
			}
			secrets, err := s.API.Secrets(ctx, s.infra, place)
			return vars[public] != "" && slices.Contains(secrets, private), err
		},
		set: func(ctx context.Context) error {
			vars, err := s.API.Variables(ctx, s.infra, github.OfRepository)
			if err != nil {
				return err
			}
			if vars[public] != "" {
				return unready{Person, fmt.Sprintf("%s is set and its other half is not: gh secret set %s --repo %s --env %s", public, private,
					s.infra, infraEnvironment)}
			}
			recipient, identity, err := seal.NewPair()
			if err != nil {
				return err
			}
			if err := s.API.SetSecret(ctx, s.infra, place, private, identity); err != nil {
				return err
			}
			return s.API.SetVariable(ctx, s.infra, github.OfRepository, public, recipient)
		},
	}
}

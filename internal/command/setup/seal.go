package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// readRoots reads from waybill.yaml which environments the roots are applied in.
func (s *setup) readRoots(ctx context.Context) error {
	if s.Infra == "" {
		return nil
	}
	info, err := s.API.Repo(ctx, s.infra)
	if err != nil {
		return notThere(err)
	}
	tip, err := s.API.Tip(ctx, s.infra, info.DefaultBranch, []string{config.FileName}, "")
	if err != nil || tip.Files[config.FileName] == nil {
		return notThere(err)
	}
	c, err := config.Parse(config.FileName, tip.Files[config.FileName])
	if err != nil {
		return fmt.Errorf("%s: %w", s.infra, err)
	}
	s.roots = c.Terraform().EnvironmentNames()
	return nil
}

// notThere takes what does not exist yet for no error.
func notThere(err error) error {
	if github.IsNotFound(err) {
		return nil
	}
	return err
}

// rootsLater stands for the settings of the roots while nobody knows these.
func (s *setup) rootsLater() setting {
	return setting{
		kind: "environment", text: fmt.Sprintf("the environments of the roots of %s, and the key that seals plans", s.infra),
		there: func(context.Context) (bool, error) { return s.Undo, nil },
		set: func(context.Context) error {
			return unready{Later, fmt.Sprintf("push what waybill init writes to %s first, which names them; then run this again", s.infra)}
		},
	}
}

// The names of the two halves of the key pair.
const (
	sealPublic  = "WAYBILL_SEAL_TO"
	sealPrivate = "WAYBILL_SEAL_KEY"
)

// sealKey is the pair of keys by which plans are sealed. The private half is
// made here, goes to GitHub, and is kept nowhere else: to the jobs that apply, and
// to the one that says what a sealed plan does.
func (s *setup) sealKey() setting {
	environments := append([]string{waybillEnvironment}, s.roots...)
	return setting{
		kind: "secret", text: fmt.Sprintf("%s of %s, and %s in its environments %s", sealPublic, s.infra, sealPrivate,
			strings.Join(environments, ", ")),
		there: func(ctx context.Context) (bool, error) {
			vars, err := s.API.Variables(ctx, s.infra, settings.OfRepository)
			if err != nil {
				return false, err
			}
			missing, err := s.withoutKey(ctx, environments)
			return vars[sealPublic] != "" && len(missing) == 0, err
		},
		set: func(ctx context.Context) error { return s.makeSealKey(ctx, environments) },
	}
}

// withoutKey are the environments that do not hold the private half.
func (s *setup) withoutKey(ctx context.Context, environments []string) (missing []string, err error) {
	for _, name := range environments {
		secrets, err := s.API.Secrets(ctx, s.infra, settings.InEnvironment(name))
		if err != nil && !github.IsNotFound(err) {
			return nil, err
		}
		if !slices.Contains(secrets, sealPrivate) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// makeSealKey makes no second pair: what was sealed for the first one could not
// be opened any more.
func (s *setup) makeSealKey(ctx context.Context, environments []string) error {
	vars, err := s.API.Variables(ctx, s.infra, settings.OfRepository)
	if err != nil {
		return err
	}
	if vars[sealPublic] != "" {
		missing, err := s.withoutKey(ctx, environments)
		if err != nil {
			return err
		}
		return unready{Person,
			fmt.Sprintf("%s is set, and its other half is missing in %s: gh secret set %s --repo %s --env %s, and so on; "+
				"without that half, delete the variable %[1]s and run this again", sealPublic, strings.Join(missing, ", "),
				sealPrivate, s.infra,
				missing[0])}
	}
	recipient, identity, err := seal.NewPair()
	if err != nil {
		return err
	}
	for _, name := range environments {
		if err := s.API.SetSecret(ctx, s.infra, settings.InEnvironment(name), sealPrivate, identity); err != nil {
			return err
		}
	}
	return s.API.SetVariable(ctx, s.infra, settings.OfRepository, sealPublic, recipient)
}

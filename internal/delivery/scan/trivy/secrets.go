//go:build goexperiment.jsonv2

package trivy

import (
	"cmp"
	"slices"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// inConfiguration is where a secret stands that is in no file: in a variable, a
// label or a build argument.
const inConfiguration = "configuration of the image"

// maxSecrets is how many secrets of one manifest a report names: a layer can hold
// as many lines that look like one as its author likes.
const maxSecrets = 1000

// keepSecrets takes over rule and place of each secret. Trivy's match and lines of
// code are left: they show what is around the secret, and parts of it.
func (s *scanner) keepSecrets(ref imageref.Ref, detail ftypes.ArtifactDetail) {
	files := detail.Secrets
	if c := detail.ImageConfig.Secret; c != nil {
		files = append(slices.Clone(files), ftypes.Secret{FilePath: inConfiguration, Findings: c.Findings})
	}
	var found []evidence.Secret
	for _, file := range files {
		for _, f := range file.Findings {
			secret := evidence.Secret{Rule: f.RuleID, Title: f.Title, Target: file.FilePath, Line: f.StartLine}
			if file.FilePath == inConfiguration {
				secret.Line = 0 // of a form that nobody sees
			}
			found = append(found, secret)
		}
	}
	slices.SortFunc(found, func(a, b evidence.Secret) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	found = slices.Compact(found)
	s.secrets[ref] = found[:min(len(found), maxSecrets)]
}

// ConfigFile keeps Trivy from guessing which layers are of a base image: it looks
// for no secret in those, and guesses by words of the history that anybody can write.
func (i *image) ConfigFile() (*v1.ConfigFile, error) {
	config, err := i.Image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	for k := range config.History {
		if config.History[k].EmptyLayer {
			config.History[k].CreatedBy = " " + config.History[k].CreatedBy
		}
	}
	return config, nil
}

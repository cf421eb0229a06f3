package buildkit

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// lineError is an error of the daemon about an instruction.
type lineError struct {
	file *build.Dockerfile
	line int
	err  error
}

func (e *lineError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %v", e.file.Path, e.line, e.file.Line(e.line), e.err)
}

func (e *lineError) Unwrap() error { return e.err }

// result is what one daemon built.
type result struct {
	images map[build.Platform]v1.Image
	bases  []evidence.BaseImage
	took   time.Duration
	steps  []build.Step
}

// readResult reads the OCI layout that a daemon exported.
func readResult(dir string, platforms []build.Platform) (result, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return result{}, fmt.Errorf("read what BuildKit built: %w", err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return result{}, fmt.Errorf("read what BuildKit built: %w", err)
	}
	return resultOf(index, platforms)
}

// resultOf takes the images of the platforms out of an index of BuildKit's.
func resultOf(index v1.ImageIndex, platforms []build.Platform) (result, error) {
	r := result{images: map[build.Platform]v1.Image{}}
	if err := r.add(index); err != nil {
		return result{}, fmt.Errorf("read what BuildKit built: %w", err)
	}
	return r, r.complete(platforms)
}

func (r *result) complete(platforms []build.Platform) error {
	for _, p := range platforms {
		if r.images[p] == nil {
			return fmt.Errorf("BuildKit built nothing for %s", p)
		}
	}
	return nil
}

// annotationAttestation marks BuildKit's attestation manifests.
// https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
const annotationAttestation = "vnd.docker.reference.type"

func (r *result) add(index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		switch {
		case m.MediaType.IsIndex():
			inner, err := index.ImageIndex(m.Digest)
			if err != nil {
				return err
			}
			if err := r.add(inner); err != nil {
				return err
			}
		case m.Annotations[annotationAttestation] != "":
			image, err := index.Image(m.Digest)
			if err != nil {
				return err
			}
			if err := r.readProvenance(image); err != nil {
				return err
			}
		case m.MediaType.IsImage():
			image, err := index.Image(m.Digest)
			if err != nil {
				return err
			}
			if err := r.addImage(image); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *result) addImage(image v1.Image) error {
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	name := config.OS + "/" + config.Architecture
	if config.Variant != "" {
		name += "/" + config.Variant
	}
	p, err := build.ParsePlatform(name)
	if err != nil {
		return err
	}
	r.images[p] = image
	return nil
}

const (
	predicateProvenance = "https://slsa.dev/provenance/"
	maxProvenance       = 16 << 20
)

// readProvenance collects the base images that an attestation manifest names.
func (r *result) readProvenance(image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	for _, l := range manifest.Layers {
		if !strings.HasPrefix(l.Annotations["in-toto.io/predicate-type"], predicateProvenance) {
			continue
		}
		layer, err := image.LayerByDigest(l.Digest)
		if err != nil {
			return err
		}
		content, err := layer.Compressed()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(content, maxProvenance))
		content.Close()
		if err != nil {
			return err
		}
		bases, err := baseImages(data)
		if err != nil {
			return fmt.Errorf("read BuildKit's provenance: %w", err)
		}
		r.bases = append(r.bases, bases...)
	}
	return nil
}

// baseImages reads the images among a provenance statement's dependencies:
// pkg:docker/NAME@TAG?platform=… with the digest beside it.
func baseImages(statement []byte) ([]evidence.BaseImage, error) {
	type dependency struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest"`
	}
	var s struct {
		Predicate struct {
			Materials       []dependency `json:"materials"` // SLSA 0.2
			BuildDefinition struct {
				ResolvedDependencies []dependency `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &s); err != nil {
		return nil, err
	}
	var bases []evidence.BaseImage
	for _, d := range append(s.Predicate.Materials, s.Predicate.BuildDefinition.ResolvedDependencies...) {
		name, ok := strings.CutPrefix(d.URI, "pkg:docker/")
		if !ok || d.Digest["sha256"] == "" {
			continue
		}
		name, _, _ = strings.Cut(name, "?")
		if name, tag, found := cutLast(name, "@"); found {
			bases = append(bases, evidence.BaseImage{
				Name: unescape(name) + ":" + unescape(tag), Digest: imageref.Algorithm + d.Digest["sha256"],
			})
			continue
		}
		bases = append(bases, evidence.BaseImage{Name: unescape(name), Digest: imageref.Algorithm + d.Digest["sha256"]})
	}
	return bases, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is an operating system and an architecture, in the normal form in
// which arm64's only variant is left out.
type Platform struct{ OS, Architecture, Variant string }

// architectures that images are made for, by operating system.
// https://go.dev/doc/install/source#environment
var architectures = map[string][]string{
	"linux":   {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x"},
	"freebsd": {"386", "amd64", "arm", "arm64", "riscv64"},
	"windows": {"amd64", "arm64"},
	"wasi":    {"wasm"},
	"wasip1":  {"wasm"},
}

// ParsePlatform reads OS/ARCH or OS/ARCH/VARIANT, and refuses what no image is
// made for.
func ParsePlatform(s string) (Platform, error) {
	if !strings.Contains(s, "/") {
		return Platform{}, fmt.Errorf("platform %q: want OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64 or linux/arm/v7", s)
	}
	p, err := platforms.Parse(s)
	if err != nil {
		return Platform{}, fmt.Errorf("platform %q: %w", s, err)
	}
	p = platforms.Normalize(p)
	known := architectures[p.OS]
	if known == nil {
		return Platform{}, fmt.Errorf("platform %q: unknown operating system %q: images are mostly for linux", s, p.OS)
	}
	if !slices.Contains(known, p.Architecture) {
		return Platform{}, fmt.Errorf("platform %q: unknown architecture %q: %s has %s", s, p.Architecture, p.OS, strings.Join(known, ", "))
	}
	return Platform{p.OS, p.Architecture, p.Variant}, nil
}

// ParsePlatforms reads a list, in its order and without repetitions.
func ParsePlatforms(list []string) ([]Platform, error) {
	var parsed []Platform
	for _, s := range list {
		p, err := ParsePlatform(s)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(parsed, p) {
			parsed = append(parsed, p)
		}
	}
	return parsed, nil
}

func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Spec is the platform in the OCI libraries' form.
func (p Platform) Spec() ocispec.Platform {
	return ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

func (p Platform) descriptor() *v1.Platform {
	return &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// Package imageref makes a digest a type.
//
// A Ref names one immutable manifest or index in one repository. Everything
// below the command line takes a Ref, so a tag, which anybody with push rights
// can move, cannot reach code that signs, judges or deploys.
//
// It does not talk to a registry: whether the digest exists is not its business.
package imageref

import (
	_ "crypto/sha256" // which go-digest looks for
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"
)

// Algorithm begins every digest: only SHA-256 is used.
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
const Algorithm = "sha256:"

// DigestOf is the digest of content.
func DigestOf(content []byte) string { return digest.FromBytes(content).String() }

// DigestSum is the digest of what h, a hash of SHA-256, was given.
func DigestSum(h hash.Hash) string { return digest.NewDigest(digest.SHA256, h).String() }

// ErrTag is reported when a tag stands where a digest is meant.
var ErrTag = errors.New("a tag can be moved, a digest cannot")

// Ref is a repository and the sha256 digest of a manifest or index in it. The
// zero Ref names nothing; see IsZero.
type Ref struct {
	repository name.Repository
	digest     string
}

// Parse reads REPOSITORY@sha256:HEX. A tag beside the digest (as in
// REPOSITORY:v1@sha256:HEX) is accepted and dropped, a tag in place of the
// digest is refused with ErrTag.
func Parse(s string) (Ref, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Ref{}, errors.New("empty image reference: want REPOSITORY@sha256:…")
	}
	if d, err := name.NewDigest(s, name.StrictValidation); err == nil && !strings.HasPrefix(d.DigestStr(), Algorithm) {
		return Ref{}, fmt.Errorf("image reference %q: only digests of SHA-256 are used: want REPOSITORY@sha256:…", s)
	} else if err == nil {
		return Ref{repository: Canonical(d.Repository), digest: d.DigestStr()}, nil
	} else if strings.Contains(s, "@") {
		return Ref{}, fmt.Errorf("image reference %q: %w", s, err)
	}
	if _, err := name.NewTag(s); err != nil {
		return Ref{}, fmt.Errorf("image reference %q: %w", s, err)
	}
	return Ref{}, fmt.Errorf("image reference %q has no digest, and %w: want REPOSITORY@sha256:…, as printed by waybill build", s, ErrTag)
}

// Split takes REPOSITORY[:TAG][@DIGEST] apart, as it stands. The tag is dropped.
func Split(image string) (repository, digest string) {
	repository, digest, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(repository, ':'); colon > strings.LastIndexByte(repository, '/') {
		repository = repository[:colon]
	}
	return repository, digest
}

// ParseAll reads one image or more.
func ParseAll(list []string) (refs []Ref, err error) {
	for _, text := range list {
		ref, err := Parse(text)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// Lines writes each image on a line of its own, as ParseAll reads their lines.
func Lines(refs []Ref) string {
	lines := make([]string, len(refs))
	for i, ref := range refs {
		lines[i] = ref.String()
	}
	return strings.Join(lines, "\n")
}

// ParseRepository reads a repository without tag or digest.
func ParseRepository(s string) (name.Repository, error) {
	s = strings.TrimSpace(s)
	repository, err := name.NewRepository(s, name.StrictValidation)
	if _, short := ParseLocal(s); err != nil && short == nil {
		return name.Repository{}, fmt.Errorf("repository %q names no registry: write docker.io/%[1]s if it is on Docker Hub, "+
			"else the registry's host in front, such as ghcr.io/%[1]s", s)
	}
	if err != nil {
		return name.Repository{}, fmt.Errorf(
			"repository %q: %w: want REGISTRY/PATH without tag or digest, such as ghcr.io/acme/demo-api", s, err,
		)
	}
	return Canonical(repository), nil
}

// ParseLocal reads the name of an image on this machine, where acme/app is short
// for Docker Hub's docker.io/acme/app, as Docker has it.
func ParseLocal(s string) (name.Repository, error) {
	repository, err := name.NewRepository(strings.TrimSpace(s), name.WeakValidation)
	if err != nil {
		return repository, err
	}
	return Canonical(repository), nil
}

// hubs are names of Docker Hub beside the one that go-containerregistry has for it. The
// first is where its registry answers, the second an older name of the same.
// https://distribution.github.io/distribution/recipes/mirror/
var hubs = []string{"registry-1.docker.io", "registry.hub.docker.com"}

// Canonical gives a repository of Docker Hub the one name that all its names stand for,
// so that one image is not taken for two. Other repositories stay as they are.
func Canonical(repository name.Repository) name.Repository {
	if !slices.Contains(hubs, repository.RegistryStr()) {
		return repository
	}
	hub, err := name.NewRepository(repository.RepositoryStr(), name.WeakValidation)
	if err != nil || hub.RegistryStr() != name.DefaultRegistry { // acme.io/x is no path of Docker Hub by itself
		return repository
	}
	return hub
}

// ParseRepositories reads repositories, each once.
func ParseRepositories(list []string) (all []name.Repository, err error) {
	for _, text := range list {
		repository, err := ParseRepository(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, repository) {
			all = append(all, repository)
		}
	}
	return all, nil
}

// Host is the registry of a reference by tag or digest, as Ref.Registry gives it;
// empty if the text is no reference.
func Host(reference string) string {
	parsed, err := name.ParseReference(strings.TrimSpace(reference))
	if err != nil {
		return ""
	}
	return Canonical(parsed.Context()).RegistryStr()
}

// New joins a parsed repository and a digest of the form sha256:HEX.
func New(repository name.Repository, digest string) (Ref, error) {
	return Parse(repository.Name() + "@" + digest)
}

// At names another digest in the same repository.
func (r Ref) At(digest string) (Ref, error) { return New(r.repository, digest) }

// In names the same digest in another repository.
func (r Ref) In(repository name.Repository) Ref {
	return Ref{repository: repository, digest: r.digest}
}

// Copies names the same digest in other repositories, each once.
func (r Ref) Copies(list []string) (copies []Ref, err error) {
	repositories, err := ParseRepositories(list)
	if err != nil {
		return nil, err
	}
	for _, repository := range repositories {
		if repository != r.repository {
			copies = append(copies, r.In(repository))
		}
	}
	return copies, nil
}

// IsZero says that r names nothing.
func (r Ref) IsZero() bool { return r.digest == "" }

// Name is the repository in go-containerregistry's form, for the registry door.
func (r Ref) Name() name.Repository { return r.repository }

// GoName is the reference in go-containerregistry's form, for the registry door.
func (r Ref) GoName() name.Digest { return r.repository.Digest(r.digest) }

// Repository is the registry and path, without digest.
func (r Ref) Repository() string { return r.repository.Name() }

// Registry is the host, with its port if there is one.
func (r Ref) Registry() string { return r.repository.RegistryStr() }

// Digest is sha256:HEX, 64 hexadecimal digits.
func (r Ref) Digest() string { return r.digest }

// Hex is the digest without its algorithm, as in-toto subjects carry it.
func (r Ref) Hex() string { return strings.TrimPrefix(r.digest, Algorithm) }

// Short is the algorithm and the first twelve digits, for people.
func (r Ref) Short() string { return ShortDigest(r.digest) }

// String is REPOSITORY@sha256:HEX, which Parse reads back.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.repository.Name() + "@" + r.digest
}

// MarshalText makes a Ref a plain string in JSON and YAML.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote; empty text gives the zero Ref.
func (r *Ref) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// ShortDigest cuts sha256:HEX to its first twelve digits, for people.
func ShortDigest(digest string) string {
	algorithm, hex, found := strings.Cut(digest, ":")
	if !found || len(hex) <= 12 {
		return digest
	}
	return algorithm + ":" + hex[:12]
}

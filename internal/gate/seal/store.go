package seal

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// ArtifactType is what a sealed plan is in a registry.
const ArtifactType = "application/vnd.waybill.sealed-plan.v1"

const ociScheme = "oci://"

// Registry stores documents by digest.
type Registry interface {
	PushDocuments(ctx context.Context, repository name.Repository, artifactType string, documents []registry.Document) (imageref.Ref, error)
	Documents(ctx context.Context, ref imageref.Ref, artifactType string) ([]registry.Document, error)
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	Tag(ctx context.Context, ref imageref.Ref, tag string) error
}

// Place is where sealed plans are kept: a directory, or a repository of a
// registry.
type Place struct {
	Dir        string
	Repository name.Repository // where Dir is empty
}

// ParsePlace reads a directory or oci://REPOSITORY.
func ParsePlace(text string) (Place, error) {
	repository, oci := strings.CutPrefix(text, ociScheme)
	if !oci {
		return Place{Dir: text}, nil
	}
	parsed, err := imageref.ParseRepository(repository)
	if err != nil {
		return Place{}, outcome.Usagef("store %q: %w", text, err)
	}
	return Place{Repository: parsed}, nil
}

// ClaimType is what a plan says of itself in the clear, beside the sealed one.
const ClaimType = "application/vnd.waybill.plan-claim.v1+json"

// Kept is a sealed plan, and what is said of it in the clear.
type Kept struct {
	Fingerprint plan.Fingerprint
	Sealed      []byte
	Claim       []byte // of the plan comment
	Part        []byte // to a later run that keeps roots of it; nil of a joined plan, whose parts have it
}

// Save keeps a sealed plan, and says where: a file, or oci://REPOSITORY@DIGEST.
func (p Place) Save(ctx context.Context, client Registry, k Kept) (string, error) {
	if p.Dir == "" {
		documents := []registry.Document{
			{Name: "plan.sealed", MediaType: ArtifactType, Data: k.Sealed}, {Name: "claim.json", MediaType: ClaimType, Data: k.Claim},
		}
		if k.Part != nil {
			documents = append(documents, registry.Document{Name: "part.json", MediaType: PartType, Data: k.Part})
		}
		ref, err := client.PushDocuments(ctx, p.Repository, ArtifactType, documents)
		if err != nil {
			return "", fmt.Errorf("store the sealed plan: %w", err)
		}
		return ociScheme + ref.String(), nil
	}
	path := filepath.Join(p.Dir, string(k.Fingerprint)+".sealed")
	if isJoined(k.Sealed) {
		// Not the name of a plan that one job made, which can be a part of this one.
		path = filepath.Join(p.Dir, string(k.Fingerprint)+".joined.sealed")
	}
	err := os.MkdirAll(p.Dir, 0o700)
	if err == nil {
		err = atomicwriter.WriteFile(path+claimSuffix, k.Claim, 0o600)
	}
	if err == nil && k.Part != nil {
		err = atomicwriter.WriteFile(path+partSuffix, k.Part, 0o600)
	}
	if err == nil {
		err = atomicwriter.WriteFile(path, k.Sealed, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("store the sealed plan: %w", err)
	}
	return path, nil
}

// Holds reports whether a plan, as Save gave it, is kept in this place.
func (p Place) Holds(plan string) bool {
	ref, path, err := ParseRef(plan)
	switch {
	case err != nil:
		return false
	case path != "":
		return p.Dir != "" && filepath.Clean(p.Dir) == filepath.Dir(path)
	}
	return p.Dir == "" && ref.Repository() == p.Repository.Name()
}

const claimSuffix = ".claim.json"

// ParseRef reads what Save gave: the reference, or the path of a file.
func ParseRef(text string) (ref imageref.Ref, path string, err error) {
	digest, oci := strings.CutPrefix(text, ociScheme)
	if !oci {
		return imageref.Ref{}, text, nil
	}
	ref, err = imageref.Parse(digest)
	if err != nil {
		return imageref.Ref{}, "", outcome.Usagef("sealed plan %q: %w", text, err)
	}
	return ref, "", nil
}

// Load reads a sealed plan.
func Load(ctx context.Context, client Registry, ref imageref.Ref, path string) ([]byte, error) {
	return load(ctx, client, ref, path, ArtifactType)
}

// LoadClaim reads what was claimed of a sealed plan where it was kept. It is the
// word of whoever kept it.
func LoadClaim(ctx context.Context, s Source) ([]byte, error) {
	ref, path, err := ParseRef(s.Plan)
	if err != nil {
		return nil, err
	}
	if path != "" {
		return load(ctx, nil, ref, path+claimSuffix, ClaimType)
	}
	return load(ctx, s.Registry(ref.Registry()), ref, "", ClaimType)
}

func load(ctx context.Context, client Registry, ref imageref.Ref, path, mediaType string) ([]byte, error) {
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the sealed plan: %w", err)
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, MaxSize))
		if err != nil {
			return nil, fmt.Errorf("read the sealed plan: %w", err)
		}
		return data, nil
	}
	documents, err := client.Documents(ctx, ref, ArtifactType)
	if err != nil {
		return nil, fmt.Errorf("read the sealed plan: %w", err)
	}
	documents = slices.DeleteFunc(documents, func(d registry.Document) bool { return d.MediaType != mediaType })
	if len(documents) != 1 {
		return nil, refuse(NotSealed, "%s holds %d documents of the type %s, a sealed plan has one", ref, len(documents), mediaType)
	}
	return documents[0].Data, nil
}

// Source says which sealed plan is opened, and with what.
type Source struct {
	Plan       string                     // what Save gave
	Registry   func(host string) Registry // the client for a host
	Identities []Identity
	Expect     Expect
}

// Fetch reads a sealed plan and opens it. Of a joined plan it opens every part.
func Fetch(ctx context.Context, s Source) (*Bundle, error) {
	data, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if isJoined(data) {
		return s.openJoined(ctx, data, MaxSize)
	}
	return Open(data, s.Identities, s.Expect)
}

func (s Source) load(ctx context.Context) ([]byte, error) {
	ref, path, err := ParseRef(s.Plan)
	if err != nil {
		return nil, err
	}
	var client Registry
	if path == "" {
		client = s.Registry(ref.Registry())
	}
	return Load(ctx, client, ref, path)
}

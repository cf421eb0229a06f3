package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Bounds of one answer.
const (
	maxManifest = 16 << 20 // registries have to take 4 MiB; cosign's tags can grow beyond
	maxConfig   = 16 << 20
	bodyReads   = 3 // how often an answer whose body breaks off is asked for

	slowest = 256 << 10 // bytes a second that a registry has to give, beside a minute for all
)

// acceptManifests names every form of manifest that Waybill reads.
const acceptManifests = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1"

// reader reads one repository. It bounds every answer by a number of bytes, and
// it tells three things apart: what is there, what the registry says is not
// there, and a registry that does not answer as it should.
type reader struct {
	name    name.Repository
	client  *http.Client
	session *readers // nil outside of a session
}

// readers keeps the logins of a session, and which registries list referrers.
type readers struct {
	mu    sync.Mutex
	known map[string]*reader
	lists map[string]bool // by repository
}

func (c *Client) reader(ctx context.Context, repository name.Repository) (*reader, error) {
	if c.readers == nil {
		return c.newReader(ctx, repository)
	}
	c.readers.mu.Lock()
	defer c.readers.mu.Unlock()
	if r := c.readers.known[repository.Name()]; r != nil {
		return r, nil
	}
	r, err := c.newReader(ctx, repository)
	if err == nil {
		r.session = c.readers
		c.readers.known[repository.Name()] = r
	}
	return r, err
}

// listsReferrers remembers that the registry has the referrers API.
func (r *reader) listsReferrers() {
	if r.session != nil {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		r.session.lists[r.name.Name()] = true
	}
}

// ListsReferrers reports whether this session has seen a list of referrers of that
// repository, so that nobody keeps one in a tag there.
func (c *Client) ListsReferrers(repository name.Repository) bool {
	if c.readers == nil {
		return false
	}
	c.readers.mu.Lock()
	defer c.readers.mu.Unlock()
	return c.readers.lists[repository.Name()]
}

func (c *Client) newReader(ctx context.Context, repository name.Repository) (*reader, error) {
	auth, err := authn.Resolve(ctx, c.keychain, repository)
	if err != nil {
		return nil, wrap(repository, "find the login for "+repository.Name(), err)
	}
	scopes := []string{repository.Scope(transport.PullScope)}
	t, err := transport.NewWithContext(ctx, repository.Registry, auth, transport.NewUserAgent(c.transport, c.userAgent), scopes)
	if err != nil {
		return nil, wrap(repository, "log in to read "+repository.Name(), err)
	}
	return &reader{name: repository, client: &http.Client{Transport: t}}, nil
}

// answer is what a registry said, its body read.
type answer struct {
	status int // 200, or one of the statuses that the caller takes
	header http.Header
	body   []byte
}

// tooLarge says that an answer has more bytes than were asked for. It says
// nothing bad of the registry.
type tooLarge struct{ limit int64 }

func (e tooLarge) Error() string { return fmt.Sprintf("it has more than %d bytes", e.limit) }

// get reads at most limit bytes into buffer, which may be nil. Statuses other
// than 200 and those given are trouble. A body that breaks off is asked for
// again.
func (r *reader) get(ctx context.Context, path string, buffer []byte, limit int64, taken ...int) (answer, error) {
	var err error
	for range bodyReads {
		var a answer
		if a, err = r.once(ctx, path, buffer, limit, taken); err == nil || errors.As(err, new(tooLarge)) || !passes(err) ||
			ctx.Err() != nil {
			return a, err
		}
	}
	return answer{}, err
}

func (r *reader) once(ctx context.Context, path string, buffer []byte, limit int64, taken []int) (answer, error) {
	patience := time.Minute + time.Duration(limit/slowest)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %s", patience))
	defer cancel()
	url := r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + "/" + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", acceptManifests)
	response, err := r.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if err := transport.CheckError(response, append(taken, http.StatusOK)...); err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header}
	if a.status != http.StatusOK {
		return a, nil
	}
	if response.ContentLength > limit {
		return a, tooLarge{limit}
	}
	if need := response.ContentLength + 1; need > int64(cap(buffer)) { // one more, to see the end without growing
		buffer = make([]byte, 0, need)
	}
	a.body, err = readInto(buffer, response.Body, limit)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // which is not asked for again
	}
	return a, err
}

// readInto reads into the space of buffer, growing it where it must.
func readInto(buffer []byte, from io.Reader, limit int64) ([]byte, error) {
	buffer = buffer[:0]
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := from.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if int64(len(buffer)) > limit {
			return buffer, tooLarge{limit}
		}
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return buffer, err
		}
	}
}

var sha256Digest = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// content reads a manifest or blob by digest and compares the digest. found is
// false where the registry says that there is no such thing.
func (r *reader) content(ctx context.Context, kind, digest string, buffer []byte, limit int64) (a answer, found bool, err error) {
	a, err = r.get(ctx, kind+"/"+digest, buffer, limit, http.StatusNotFound, http.StatusGone)
	if err != nil || a.status != http.StatusOK {
		return a, false, err
	}
	if got := imageref.DigestOf(a.body); got != digest {
		return a, false, fmt.Errorf("the registry answers with content of digest %s", got)
	}
	return a, true, nil
}

// Contents is what an index, or a single manifest, holds.
type Contents struct {
	Index bool
	// Platforms are the manifests with a platform.
	Platforms []Platform
	// Manifests are the digests of everything that somebody could run: all but
	// the attestations that BuildKit keeps inside an index. What is called one
	// there, and is none by its content, is among them.
	Manifests []string
}

// Contents reads what ref holds. A single manifest holds itself.
func (c *Client) Contents(ctx context.Context, ref imageref.Ref) (Contents, error) {
	r, err := c.reader(ctx, ref.Name())
	if err != nil {
		return Contents{}, err
	}
	m, err := r.manifest(ctx, ref)
	if err != nil {
		return Contents{}, err
	}
	if !m.MediaType.IsIndex() {
		platform, err := r.platformOf(ctx, ref, m.Raw)
		if err != nil {
			return Contents{}, wrap(ref.Name(), "read the configuration of "+ref.String(), err)
		}
		return Contents{Platforms: []Platform{{Platform: platform, Ref: ref}}, Manifests: []string{ref.Digest()}}, nil
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(m.Raw, &index); err != nil {
		return Contents{}, wrap(ref.Name(), "read "+ref.String(), err)
	}
	contents := Contents{Index: true}
	if contents.Platforms, err = indexPlatforms(ref, &index); err != nil {
		return Contents{}, err
	}
	listed := make(map[string]bool)
	var called []string
	for _, d := range index.Manifests {
		if d.Platform != nil && d.Platform.OS == unknown && d.Platform.Architecture == unknown {
			called = append(called, d.Digest.String())
			continue
		}
		contents.Manifests = append(contents.Manifests, d.Digest.String())
		listed[d.Digest.String()] = true
	}
	for _, digest := range called {
		if listed[digest] {
			continue
		}
		listed[digest] = true
		attestation, err := r.isAttestation(ctx, ref, digest)
		if err != nil {
			return Contents{}, err
		}
		if !attestation {
			contents.Manifests = append(contents.Manifests, digest)
		}
	}
	return contents, nil
}

// manifest reads what ref names, which has to be there.
func (r *reader) manifest(ctx context.Context, ref imageref.Ref) (Manifest, error) {
	a, found, err := r.content(ctx, "manifests", ref.Digest(), nil, maxManifest)
	if err == nil && !found {
		err = &transport.Error{StatusCode: http.StatusNotFound, Errors: []transport.Diagnostic{{
			Code: transport.ManifestUnknownErrorCode, Message: "the registry does not have it",
		}}}
	}
	if err != nil {
		return Manifest{}, wrap(ref.Name(), "read "+ref.String(), err)
	}
	return Manifest{Ref: ref, MediaType: mediaType(a), Raw: a.body}, nil
}

// mediaType is what the document says that it is, else what the registry says.
func mediaType(a answer) types.MediaType {
	var says struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	if json.Unmarshal(a.body, &says) == nil && says.MediaType != "" {
		return says.MediaType
	}
	header, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return types.MediaType(a.header.Get("Content-Type"))
	}
	return types.MediaType(header)
}

// platformOf is the platform that the configuration of a manifest names, or
// empty.
func (r *reader) platformOf(ctx context.Context, ref imageref.Ref, raw []byte) (string, error) {
	var manifest v1.Manifest
	err := json.Unmarshal(raw, &manifest)
	if err != nil {
		return "", err
	}
	digest := manifest.Config.Digest.String()
	if !sha256Digest.MatchString(digest) {
		return "", fmt.Errorf("%s names no configuration", ref)
	}
	a, found, err := r.content(ctx, "blobs", digest, nil, maxConfig)
	if err == nil && !found {
		err = fmt.Errorf("the registry does not have %s", digest)
	}
	if err != nil {
		return "", err
	}
	var config v1.ConfigFile
	if json.Unmarshal(a.body, &config) != nil {
		return "", nil // an artifact that is no image
	}
	if p := config.Platform(); p != nil {
		return p.String(), nil
	}
	return "", nil
}

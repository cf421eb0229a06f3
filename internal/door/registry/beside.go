package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// MaxAttachment is what one blob beside an image may have. Writers refuse what
// is larger, because readers do not read it. It is cosign's own limit:
// https://github.com/sigstore/cosign/blob/main/doc/cosign_environment.md
const MaxAttachment = 128 << 20

// Bounds of what is read beside one image. Anybody who may push to the repository
// can put anything there; none of it may keep a verifier from a good record.
const (
	maxReferrer     = 1 << 20 // one referrer's manifest
	maxInManifest   = 8       // blobs looked at of one referrer; each has one
	parallelReads   = 16
	smallBlob       = 1 << 20 // larger ones are read one after the other, into one buffer
	maxJunkReported = 50
)

// Bounds of all that is read beside one image. Zero values are the defaults.
type Bounds struct {
	Candidates int // in the list of referrers, and in each of cosign's tags
	Bytes      int64
	Time       time.Duration
}

func (b Bounds) orDefaults() Bounds {
	return Bounds{
		Candidates: cmp.Or(b.Candidates, 20_000), Bytes: cmp.Or(b.Bytes, 1<<30), Time: cmp.Or(b.Time, 90*time.Second),
	}
}

const mediaTypeEmptyConfig = "application/vnd.oci.empty.v1+json"

// Blob is something kept beside an image that may be evidence. Everything in it
// is a claim of the one who pushed it.
type Blob struct {
	Tag         string // suffix of the tag that lists it; empty for a referrer
	MediaType   string
	Digest      string // sha256:HEX
	Size        int64
	Annotations map[string]string // of the referrer's manifest, or of the tag's layer
}

// Beside reads what is kept beside one image, within bounds. What cannot be
// evidence is reported by Junk and stops nothing; trouble with the registry is
// an error.
type Beside struct {
	reader *reader
	ref    imageref.Ref
	bounds Bounds
	until  time.Time

	mu     sync.Mutex
	junk   []string
	lost   []string // lists of candidates that cannot be read as such
	beyond int      // candidates that the bounds left unread
	bytes  int64    // read so far
}

// evidencePlace is the repository in which evidence is kept; the zero value is each
// image's own.
type evidencePlace struct {
	repository name.Repository
	elsewhere  bool
	invalid    error
}

func newEvidencePlace(repository string) (p evidencePlace) {
	if repository == "" {
		return p
	}
	p.elsewhere = true
	if p.repository, p.invalid = imageref.ParseRepository(repository); p.invalid != nil {
		p.invalid = fmt.Errorf("the repository for evidence (COSIGN_REPOSITORY): %w", p.invalid)
	}
	return p
}

// Evidence is an image's digest in the repository in which its evidence is kept, and
// whether that is another one than the image's.
func (c *Client) Evidence(ref imageref.Ref) (at imageref.Ref, elsewhere bool, err error) {
	if !c.evidence.elsewhere || c.evidence.invalid != nil {
		return ref, false, c.evidence.invalid
	}
	return ref.In(c.evidence.repository), true, nil
}

// Beside prepares to read beside ref, or in the repository for evidence.
func (c *Client) Beside(ctx context.Context, ref imageref.Ref, bounds Bounds) (*Beside, error) {
	ref, _, err := c.Evidence(ref)
	if err != nil {
		return nil, err
	}
	r, err := c.reader(ctx, ref.Name())
	if err != nil {
		return nil, err
	}
	bounds = bounds.orDefaults()
	return &Beside{reader: r, ref: ref, bounds: bounds, until: time.Now().Add(bounds.Time)}, nil
}

// Junk says what was found that cannot be evidence.
func (b *Beside) Junk() []string {
	if more := len(b.junk) - maxJunkReported; more > 0 {
		return append(slices.Clone(b.junk[:maxJunkReported]), fmt.Sprintf("%d more things beside the image are not evidence", more))
	}
	return b.junk
}

// Unread says what was left out because of the bounds, or because a list of
// candidates is none; empty if nothing was.
func (b *Beside) Unread() string {
	unread := slices.Clone(b.lost)
	if b.beyond > 0 {
		unread = append(unread, fmt.Sprintf("%d candidates beside %s were not read: "+
			"Waybill reads %d candidates, %d MiB and for %s. Delete what does not belong there",
			b.beyond, b.ref, b.bounds.Candidates, b.bounds.Bytes>>20, b.bounds.Time))
	}
	return strings.Join(unread, "; ")
}

// addLost reports a list of candidates that is none: a page of a proxy, say, or
// what somebody pushed in its place. Nobody can tell what it would list, so it is
// junk that leaves no verdict unless enough else counts.
func (b *Beside) addLost(format string, args ...any) {
	b.addJunk(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = append(b.lost, fmt.Sprintf(format, args...)+", so what it should list was not read")
}

func (b *Beside) addJunk(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.junk = append(b.junk, fmt.Sprintf(format, args...))
}

func (b *Beside) skip(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beyond += n
}

// Referrers lists the blobs of the referrers of the image, by the referrers API
// or, where the registry has none, by its fallback tag. Only blobs whose media
// type begins with prefix are listed, and only referrers that keep accepts are
// read; it may be nil.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
func (b *Beside) Referrers(ctx context.Context, prefix string, keep func(v1.Descriptor) bool) ([]Blob, error) {
	listed, err := b.list(ctx)
	if err != nil {
		return nil, wrap(b.ref.Name(), "list the referrers of "+b.ref.String(), err)
	}
	var wanted []v1.Descriptor
	for _, d := range bothEnds(listed) {
		typed := d.ArtifactType == "" || d.ArtifactType == mediaTypeEmptyConfig || strings.HasPrefix(d.ArtifactType, prefix)
		if typed && (keep == nil || keep(d)) {
			wanted = append(wanted, d)
		}
	}
	found := make([][]Blob, len(wanted))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for i, d := range wanted {
		if time.Now().After(b.until) {
			b.skip(len(wanted) - i)
			break
		}
		g.Go(func() (err error) {
			found[i], err = b.referrer(gctx, d.Digest.String(), prefix)
			if err != nil {
				return wrap(b.ref.Name(), "read "+d.Digest.String()+", a referrer of "+b.ref.String(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// bothEnds takes the first and the last in turn: lists grow at one end, and who
// adds to them cannot choose which.
func bothEnds[T any](list []T) []T {
	mixed := make([]T, 0, len(list))
	for i, j := 0, len(list)-1; i <= j; i, j = i+1, j-1 {
		mixed = append(mixed, list[i])
		if i != j {
			mixed = append(mixed, list[j])
		}
	}
	return mixed
}

func (b *Beside) list(ctx context.Context) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	path := "referrers/" + b.ref.Digest()
	for page := 0; path != ""; page++ {
		if page > b.bounds.Candidates || time.Now().After(b.until) { // pages may be empty and have no end
			b.skip(1)
			return all, nil
		}
		a, err := b.reader.get(
			ctx, path, nil, maxManifest, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed,
			http.StatusNotAcceptable,
		)
		if err != nil {
			return nil, err
		}
		if a.status != http.StatusOK && page > 0 {
			b.addLost("the registry answers %.200s, a further page of referrers, with the status %d", path, a.status)
			return all, nil
		}
		if a.status != http.StatusOK {
			return b.fallback(ctx)
		}
		if is, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); types.MediaType(is) != types.OCIImageIndex {
			b.addLost("the registry answers %s with the type %.80q, which is no list of referrers", path, is)
			return b.fallback(ctx)
		}
		index, err := indexOf(a.body)
		if err != nil {
			return nil, fmt.Errorf("the answer is no index: %w", err)
		}
		b.reader.listsReferrers()
		all = append(all, index.Manifests...)
		next, err := nextPage(path, a.header.Values("Link"))
		if err != nil {
			b.addLost("the registry lists referrers in pages, and %v", err)
		}
		if len(all) >= b.bounds.Candidates && (next != "" || len(all) > b.bounds.Candidates) || next == path {
			b.skip(max(1, len(all)-b.bounds.Candidates))
			return all[:min(len(all), b.bounds.Candidates)], nil
		}
		path = next
	}
	return all, nil
}

// indexOf reads an index strictly enough to tell one from another document: even
// an empty one has its list.
func indexOf(data []byte) (index v1.IndexManifest, err error) {
	var says map[string]json.RawMessage
	if err = json.Unmarshal(data, &says); err == nil {
		err = json.Unmarshal(data, &index)
	}
	if _, listed := says["manifests"]; err == nil && (!listed || index.SchemaVersion != 2) {
		err = errors.New("it has no schemaVersion 2 with manifests")
	}
	return index, err
}

// fallback reads the tag that clients keep where there is no referrers API. The
// specification lets a client fail where the tag names anything but an index.
// Anybody who may push can put anything there, so what else is good still counts.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func (b *Beside) fallback(ctx context.Context) ([]v1.Descriptor, error) {
	tag := strings.Replace(b.ref.Digest(), ":", "-", 1)
	a, err := b.reader.get(ctx, "manifests/"+tag, nil, maxManifest, http.StatusNotFound)
	if errors.As(err, new(tooLarge)) {
		b.addLost("the tag %s has more than %d bytes", tag, maxManifest)
		return nil, nil
	}
	if err != nil || a.status == http.StatusNotFound {
		return nil, err
	}
	index, err := indexOf(a.body)
	if err != nil || !mediaType(a).IsIndex() {
		b.addLost("the tag %s is no list of referrers: it is of type %.80q", tag, mediaType(a))
		return nil, nil
	}
	if more := len(index.Manifests) - b.bounds.Candidates; more > 0 {
		b.skip(more)
		return bothEnds(index.Manifests)[:b.bounds.Candidates], nil
	}
	return index.Manifests, nil
}

// referrer reads one manifest and lists its blobs.
func (b *Beside) referrer(ctx context.Context, digest, prefix string) ([]Blob, error) {
	if !sha256Digest.MatchString(digest) {
		b.addJunk("a referrer has the digest %.80q, which is no sha256 digest", digest)
		return nil, nil
	}
	a, found, err := b.reader.content(ctx, "manifests", digest, nil, maxReferrer)
	switch {
	case errors.As(err, new(tooLarge)):
		b.addJunk("the referrer %s has more than %d bytes", digest, maxReferrer)
		return nil, nil
	case err != nil:
		return nil, err
	case !found:
		b.addJunk("the registry lists %s and does not have it", digest)
		return nil, nil
	}
	var manifest v1.Manifest
	if json.Unmarshal(a.body, &manifest) != nil { // its content decides, whatever type the registry says that it has
		return nil, nil
	}
	return b.blobs(
		manifest.Layers, "", manifest.Annotations,
		func(l v1.Descriptor) bool { return strings.HasPrefix(string(l.MediaType), prefix) }, maxInManifest,
	), nil
}

// blobs are the layers that may be read. annotations is nil where each layer
// has its own.
func (b *Beside) blobs(layers []v1.Descriptor, tag string, annotations map[string]string, is func(v1.Descriptor) bool, limit int) []Blob {
	var blobs []Blob
	for _, l := range layers {
		switch digest := l.Digest.String(); {
		case !is(l):
		case !sha256Digest.MatchString(digest):
			b.addJunk("a blob has the digest %.80q, which is no sha256 digest", digest)
		case l.Size < 0 || l.Size > MaxAttachment:
			b.addJunk("the blob %s is said to have %d bytes, and at most %d are read", digest, l.Size, MaxAttachment)
		case len(blobs) == limit:
			b.skip(1)
		default:
			of := annotations
			if tag != "" {
				of = l.Annotations
			}
			blobs = append(blobs, Blob{Tag: tag, MediaType: string(l.MediaType), Digest: digest, Size: l.Size, Annotations: of})
		}
	}
	return blobs
}

// Tagged lists the layers of one media type in the tag that cosign's legacy form
// keeps beside the image: sha256-HEX and suffix. Without the tag there are none.
func (b *Beside) Tagged(ctx context.Context, suffix, layerType string) ([]Blob, error) {
	tag := strings.Replace(b.ref.Digest(), ":", "-", 1) + "." + suffix
	a, err := b.reader.get(ctx, "manifests/"+tag, nil, maxManifest, http.StatusNotFound)
	if errors.As(err, new(tooLarge)) {
		b.addLost("the tag %s has more than %d bytes", tag, maxManifest)
		return nil, nil
	}
	if err != nil {
		return nil, wrap(b.ref.Name(), "read "+b.ref.Repository()+":"+tag, err)
	}
	if a.status == http.StatusNotFound {
		return nil, nil
	}
	var manifest v1.Manifest
	if !mediaType(a).IsImage() || json.Unmarshal(a.body, &manifest) != nil {
		b.addLost("the tag %s holds no signatures: it is of type %.80q", tag, mediaType(a))
		return nil, nil
	}
	is := func(l v1.Descriptor) bool { return string(l.MediaType) == layerType }
	return b.blobs(bothEnds(manifest.Layers), suffix, nil, is, b.bounds.Candidates), nil
}

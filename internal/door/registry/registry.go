// Package registry is the door to OCI registries, and the only importer of
// go-containerregistry's remote client.
//
// It reads and writes by digest; a tag is written only by Tag and read only by
// Resolve. Every request is bounded in time and in retries, and every error
// names the host. Registry trouble is always an error, never an empty answer.
package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Options of a Client. The zero value uses the credentials of docker login.
type Options struct {
	// Keychain finds credentials; nil is authn.DefaultKeychain.
	Keychain authn.Keychain
	// Username and Password go to the host of Registry alone, before Keychain
	// is asked.
	Registry, Username, Password string
	// Hosts says which registries are reached in another way than the usual.
	Hosts Hosts
	// Logins are asked before Keychain.
	Logins Logins
	// Clouds, if not nil, is asked last: for registries whose passwords are had
	// from their cloud.
	Clouds authn.Keychain
	// Evidence, if not empty, is the repository in which evidence is kept, in place
	// of each image's own. One that is none is reported with the first request.
	Evidence string
	// UserAgent is appended to go-containerregistry's own.
	UserAgent string
	// Transport replaces the bounded default one, for tests.
	Transport http.RoundTripper
	// Trace, if not nil, wraps the transport and sees every request.
	Trace func(http.RoundTripper) http.RoundTripper
	// Progress, if not nil, is called while an image is pushed, with the bytes
	// that are there and those of the whole. Calls do not overlap within a push.
	Progress func(done, total int64)
}

// Client reads and writes images in registries. It is safe for concurrent use.
type Client struct {
	transport http.RoundTripper
	keychain  authn.Keychain
	userAgent string
	hosts     Hosts
	progress  func(done, total int64)
	evidence  evidencePlace
	puller    *remote.Puller // of a Session; nil logs in anew for each call
	pusher    *remote.Pusher // as puller
	readers   *readers       // as puller
}

// New makes a client.
func New(o Options) *Client {
	c := &Client{keychain: o.Keychain, userAgent: o.UserAgent, progress: o.Progress, hosts: o.Hosts, evidence: newEvidencePlace(o.Evidence)}
	if c.keychain == nil {
		c.keychain = authn.DefaultKeychain
	}
	c.keychain = authn.NewMultiKeychain(o.Logins, c.keychain)
	if o.Registry != "" && o.Password != "" {
		c.keychain = authn.NewMultiKeychain(login{o.Registry, o.Username, o.Password}, c.keychain)
	}
	if o.Clouds != nil {
		c.keychain = authn.NewMultiKeychain(c.keychain, o.Clouds)
	}
	inner := o.Transport
	if inner == nil {
		inner = newTransport(o.Hosts)
	}
	if o.Trace != nil {
		inner = o.Trace(inner)
	}
	c.transport = &patient{inner: inner, patience: defaultPatience()}
	if c.userAgent == "" {
		c.userAgent = "waybill"
	}
	return c
}

// login is a keychain of one registry.
type login struct{ registry, username, password string }

func (l login) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if r.RegistryStr() != l.registry {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: l.username, Password: l.password}), nil
}

// Credentials gives the login for a registry host, empty where there is none:
// for BuildKit, which pulls base images by itself. A login that is no name and
// password (an identity token) is given as a password.
func (c *Client) Credentials(host string) (username, password string, err error) {
	registry, err := name.NewRegistry(host)
	if err != nil {
		return "", "", fmt.Errorf("registry %q: %w", host, err)
	}
	auth, err := c.keychain.Resolve(registry)
	if err != nil {
		return "", "", fmt.Errorf("find the login for registry %s: %w", host, err)
	}
	config, err := auth.Authorization()
	if err != nil {
		return "", "", fmt.Errorf("find the login for registry %s: %w", host, err)
	}
	if config.IdentityToken != "" {
		return "", config.IdentityToken, nil
	}
	return config.Username, config.Password, nil
}

// RemoteOptions are the options of go-containerregistry's remote package that
// make other libraries (cosign) use this client's credentials and bounds.
func (c *Client) RemoteOptions(ctx context.Context) []remote.Option {
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(c.transport), remote.WithAuthFromKeychain(c.keychain),
		remote.WithUserAgent(c.userAgent), remote.WithRetryStatusCodes(), remote.WithRetryBackoff(uploadBackoff),
		remote.WithRetryPredicate(uploadAgain),
	}
	if c.puller != nil {
		options = append(options, remote.Reuse(c.puller), remote.Reuse(c.pusher))
	}
	return options
}

// Session is a client that logs in once to each repository it reads from and
// once to each it writes to, for many requests in a row, and that sends a blob
// once. Its logins last as long as their tokens. The session of a session is itself.
func (c *Client) Session(ctx context.Context) (*Client, error) {
	if c.puller != nil {
		return c, nil
	}
	puller, err := remote.NewPuller(c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("prepare to read from registries: %w", err)
	}
	pusher, err := remote.NewPusher(c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("prepare to write to registries: %w", err)
	}
	session := *c
	session.puller, session.pusher = puller, pusher
	session.readers = &readers{known: make(map[string]*reader), lists: make(map[string]bool)}
	return &session, nil
}

// Platform is one manifest of an index.
type Platform struct {
	Platform string // linux/arm64, linux/arm/v7
	Ref      imageref.Ref
}

// Manifest is a manifest or index as the registry stores it.
type Manifest struct {
	Ref       imageref.Ref
	MediaType types.MediaType
	Raw       []byte
}

// Resolve reads which digest a tag names now. The reference may carry a digest
// already; then the registry is asked whether it exists.
func (c *Client) Resolve(ctx context.Context, reference string) (imageref.Ref, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("image reference %q: %w", reference, err)
	}
	desc, err := remote.Get(ref, c.RemoteOptions(ctx)...)
	if err != nil {
		return imageref.Ref{}, wrap(ref.Context(), "read "+reference, err)
	}
	return imageref.New(ref.Context(), desc.Digest.String())
}

// Manifest reads the manifest or index that ref names.
func (c *Client) Manifest(ctx context.Context, ref imageref.Ref) (Manifest, error) {
	r, err := c.reader(ctx, ref.Name())
	if err != nil {
		return Manifest{}, err
	}
	return r.manifest(ctx, ref)
}

// Platforms lists the platform manifests of an index, attestation manifests of
// BuildKit (platform unknown/unknown) left out. A single manifest lists itself,
// with the platform of its configuration, or "" when that names none.
func (c *Client) Platforms(ctx context.Context, ref imageref.Ref) ([]Platform, error) {
	contents, err := c.Contents(ctx, ref)
	return contents.Platforms, err
}

func indexPlatforms(ref imageref.Ref, manifest *v1.IndexManifest) ([]Platform, error) {
	var platforms []Platform
	for _, m := range manifest.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" || !m.MediaType.IsImage() {
			continue
		}
		at, err := ref.At(m.Digest.String())
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, Platform{Platform: m.Platform.String(), Ref: at})
	}
	return platforms, nil
}

// Image opens one platform's manifest; layers are read when asked for.
func (c *Client) Image(ctx context.Context, ref imageref.Ref) (v1.Image, error) {
	image, err := remote.Image(ref.GoName(), c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, wrap(ref.Name(), "read "+ref.String(), err)
	}
	return image, nil
}

// Index opens an index.
func (c *Client) Index(ctx context.Context, ref imageref.Ref) (v1.ImageIndex, error) {
	index, err := remote.Index(ref.GoName(), c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, wrap(ref.Name(), "read "+ref.String(), err)
	}
	return index, nil
}

// PushIndex pushes an index by digest, without a tag: blobs, then manifests,
// the index last, so that a reader never finds an index with parts missing.
func (c *Client) PushIndex(ctx context.Context, repository name.Repository, index v1.ImageIndex) (imageref.Ref, error) {
	digest, err := index.Digest()
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("compute the digest of the index: %w", err)
	}
	ref, err := imageref.New(repository, digest.String())
	if err != nil {
		return imageref.Ref{}, err
	}
	options, end := c.pushOptions(ctx)
	err = remote.WriteIndex(ref.GoName(), index, options...)
	end()
	if err != nil {
		return imageref.Ref{}, wrap(repository, "push "+ref.String(), err)
	}
	return ref, nil
}

// PushImage pushes one manifest by digest, without a tag, blobs first.
func (c *Client) PushImage(ctx context.Context, repository name.Repository, image v1.Image) (imageref.Ref, error) {
	digest, err := image.Digest()
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("compute the digest of the image: %w", err)
	}
	ref, err := imageref.New(repository, digest.String())
	if err != nil {
		return imageref.Ref{}, err
	}
	options, end := c.pushOptions(ctx)
	err = remote.Write(ref.GoName(), image, options...)
	end()
	if err != nil {
		return imageref.Ref{}, wrap(repository, "push "+ref.String(), err)
	}
	return ref, nil
}

// PushLayer pushes a layer, unless the repository has it.
func (c *Client) PushLayer(ctx context.Context, repository name.Repository, layer v1.Layer) error {
	if err := remote.WriteLayer(repository, layer, c.RemoteOptions(ctx)...); err != nil {
		return wrap(repository, "push a layer to "+repository.Name(), err)
	}
	return nil
}

// pushOptions are the options of a push. The caller must call end after it.
func (c *Client) pushOptions(ctx context.Context) (options []remote.Option, end func()) {
	options = c.RemoteOptions(ctx)
	if c.progress == nil {
		return options, func() {}
	}
	updates, over, told := make(chan v1.Update, 64), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		tell := func(u v1.Update, more bool) bool {
			if more && u.Error == nil {
				c.progress(u.Complete, u.Total)
			}
			return more
		}
		for { // until the push closes updates; it does not if it fails before it begins
			select {
			case u, more := <-updates:
				if !tell(u, more) {
					return
				}
			case <-over:
				for len(updates) > 0 {
					tell(<-updates, true)
				}
				return
			}
		}
	}()
	return append(options, remote.WithProgress(updates)), func() {
		close(over)
		<-told
	}
}

// Tag makes a tag name ref.
func (c *Client) Tag(ctx context.Context, ref imageref.Ref, tag string) error {
	to, err := name.NewTag(ref.Repository()+":"+tag, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("tag %q: %w", tag, err)
	}
	desc, err := remote.Get(ref.GoName(), c.RemoteOptions(ctx)...)
	if err != nil {
		return wrap(ref.Name(), "read "+ref.String(), err)
	}
	if err := remote.Tag(to, desc, c.RemoteOptions(ctx)...); err != nil {
		return wrap(ref.Name(), "tag "+to.String(), err)
	}
	return nil
}

// WithOrigin gives replacement the place that layer was read from, so that a
// push to the same registry mounts it instead of sending it.
func WithOrigin(layer, replacement v1.Layer) v1.Layer {
	if mountable, ok := layer.(*remote.MountableLayer); ok {
		return &remote.MountableLayer{Layer: replacement, Reference: mountable.Reference}
	}
	return replacement
}

// Tags lists the tags of a repository; none if there is no such repository.
func (c *Client) Tags(ctx context.Context, repository name.Repository) ([]string, error) {
	tags, err := remote.List(repository, c.RemoteOptions(ctx)...)
	if err != nil {
		err = wrap(repository, "list the tags of "+repository.Name(), err)
		if IsNotFound(err) {
			return nil, nil
		}
		return nil, err
	}
	return tags, nil
}

// Annotation is an annotation of an index or manifest; empty if it has none of
// the name.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
func (c *Client) Annotation(ctx context.Context, ref imageref.Ref, name string) (string, error) {
	m, err := c.Manifest(ctx, ref)
	if err != nil {
		return "", err
	}
	var noted struct{ Annotations map[string]string }
	_ = json.Unmarshal(m.Raw, &noted) // what cannot be read says nothing
	return noted.Annotations[name], nil
}

// Created is when the source of an index or manifest was committed; zero if it
// does not say.
func (c *Client) Created(ctx context.Context, ref imageref.Ref) (time.Time, error) {
	text, err := c.Annotation(ctx, ref, "org.opencontainers.image.created")
	at, _ := time.Parse(time.RFC3339, text)
	return at, err
}

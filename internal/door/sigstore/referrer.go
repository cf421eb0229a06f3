package sigstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// attachParallel is how many referrers are written at the same time.
const attachParallel = 8

// Attach makes each bundle a referrer of every subject, by cosign's client. On
// a registry without the referrers API the fallback tag is kept, for which a
// subject's referrers are written one after the other; with it they are written at
// the same time, once r, a session, has seen a list of them. A bundle attached again
// changes nothing: cosign's WriteAttestationNewBundleFormat is not used because
// it adds the time of writing.
//
// Reading them back stays with the registry's door: cosign.GetBundles passes
// over what it cannot read, and trouble would look like missing evidence.
func Attach(ctx context.Context, r *registry.Client, subjects []imageref.Ref, bundles []registry.Attachment) error {
	if len(subjects) == 0 || len(bundles) == 0 {
		return nil
	}
	session, err := r.Session(ctx) // logs in once, and sends each blob once
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(attachParallel)
	for _, subject := range subjects {
		for _, row := range rowsOf(session, subject, bundles) {
			g.Go(func() error {
				for _, b := range row {
					if err := attach(gctx, session, subject, b); err != nil {
						return registry.Trouble(subject, "attach to "+subject.String(), err)
					}
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// rowsOf are the bundles in rows: those of one row are written one after the other.
func rowsOf(session *registry.Client, subject imageref.Ref, bundles []registry.Attachment) [][]registry.Attachment {
	at, _, err := session.Evidence(subject)
	if err != nil || !session.ListsReferrers(at.Name()) { // attach reports what is wrong with the place
		return [][]registry.Attachment{bundles}
	}
	return slices.Collect(slices.Chunk(bundles, 1))
}

func attach(ctx context.Context, r *registry.Client, subject imageref.Ref, b registry.Attachment) error {
	blob := static.NewLayer(b.Data, types.MediaType(b.MediaType))
	digest, err := blob.Digest()
	if err != nil {
		return fmt.Errorf("compute the digest of a bundle: %w", err)
	}
	annotations := map[string]string{registry.AnnotationBlob: digest.String()}
	maps.Copy(annotations, b.Annotations)
	if _, elsewhere, err := r.Evidence(subject); err != nil {
		return err
	} else if elsewhere {
		b.Annotations = annotations
		return r.AttachElsewhere(ctx, subject, b)
	}
	options := ociremote.WithRemoteOptions(r.RemoteOptions(ctx)...)
	return ociremote.WriteReferrer(subject.GoName(), b.MediaType, []v1.Layer{blob}, annotations, options)
}

package collect_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// An index is signed or it is not: signatures of its parts never add up to it,
// however the parts are put together, and whatever else is beside them.
func TestIndexThatNobodySigned(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	good, evil := push(t, host), push(t, host)
	o := good.options()
	o.Format = sign.Both
	if _, err := signWith(t, good, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
		t.Fatal(err)
	}
	repository := registrytest.Repository{T: t, Host: host, Name: "acme/demo-api"}
	entry := func(digest string, platform any) map[string]any {
		e := map[string]any{
			"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest, "size": sizeOf(t, good, digest),
		}
		if platform != nil {
			e["platform"] = platform
		}
		return e
	}
	amd, arm := map[string]any{"os": "linux", "architecture": "amd64"}, map[string]any{"os": "linux", "architecture": "arm64"}
	unknown := map[string]any{"os": "unknown", "architecture": "unknown"}
	goodAMD, goodARM, evilAMD := good.platforms["linux/amd64"], good.platforms["linux/arm64"], evil.platforms["linux/amd64"]
	index := func(mediaType string, entries ...map[string]any) string {
		return repository.Manifest(
			map[string]any{"schemaVersion": 2, "mediaType": mediaType, "manifests": entries}, mediaType, "",
		)["digest"].(string)
	}
	const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
	nested := map[string]any{"mediaType": mediaIndex, "digest": evil.Digest(), "size": sizeOf(t, good, evil.Digest())}
	for what, digest := range map[string]string{
		"one platform twice":            index(mediaIndex, entry(evilAMD, amd), entry(goodAMD, amd), entry(goodARM, arm)),
		"a manifest without a platform": index(mediaIndex, entry(evilAMD, nil), entry(goodARM, arm)),
		"an unknown system": index(
			mediaIndex, entry(evilAMD, map[string]any{"os": "unknown", "architecture": "amd64"}), entry(goodARM, arm),
		),
		"what is called an attestation":     index(mediaIndex, entry(evilAMD, unknown), entry(goodARM, arm)),
		"an index within":                   index(mediaIndex, with(nested, "platform", amd), entry(goodARM, arm)),
		"an index within, without platform": index(mediaIndex, nested, entry(goodARM, arm)),
		"a platform left out":               index(mediaIndex, entry(goodARM, arm)),
		"platforms swapped":                 index(mediaIndex, entry(goodAMD, arm), entry(goodARM, amd)),
		"the same, as Docker's list":        index(dockerList, entry(goodAMD, amd), entry(goodARM, arm)),
		"nothing":                           index(mediaIndex),
	} {
		ref, err := good.At(digest)
		if err != nil {
			t.Fatal(err)
		}
		for _, require := range [][]evidence.Kind{{evidence.Signature}, evidence.Kinds()} {
			t.Run(what, func(t *testing.T) {
				p := p
				p.Require = require
				refuses(t, judge(t, image{Ref: ref, client: good.client}, trust, p), "signature", "no signature record")
			})
		}
	}

	// A platform by itself is signed: its signature stands beside it, and names it.
	platform, err := good.At(goodAMD)
	if err != nil {
		t.Fatal(err)
	}
	p.Require = []evidence.Kind{evidence.Signature}
	if w := judge(t, image{Ref: platform, client: good.client}, trust, p); !w.Decision.Allowed {
		t.Errorf("a signed platform: not allowed:\n%s", w.Text())
	}
	p.Require = evidence.Kinds()
	refuses(t, judge(t, image{Ref: platform, client: good.client}, trust, p), "scan", "its report is about "+good.String())
}

// What BuildKit keeps inside an index is part of what is signed as a whole.
func TestIndexWithAttestationsOfBuildKit(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	parts := push(t, host)
	var entries []map[string]any
	for platform, digest := range parts.platforms {
		for _, as := range []map[string]any{
			{"os": "linux", "architecture": platform[len("linux/"):]}, {"os": "unknown", "architecture": "unknown"},
		} {
			entries = append(entries, map[string]any{
				"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest,
				"size": sizeOf(t, parts, digest), "platform": as,
			})
		}
	}
	digest := registrytest.Repository{T: t, Host: host, Name: "acme/demo-api"}.Manifest(
		map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": entries}, mediaIndex, "")["digest"].(string)
	ref, err := parts.At(digest)
	if err != nil {
		t.Fatal(err)
	}
	im := image{Ref: ref, platforms: parts.platforms, client: parts.client}
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err != nil {
		t.Fatal(err)
	}
	if w := judge(t, im, trust, p); !w.Decision.Allowed {
		t.Errorf("not allowed:\n%s", w.Text())
	}
}

// An image that hides as such an attestation is part of what somebody could run:
// a report that leaves it out is not about the whole image.
func TestIndexWithAnImageCalledAttestation(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	parts, evil := push(t, host), push(t, host)
	const docker = "application/vnd.docker.distribution.manifest.v2+json"
	hidden := evil.platforms["linux/amd64"]
	entries := []map[string]any{{
		"mediaType": docker, "digest": hidden, "size": sizeOf(t, parts, hidden),
		"platform":    map[string]any{"os": "unknown", "architecture": "unknown"},
		"annotations": map[string]any{"vnd.docker.reference.type": "attestation-manifest"},
	}}
	for platform, digest := range parts.platforms {
		entries = append(entries, map[string]any{
			"mediaType": docker, "digest": digest, "size": sizeOf(t, parts, digest),
			"platform": map[string]any{"os": "linux", "architecture": platform[len("linux/"):]},
		})
	}
	digest := registrytest.Repository{T: t, Host: host, Name: "acme/demo-api"}.Manifest(
		map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": entries}, mediaIndex, "")["digest"].(string)
	ref, err := parts.At(digest)
	if err != nil {
		t.Fatal(err)
	}
	im := image{Ref: ref, platforms: parts.platforms, client: parts.client}
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, im.options()); err == nil ||
		!strings.Contains(err.Error(), "its report leaves out") {
		t.Errorf("such a report is signed: %v", err)
	}
	o := im.options()
	o.Scan = nil
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
		t.Fatal(err)
	}
	refuses(t, judge(t, im, trust, p), "scan", "no scan record")
}

func sizeOf(t *testing.T, im image, digest string) int {
	t.Helper()
	ref, err := im.At(digest)
	if err != nil {
		t.Fatal(err)
	}
	return len(must(im.client.Manifest(t.Context(), ref)).Raw)
}

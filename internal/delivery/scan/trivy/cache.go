//go:build goexperiment.jsonv2

package trivy

import (
	"context"
	"slices"
	"sync"

	"github.com/aquasecurity/trivy/pkg/cache"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

// layerCache holds what was found in each layer. Manifests are scanned at the
// same time and share layers: the first that asks for a layer reads it, and the
// others wait for what it finds.
type layerCache struct {
	*cache.MemoryCache
	mu      sync.Mutex
	claimed map[string]chan struct{} // closed when the layer has been read

	packages, system         int64 // found in all layers; system are those of the distribution
	mostPackages, mostSystem int64 // how many that may be; 0 is any number
}

func newLayerCache(mostPackages, mostSystem int64) *layerCache {
	return &layerCache{MemoryCache: cache.NewMemoryCache(), claimed: make(map[string]chan struct{}),
		mostPackages: mostPackages, mostSystem: mostSystem}
}

// MissingBlobs lists the layers that the caller has to read: those that nobody
// has read, or reads now.
func (c *layerCache) MissingBlobs(ctx context.Context, artifact string, layers []string) (bool, []string, error) {
	missingArtifact, _, err := c.MemoryCache.MissingBlobs(ctx, artifact, nil)
	if err != nil {
		return false, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, layer := range layers {
		if _, taken := c.claimed[layer]; !taken {
			c.claimed[layer] = make(chan struct{})
			missing = append(missing, layer)
		}
	}
	return missingArtifact, missing, nil
}

// PutBlob keeps what was found in a layer and wakes those that wait for it.
func (c *layerCache) PutBlob(ctx context.Context, layer string, found ftypes.BlobInfo) error {
	if err := c.MemoryCache.PutBlob(ctx, layer, found); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range found.PackageInfos {
		c.packages += int64(len(list.Packages))
		c.system += int64(len(list.Packages))
	}
	for _, list := range found.Applications {
		c.packages += int64(len(list.Packages))
	}
	if c.mostPackages > 0 && c.packages >= c.mostPackages {
		return tooMany(c.mostPackages, "packages")
	}
	if c.mostSystem > 0 && c.system >= c.mostSystem {
		return tooMany(c.mostSystem, "packages of its distribution")
	}
	if claim, ok := c.claimed[layer]; ok {
		close(claim)
	}
	return nil
}

// wait returns when all layers have been read, or ctx ends because one of them
// cannot be.
func (c *layerCache) wait(ctx context.Context, layers []string) error {
	c.mu.Lock()
	var claims []chan struct{}
	for _, layer := range layers {
		if claim, ok := c.claimed[layer]; ok && !slices.Contains(claims, claim) {
			claims = append(claims, claim)
		}
	}
	c.mu.Unlock()
	for _, claim := range claims {
		select {
		case <-claim:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

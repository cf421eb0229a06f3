package scan

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Bounds and names of Trivy's database artifact.
// https://github.com/aquasecurity/trivy-db
const (
	databaseMediaType = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
	databaseSchema    = 2
	databaseFile      = "trivy.db"
	metadataFile      = "metadata.json"

	maxCompressed = 2 << 30  // the real one has about 100 MB
	maxDatabase   = 16 << 30 // the real one has about 1 GB
	maxMetadata   = 1 << 20
)

// Registry is what a scan needs of the registry door.
type Registry interface {
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	Image(ctx context.Context, ref imageref.Ref) (v1.Image, error)
}

// DatabaseOptions say where the database comes from.
type DatabaseOptions struct {
	Repository string        // with a tag or a digest
	CacheDir   string        // databases are kept here by digest
	MaxAge     time.Duration // 0 takes any
	Offline    bool          // take what is cached, ask nobody
	Now        time.Time
}

// Database is a database on disk.
type Database struct {
	Dir string
	evidence.Database
}

// OpenDatabase finds the database that the repository names now, fetches it
// unless it is cached, and refuses one that cannot be judged by: of another
// schema, or too old. It is safe to run several at once on one cache.
func OpenDatabase(ctx context.Context, registry Registry, o DatabaseOptions) (Database, error) {
	c := databaseCache{root: filepath.Join(o.CacheDir, "trivy-db")}
	ref, err := c.resolve(ctx, registry, o)
	if err != nil {
		return Database{}, err
	}
	dir := c.dir(ref)
	if _, err := os.Stat(filepath.Join(dir, metadataFile)); errors.Is(err, fs.ErrNotExist) {
		if o.Offline {
			return Database{}, fmt.Errorf("the vulnerability database %s is not in %s: run once without --offline", ref, c.root)
		}
		if err := c.fetch(ctx, registry, ref); err != nil {
			return Database{}, err
		}
	} else if err != nil {
		return Database{}, fmt.Errorf("look for the vulnerability database: %w", err)
	}
	if err := c.remember(o.Repository, ref); err != nil {
		return Database{}, err
	}
	return readDatabase(dir, ref, o)
}

func readDatabase(dir string, ref imageref.Ref, o DatabaseOptions) (Database, error) {
	data, err := os.ReadFile(filepath.Join(dir, metadataFile))
	if err != nil {
		return Database{}, fmt.Errorf("read the vulnerability database's description: %w", err)
	}
	var metadata struct {
		Version   int
		UpdatedAt time.Time
	}
	if err := json.Unmarshal(data, &metadata); err != nil {
		return Database{}, fmt.Errorf("read the vulnerability database's description %s: %w", filepath.Join(dir, metadataFile), err)
	}
	if metadata.Version != databaseSchema {
		return Database{}, fmt.Errorf("the vulnerability database %s has schema version %d, only %d can be read: set --db-repository to one with tag %d", ref, metadata.Version, databaseSchema, databaseSchema)
	}
	if age := o.Now.Sub(metadata.UpdatedAt); o.MaxAge > 0 && age > o.MaxAge {
		return Database{}, fmt.Errorf("the vulnerability database %s was built %s, it is now %s: older than --db-max-age %s allows. A verdict by it would not count; use a repository that is kept up to date, or allow more",
			ref, metadata.UpdatedAt.UTC().Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339), o.MaxAge)
	}
	return Database{Dir: dir, Database: evidence.Database{
		Repository: ref.Repository(), Digest: ref.Digest(), Version: metadata.Version, UpdatedAt: metadata.UpdatedAt.UTC(),
	}}, nil
}

// databaseCache keeps each database in a directory named by its digest, which
// appears whole or not at all, and beside them which digest each repository's
// tag named last, for --offline.
type databaseCache struct{ root string }

func (c databaseCache) dir(ref imageref.Ref) string { return filepath.Join(c.root, ref.Hex()) }

func (c databaseCache) pointer(repository string) string {
	clean := strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(repository)
	return filepath.Join(c.root, "last", clean)
}

func (c databaseCache) resolve(ctx context.Context, registry Registry, o DatabaseOptions) (imageref.Ref, error) {
	if ref, err := imageref.Parse(o.Repository); err == nil {
		return ref, nil
	}
	if _, err := name.ParseReference(o.Repository); err != nil {
		return imageref.Ref{}, fmt.Errorf("--db-repository %q: %w", o.Repository, err)
	}
	if !o.Offline {
		ref, err := registry.Resolve(ctx, o.Repository)
		if err != nil {
			return imageref.Ref{}, fmt.Errorf("find the vulnerability database: %w", err)
		}
		return ref, nil
	}
	data, err := os.ReadFile(c.pointer(o.Repository))
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("no vulnerability database of %s is cached in %s: run once without --offline", o.Repository, c.root)
	}
	return imageref.Parse(string(data))
}

func (c databaseCache) remember(repository string, ref imageref.Ref) error {
	path := c.pointer(repository)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("remember the vulnerability database: %w", err)
	}
	if known, err := os.ReadFile(path); err == nil && string(known) == ref.String() {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("remember the vulnerability database: %w", err)
	}
	_, err = temporary.WriteString(ref.String())
	if err := errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("remember the vulnerability database: %w", err)
	}
	return os.Rename(temporary.Name(), path)
}

func (c databaseCache) fetch(ctx context.Context, registry Registry, ref imageref.Ref) error {
	image, err := registry.Image(ctx, ref)
	if err != nil {
		return fmt.Errorf("fetch the vulnerability database: %w", err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("fetch the vulnerability database %s: %w", ref, err)
	}
	if len(manifest.Layers) != 1 || string(manifest.Layers[0].MediaType) != databaseMediaType {
		return fmt.Errorf("%s is no vulnerability database of Trivy's: it needs one layer of type %s", ref, databaseMediaType)
	}
	if size := manifest.Layers[0].Size; size > maxCompressed {
		return fmt.Errorf("fetch the vulnerability database %s: %d bytes are more than the %d allowed", ref, size, int64(maxCompressed))
	}
	layer, err := image.LayerByDigest(manifest.Layers[0].Digest)
	if err != nil {
		return fmt.Errorf("fetch the vulnerability database %s: %w", ref, err)
	}
	compressed, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("fetch the vulnerability database %s: %w", ref, err)
	}
	defer compressed.Close()
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return fmt.Errorf("make the cache of vulnerability databases: %w", err)
	}
	temporary, err := os.MkdirTemp(c.root, ".new-")
	if err != nil {
		return fmt.Errorf("make the cache of vulnerability databases: %w", err)
	}
	defer os.RemoveAll(temporary)
	if err := unpack(compressed, temporary); err != nil {
		return fmt.Errorf("unpack the vulnerability database %s: %w", ref, err)
	}
	if err := os.Rename(temporary, c.dir(ref)); err != nil {
		if _, exists := os.Stat(filepath.Join(c.dir(ref), metadataFile)); exists == nil {
			return nil // another run was faster
		}
		return fmt.Errorf("keep the vulnerability database: %w", err)
	}
	return nil
}

// unpack takes the two files of a database out of the archive and reads it to
// its end, where the registry door compares its digest.
func unpack(archive io.Reader, dir string) error {
	compressed, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	limits := map[string]int64{databaseFile: maxDatabase, metadataFile: maxMetadata}
	r := tar.NewReader(compressed)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		file := filepath.Base(filepath.Clean(header.Name))
		limit, wanted := limits[file]
		if !wanted || header.Typeflag != tar.TypeReg {
			continue
		}
		if header.Size > limit {
			return fmt.Errorf("%s has %d bytes, more than the %d allowed", file, header.Size, limit)
		}
		if err := write(filepath.Join(dir, file), r); err != nil {
			return err
		}
		delete(limits, file)
	}
	for file := range limits {
		return fmt.Errorf("it holds no %s", file)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(compressed, 1<<20)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, archive)
	return err
}

func write(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

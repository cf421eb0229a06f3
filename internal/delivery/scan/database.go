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
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bounds and names of Trivy's database artifact.
// https://github.com/aquasecurity/trivy-db
const (
	lastDir      = "last" // in the cache: what each repository named last
	databaseFile = "trivy.db"
	metadataFile = "metadata.json"

	maxCompressed = 4 << 30  // the real ones have about 100 MB and 1 GB
	maxDatabase   = 16 << 30 // the real ones have about 1 GB and 2 GB
	maxMetadata   = 1 << 20
)

// kind is one of Trivy's two databases.
type kind struct {
	name      string // for people
	flag      string
	mediaType string
	schema    int
	file      string
	cache     string // directory in the cache
	inner     string // directory in that of the digest, where Trivy looks for it
}

func vulnerabilities() kind {
	return kind{
		"vulnerability database", "--db-repository", "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip", 2, databaseFile,
		"trivy-db", "",
	}
}

func javaIndex() kind {
	return kind{
		"Java database", "--java-db-repository", "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip", 1, "trivy-java.db",
		"trivy-java-db", "java-db",
	}
}

// Registry is what a scan needs of the registry door.
type Registry interface {
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	Image(ctx context.Context, ref imageref.Ref) (v1.Image, error)
}

// DatabaseOptions say where the database comes from.
type DatabaseOptions struct {
	Repository string        // with a tag or a digest; several, in order, after commas or on lines
	CacheDir   string        // databases are kept here by digest
	MaxAge     time.Duration // 0 takes any
	Offline    bool          // take what is cached, ask nobody
	Now        time.Time
	Warn       func(format string, args ...any) // says what was done in place of what was asked; may be nil
}

func (o DatabaseOptions) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn("warning: "+format, args...)
	}
}

// Database is a database on disk.
type Database struct {
	Dir string
	evidence.Database
}

// OpenDatabase finds the database that the repository names now, fetches it
// unless it is cached, and refuses one that cannot be judged by: of another
// schema, or too old. Where a repository cannot be read, the next one is asked;
// where none can, what they named last is good until MaxAge. It is safe to run
// several at once on one cache.
func OpenDatabase(ctx context.Context, registry Registry, o DatabaseOptions) (Database, error) {
	return open(ctx, registry, vulnerabilities(), o)
}

// OpenJavaDatabase does the same for the database that tells which library a
// JAR file is. Its age does not matter to a verdict; an old one knows fewer.
func OpenJavaDatabase(ctx context.Context, registry Registry, o DatabaseOptions) (dir string, err error) {
	o.MaxAge = 0
	d, err := open(ctx, registry, javaIndex(), o)
	return d.Dir, err
}

func open(ctx context.Context, registry Registry, k kind, o DatabaseOptions) (Database, error) {
	c := databaseCache{kind: k, root: filepath.Join(o.CacheDir, k.cache)}
	repositories := strings.FieldsFunc(o.Repository, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(repositories) == 0 {
		return Database{}, outcome.Usagef("%s names no repository", k.flag)
	}
	for i, repository := range repositories {
		if strings.Contains(repository, "://") {
			return Database{}, outcome.Usagef("%s %q: leave out what is before the host", k.flag, repository)
		}
		if _, err := name.ParseReference(repository); err != nil {
			return Database{}, outcome.Usagef("%s %q: %w", k.flag, repository, err)
		}
		if !strings.ContainsAny(repository[strings.LastIndex(repository, "/")+1:], ":@") { // as Trivy reads it
			repositories[i] = fmt.Sprintf("%s:%d", repository, k.schema)
		}
	}
	var problems []error
	for i, repository := range repositories {
		d, err := c.from(ctx, registry, repository, o)
		if err == nil || ctx.Err() != nil {
			return d, err
		}
		problems = append(problems, err)
		if i+1 < len(repositories) {
			o.warn("%v: trying %s", err, repositories[i+1])
		}
	}
	if d, ok := c.cached(ctx, registry, repositories, o); ok {
		o.warn("%v: going on with the database of %s that is cached", outcome.Join(problems...), text.Time(d.UpdatedAt))
		return d, nil
	}
	return Database{}, outcome.Join(problems...)
}

// cached is what one of the repositories named last, if it is still good enough
// to judge by.
func (c databaseCache) cached(ctx context.Context, registry Registry, repositories []string, o DatabaseOptions) (Database, bool) {
	if o.Offline || o.MaxAge == 0 && c.schema == vulnerabilities().schema {
		return Database{}, false // nothing says how old is too old
	}
	o.Offline = true
	for _, repository := range repositories {
		if d, err := c.from(ctx, registry, repository, o); err == nil {
			return d, true
		}
	}
	return Database{}, false
}

// from opens the database that one repository names.
func (c databaseCache) from(ctx context.Context, registry Registry, repository string, o DatabaseOptions) (Database, error) {
	ref, err := c.resolve(ctx, registry, repository, o.Offline)
	if err != nil {
		return Database{}, err
	}
	dir := c.dir(ref)
	if _, err := os.Stat(filepath.Join(dir, c.inner, metadataFile)); errors.Is(err, fs.ErrNotExist) {
		if o.Offline {
			return Database{}, fmt.Errorf("the %s %s is not in %s: run once without --offline", c.name, ref, c.root)
		}
		if err := c.fetch(ctx, registry, ref); err != nil {
			return Database{}, err
		}
	} else if err != nil {
		return Database{}, fmt.Errorf("look for the %s: %w", c.name, err)
	}
	d, err := read(dir, ref, c.kind, o)
	if err != nil {
		return Database{}, err
	}
	if err := c.remember(repository, ref); err != nil {
		return Database{}, err
	}
	c.prune(dir, o.Now)
	return d, nil
}

func read(dir string, ref imageref.Ref, k kind, o DatabaseOptions) (Database, error) {
	file := filepath.Join(dir, k.inner, metadataFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return Database{}, fmt.Errorf("read the description of the %s: %w", k.name, err)
	}
	var metadata struct {
		Version   int
		UpdatedAt time.Time
	}
	if err := json.Unmarshal(data, &metadata); err != nil {
		return Database{}, fmt.Errorf("read the description of the %s, %s: %w", k.name, file, err)
	}
	if metadata.Version != k.schema {
		return Database{}, fmt.Errorf(
			"the %s %s has schema version %d, only %d can be read: set %s to one with tag %d", k.name, ref, metadata.Version,
			k.schema, k.flag, k.schema,
		)
	}
	if metadata.UpdatedAt.After(o.Now.Add(10 * time.Minute)) {
		return Database{}, fmt.Errorf("the %s %s says that it was built %s, and it is now %s: nobody could tell how old it is. Use "+
			"another repository, or set this machine's clock",
			k.name, ref, metadata.UpdatedAt.UTC().Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339))
	}
	if age := o.Now.Sub(metadata.UpdatedAt); o.MaxAge > 0 && age > o.MaxAge {
		return Database{}, fmt.Errorf("the %s %s was built %s, it is now %s: older than --db-max-age %s allows. A verdict by it "+
			"would not count; use a repository that is kept up to date, or allow more",
			k.name, ref, metadata.UpdatedAt.UTC().Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339), o.MaxAge)
	}
	return Database{Dir: dir, Database: evidence.Database{
		Repository: ref.Repository(), Digest: ref.Digest(), Version: metadata.Version, UpdatedAt: metadata.UpdatedAt.UTC(),
	}}, nil
}

// databaseCache keeps each database in a directory named by its digest, which
// appears whole or not at all, and beside them which digest each repository's
// tag named last, for --offline.
type databaseCache struct {
	kind
	root string
}

func (c databaseCache) dir(ref imageref.Ref) string { return filepath.Join(c.root, ref.Hex()) }

func (c databaseCache) pointer(repository string) string {
	clean := strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(repository)
	return filepath.Join(c.root, lastDir, clean)
}

func (c databaseCache) resolve(ctx context.Context, registry Registry, repository string, offline bool) (imageref.Ref, error) {
	if ref, err := imageref.Parse(repository); err == nil {
		return ref, nil
	}
	if !offline {
		ref, err := registry.Resolve(ctx, repository)
		if err != nil {
			return imageref.Ref{}, fmt.Errorf("find the %s: %w", c.name, err)
		}
		return ref, nil
	}
	data, err := os.ReadFile(c.pointer(repository))
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("no %s of %s is cached in %s: run once without --offline", c.name, repository, c.root)
	}
	return imageref.Parse(string(data))
}

func (c databaseCache) remember(repository string, ref imageref.Ref) error {
	path := c.pointer(repository)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("remember the %s: %w", c.name, err)
	}
	if known, err := os.ReadFile(path); err == nil && string(known) == ref.String() {
		return nil
	}
	if err := atomicwriter.WriteFile(path, []byte(ref.String()), 0o600); err != nil {
		return fmt.Errorf("remember the %s: %w", c.name, err)
	}
	return nil
}

// keptUnused is how long a database stays that nobody uses: a new one comes
// every six hours and has a gigabyte.
const keptUnused = 24 * time.Hour

// prune marks used as used and removes what nobody has used for long, also what
// an interrupted run left. It is housekeeping: what cannot be removed now is
// removed another time.
func (c databaseCache) prune(used string, now time.Time) {
	_ = os.Chtimes(used, now, now)
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(c.root, entry.Name())
		info, err := entry.Info()
		if err != nil || !info.IsDir() || entry.Name() == lastDir || path == used || now.Sub(info.ModTime()) < keptUnused {
			continue
		}
		_ = os.RemoveAll(path)
	}
}

func (c databaseCache) fetch(ctx context.Context, registry Registry, ref imageref.Ref) error {
	image, err := registry.Image(ctx, ref)
	if err != nil {
		return fmt.Errorf("fetch the %s: %w", c.name, err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("fetch the %s %s: %w", c.name, ref, err)
	}
	if len(manifest.Layers) != 1 || string(manifest.Layers[0].MediaType) != c.mediaType {
		return fmt.Errorf("%s is no %s of Trivy's: it needs one layer of type %s", ref, c.name, c.mediaType)
	}
	if size := manifest.Layers[0].Size; size > maxCompressed {
		return fmt.Errorf("fetch the %s %s: %d bytes are more than the %d allowed", c.name, ref, size, int64(maxCompressed))
	}
	layer, err := image.LayerByDigest(manifest.Layers[0].Digest)
	if err != nil {
		return fmt.Errorf("fetch the %s %s: %w", c.name, ref, err)
	}
	compressed, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("fetch the %s %s: %w", c.name, ref, err)
	}
	defer compressed.Close()
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return fmt.Errorf("make the cache of databases: %w", err)
	}
	temporary, err := os.MkdirTemp(c.root, ".new-")
	if err != nil {
		return fmt.Errorf("make the cache of databases: %w", err)
	}
	defer os.RemoveAll(temporary)
	if err := unpack(compressed, filepath.Join(temporary, c.inner), c.file); err != nil {
		return fmt.Errorf("unpack the %s %s: %w", c.name, ref, err)
	}
	if err := os.Rename(temporary, c.dir(ref)); err != nil {
		if _, exists := os.Stat(filepath.Join(c.dir(ref), c.inner, metadataFile)); exists == nil {
			return nil // another run was faster
		}
		return fmt.Errorf("keep the %s: %w", c.name, err)
	}
	return nil
}

// unpack takes the two files of a database out of the archive and reads it to
// its end, where the registry door compares its digest.
func unpack(archive io.Reader, dir, databaseFile string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
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
	return outcome.Join(err, f.Close())
}

package audit

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Files of an archive. What lies in a directory is named by its SHA-256.
const (
	documentFile  = "audit.json"
	pageFile      = "audit.html"
	signatureFile = "audit.sigstore.json"

	bundles   = "bundles/"
	manifests = "manifests/"
	policies  = "policies/"
)

// Bounds of an archive.
const (
	maxFiles = 100_000
	maxFile  = 64 << 20
	maxSize  = 256 << 20
)

// fileForm are the names that a file of an archive can have.
var fileForm = regexp.MustCompile(`\A(?:audit\.json|audit\.html|audit\.sigstore\.json|(?:bundles|manifests|policies)/[0-9a-f]{64})\z`)

// Archive is an audit with everything that it rests on.
type Archive struct {
	Document Document
	files    map[string][]byte
	size     int // of what was read
}

func newArchive() *Archive { return &Archive{files: make(map[string][]byte)} }

// add keeps a file under its digest.
func (a *Archive) add(dir string, data []byte) string {
	name := dir + digest(data)
	a.files[name] = data
	return name
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (a *Archive) setDocument(doc Document) error {
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", documentFile, err)
	}
	page, err := doc.page()
	if err != nil {
		return fmt.Errorf("write %s: %w", pageFile, err)
	}
	a.Document, a.files[documentFile], a.files[pageFile] = doc, append(data, '\n'), page
	return a.fits()
}

func (a *Archive) fits() error {
	size := 0
	for name, data := range a.files {
		if size += len(data); len(data) > maxFile {
			return tooLarge("%s is larger than %d MiB", name, maxFile>>20)
		}
	}
	if len(a.files) > maxFiles || size > maxSize {
		return tooLarge("it has %d files and %d MiB; at most are read %d and %d", len(a.files), size>>20, maxFiles, maxSize>>20)
	}
	return nil
}

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("the audit is too large: "+format+": ask for a shorter period", args...)
}

// statement is what is signed: the digest of every other file, and what they are about.
func (a *Archive) statement() ([]byte, error) {
	about, err := json.Marshal(map[string]any{
		"repository": a.Document.Repository, "commit": a.Document.Commit, "env": a.Document.Env, "since": a.Document.Since,
		"until": a.Document.Until,
	})
	if err != nil {
		return nil, err
	}
	s := evidence.Statement{Type: evidence.StatementType, PredicateType: Schema, Predicate: about}
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		if name != signatureFile {
			s.Subject = append(s.Subject, evidence.Subject{Name: name, Digest: map[string]string{"sha256": digest(a.files[name])}})
		}
	}
	return json.Marshal(s)
}

// Sign signs the archive.
func (a *Archive) Sign(ctx context.Context, signer *sigstore.Signer) error {
	statement, err := a.statement()
	if err == nil {
		a.files[signatureFile], err = signer.Statement(ctx, statement)
	}
	if err != nil {
		return fmt.Errorf("sign the audit: %w", err)
	}
	return nil
}

// Write writes a file if the path ends in .tar, otherwise a directory that is new or
// empty.
func (a *Archive) Write(path string) error {
	if err := a.write(path); err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

func (a *Archive) write(path string) error {
	names := slices.Sorted(maps.Keys(a.files))
	if strings.HasSuffix(path, ".tar") {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, name := range names {
			header := tar.Header{Name: name, Mode: 0o644, Size: int64(len(a.files[name])), ModTime: a.Document.Made.Truncate(time.Second)}
			if err := w.WriteHeader(&header); err != nil {
				return err
			}
			_, _ = w.Write(a.files[name]) // into memory
		}
		if err := w.Close(); err != nil {
			return err
		}
		return os.WriteFile(path, out.Bytes(), 0o644)
	}
	if there, err := os.ReadDir(path); err == nil && len(there) > 0 {
		return outcome.Usagef("--output %s: the directory is not empty: name a new one, or a file that ends in .tar", path)
	}
	for _, name := range names {
		file := filepath.Join(path, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, a.files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Open reads an archive, a file or a directory. It proves nothing of what is in it.
func Open(path string) (*Archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, outcome.Usagef("read the audit: %w", err)
	}
	a := newArchive()
	if info.IsDir() {
		err = a.readDir(path)
	} else {
		err = a.readTar(path)
	}
	if err != nil {
		return nil, err
	}
	return a, a.fits()
}

func (a *Archive) readDir(path string) error {
	return filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(path, file)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return outcome.Refusedf("%s of the audit is no regular file: nothing of it was read", name)
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		return a.read(filepath.ToSlash(name), f)
	})
}

func (a *Archive) readTar(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	for r := tar.NewReader(f); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return outcome.Refusedf("%s is no audit, or a part of one: %w", path, err)
		}
		if header.Typeflag != tar.TypeReg {
			return outcome.Refusedf("%q of the audit is no regular file: nothing of it was read", header.Name)
		}
		if err := a.read(header.Name, r); err != nil {
			return err
		}
	}
}

// read takes in a file. Nothing is written anywhere, so a path can lead nowhere; one
// that no audit has is refused all the same.
func (a *Archive) read(name string, r io.Reader) error {
	if !fileForm.MatchString(name) {
		return outcome.Refusedf("the audit holds %.100q, which no audit has", name)
	}
	if _, twice := a.files[name]; twice {
		return outcome.Refusedf("the audit holds %s twice", name)
	}
	left := maxSize - a.size
	data, err := io.ReadAll(io.LimitReader(r, int64(min(maxFile, left))+1))
	if err != nil {
		return fmt.Errorf("read %s of the audit: %w", name, err)
	}
	a.files[name] = data
	a.size += len(data) // one too many is what fits refuses
	return nil
}

// Package files signs files that are no images, such as the archives of a
// release, and verifies them.
//
// Invariant: what Verify returns was signed by a signer that the caller named,
// in a statement that holds the file's SHA-256. Sign reports only bundles that
// verified.
//
// A bundle is one Sigstore bundle with one in-toto statement of SLSA provenance
// about all files. `cosign verify-blob-attestation` and `gh attestation verify
// --bundle` read it.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Suffix is what the name of a bundle has after that of its file. gh reads
// bundles only from files whose names end in .json or .jsonl:
// https://github.com/cli/cli/blob/trunk/pkg/cmd/attestation/verification/attestation.go
const Suffix = ".sigstore.json"

// File is a file that is signed.
type File struct {
	Path   string `json:"path"`
	Name   string `json:"name"` // as the statement has it
	Digest string `json:"digest"`
}

// Order says what to sign.
type Order struct {
	Paths  []string
	Bundle string // file to write; empty writes one beside each file
	Run    evidence.Run
}

// Signed is what Sign wrote.
type Signed struct {
	Files    []File          `json:"files"`
	Bundles  []string        `json:"bundles"` // all have the same content
	Signer   evidence.Signer `json:"signer"`
	LogIndex *int64          `json:"logIndex,omitempty"` // missing without a log
}

// Sign signs one statement about all files, verifies it, and writes the bundle.
func Sign(ctx context.Context, signer *sigstore.Signer, verifier *sigstore.Verifier, o Order) (Signed, error) {
	result := Signed{Signer: signer.Identity()}
	predicate, err := evidence.FileProvenance(o.Run)
	if err != nil {
		return Signed{}, fmt.Errorf("write provenance: %w", err)
	}
	statement := evidence.Statement{
		Type: evidence.StatementType, PredicateType: evidence.PredicateProvenance, Predicate: predicate,
	}
	named := make(map[string]string)
	for _, path := range o.Paths {
		file := File{Path: path, Name: filepath.Base(path)}
		if file.Digest, err = digest(path); err != nil {
			return Signed{}, err
		}
		if first, twice := named[file.Name]; twice {
			return Signed{}, outcome.Usagef("%s and %s have the same name: sign them in two calls", first, path)
		}
		named[file.Name] = path
		result.Files = append(result.Files, file)
		statement.Subject = append(statement.Subject, evidence.Subject{Name: file.Name, Digest: map[string]string{"sha256": file.Digest}})
	}
	data, err := json.Marshal(statement)
	if err != nil {
		return Signed{}, fmt.Errorf("write the statement: %w", err)
	}
	data, verified, err := signer.Verified(ctx, verifier, data, nil)
	if err != nil {
		return Signed{}, err
	}
	result.LogIndex = verified.LogIndex
	if result.Bundles = []string{o.Bundle}; o.Bundle == "" {
		result.Bundles = nil
		for _, path := range o.Paths {
			result.Bundles = append(result.Bundles, path+Suffix)
		}
	}
	for _, path := range result.Bundles {
		if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // a bundle is for everybody to read
			return Signed{}, fmt.Errorf("write the bundle: %w", err)
		}
	}
	return result, nil
}

// Question says what to verify, and who must have signed it.
type Question struct {
	Paths       []string
	Bundle      string // empty takes the one beside each file
	Signer      string // identity of the certificate, with * for any run of characters but /
	Issuer      string // of the certificate
	Source      string // OWNER/NAME that the signer ran for; empty is the repository of Signer
	Server      string // root of GitHub's pages
	Keys        [][]byte
	TrustedRoot string
}

// Verified is what the bundles prove.
type Verified struct {
	Files []Proven `json:"files"`
}

// Proven is a file that the signer signed.
type Proven struct {
	Path     string          `json:"path"`
	Name     string          `json:"name"` // as the statement has it
	Digest   string          `json:"digest"`
	Signer   evidence.Signer `json:"signer"`
	SignedAt time.Time       `json:"signedAt,omitzero"`
	LogIndex *int64          `json:"logIndex,omitempty"` // missing without a log
}

// Verify verifies that the signer signed every file.
func Verify(q Question) (Verified, error) {
	policy, err := q.policy()
	if err != nil {
		return Verified{}, err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: q.TrustedRoot, Keys: q.Keys, Trusts: policy.Trusts})
	if err != nil {
		return Verified{}, err
	}
	var result Verified
	for _, path := range q.Paths {
		sum, err := digest(path)
		if err != nil {
			return Verified{}, err
		}
		bundle := q.Bundle
		if bundle == "" {
			bundle = path + Suffix
		}
		data, err := readBundle(bundle)
		if err != nil {
			return Verified{}, err
		}
		verified, err := verifier.Bundle(data, nil)
		if sigstore.IsUntrusted(err) {
			return Verified{}, outcome.Refusedf("the signature of %s in %s does not count: %w", path, bundle, err)
		} else if err != nil {
			return Verified{}, fmt.Errorf("verify %s: %w", bundle, err)
		}
		name, err := subject(verified.Payload, sum)
		if err != nil {
			return Verified{}, outcome.Refusedf("%s signed %s, which does not vouch for %s: %w", verified.Signer.Name(), bundle, path, err)
		}
		result.Files = append(result.Files, Proven{path, name, sum, verified.Signer, verified.SignedAt, verified.LogIndex})
	}
	return result, nil
}

// policy trusts the named signer alone. Anybody can sign keyless, so one has to
// be named.
func (q Question) policy() (evidence.Policy, error) {
	p := evidence.Policy{Server: q.Server}
	if (q.Signer == "") == (len(q.Keys) == 0) {
		return p, outcome.Usagef("who must have signed the file? Give --signer, such as " +
			"https://github.com/OWNER/NAME/.github/workflows/release.yml@refs/tags/v1.0.0, or --key, and not both: anybody can sign keyless")
	}
	for _, pem := range q.Keys {
		_, fingerprint, err := sigstore.LoadPublicKey(pem)
		if err != nil {
			return p, outcome.Usagef("read --key: %w", err)
		}
		p.Keys = append(p.Keys, fingerprint)
	}
	if q.Signer == "" {
		return p, nil
	}
	rule := evidence.SignerRule{Issuer: q.Issuer, Identity: q.Signer, Source: q.Source}
	for _, server := range []string{evidence.DefaultServer, strings.TrimSuffix(q.Server, "/")} {
		workflow, found := strings.CutPrefix(q.Signer, server+"/")
		if !found || server == "" {
			continue
		}
		repository, _, is := strings.Cut(workflow, "/.github/workflows/")
		if !is || !strings.Contains(workflow, "@") {
			return p, outcome.Usagef("--signer %s names no workflow: it has the form %s/OWNER/NAME/.github/workflows/FILE@REF", q.Signer, server)
		}
		rule.Identity, rule.Workflow = "", workflow
		if rule.Source == "" {
			rule.Source = repository
		}
	}
	p.Signers = []evidence.SignerRule{rule}
	return p, nil
}

// subject finds the name under which a statement is about a digest.
func subject(payload []byte, sum string) (string, error) {
	var s evidence.Statement
	if err := strictjson.Check(payload); err != nil {
		return "", err
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		return "", err
	}
	if s.Type != evidence.StatementType || s.PredicateType != evidence.PredicateProvenance {
		return "", fmt.Errorf("it is no SLSA provenance, but %.100q", s.PredicateType)
	}
	for _, about := range s.Subject {
		if about.Digest["sha256"] == sum {
			return about.Name, nil
		}
	}
	return "", fmt.Errorf("none of its %d subjects has the SHA-256 %s", len(s.Subject), sum)
}

func readBundle(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, outcome.Usagef("there is no bundle %s: name it with --bundle", path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, registry.MaxAttachment+1))
	if err == nil && len(data) > registry.MaxAttachment {
		err = fmt.Errorf("it has more than %d MiB, which Waybill does not read", registry.MaxAttachment>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read the bundle %s: %w", path, err)
	}
	return data, nil
}

// digest is the SHA-256 of a file, in hexadecimal digits.
func digest(path string) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", outcome.Usagef("there is no file %s", path)
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

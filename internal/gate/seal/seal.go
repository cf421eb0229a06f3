// Package seal keeps terraform plans unreadable and unchanged between the job
// that plans and the job that applies.
//
// A sealed plan is one line of text and an age file for several recipients. The
// line has the length and SHA-256 of the rest, so that damage is told from the
// wrong key; authenticity is age's, and what the plan is worth is decided by its
// fingerprint, which people approved: anybody who knows a recipient can seal
// something. Inside are the binary plans, their JSON, the fingerprint's document
// and the instant at which all of it expires.
//
// Raw plans hold every value in the clear. They exist in memory and in a
// directory of the job alone.
package seal

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// magic begins every sealed plan.
const magic = "waybill-sealed-plan/v1"

// MaxSize bounds what is opened, sealed or not: 1 GiB.
const MaxSize = 1 << 30

// Bundle is what is sealed.
type Bundle struct {
	Document plan.Document
	Created  time.Time
	Expires  time.Time
	Roots    []Root // as in the document
}

// Root is the plan of one root.
type Root struct {
	Binary []byte
	JSON   []byte
}

// Of makes the bundle of a result.
func Of(r *plan.Result, created time.Time, lifetime time.Duration) Bundle {
	b := Bundle{
		Document: r.Document, Created: created.UTC().Truncate(time.Second),
		Expires: created.Add(lifetime).UTC().Truncate(time.Second),
	}
	for _, root := range r.Roots {
		b.Roots = append(b.Roots, Root{Binary: root.Binary, JSON: root.JSON})
	}
	return b
}

// Keys of age: who can open, and what opens.
type (
	Recipient = age.Recipient
	Identity  = age.Identity
)

type header struct {
	Fingerprint plan.Fingerprint `json:"fingerprint"`
	Document    plan.Document    `json:"document"`
	Created     time.Time        `json:"created"`
	Expires     time.Time        `json:"expires"`
}

// ParseRecipients reads age recipients, age1….
func ParseRecipients(texts []string) ([]Recipient, error) {
	var recipients []Recipient
	for _, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, outcome.Usagef("%q is not an age recipient: it begins with age1, as age-keygen prints it", text)
		}
		recipients = append(recipients, parsed...)
	}
	return recipients, nil
}

// ParseIdentities reads age identities, AGE-SECRET-KEY-1…, one per line. The text
// appears in no error.
func ParseIdentities(text string) ([]Identity, error) {
	identities, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return nil, outcome.Usagef("the key that opens plans is not an age identity: it begins with AGE-SECRET-KEY-1, as age-keygen " +
			"writes it")
	}
	return identities, nil
}

// NewPair makes a key pair, as ParseRecipients and ParseIdentities read its halves.
func NewPair() (recipient, identity string, err error) {
	pair, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("make the key that opens plans: %w", err)
	}
	return pair.Recipient().String(), pair.String(), nil
}

// Seal encrypts the bundle for the recipients.
func Seal(b Bundle, recipients []Recipient) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, outcome.Usagef("a plan is sealed for at least one recipient")
	}
	fingerprint, err := b.Document.Fingerprint()
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(header{Fingerprint: fingerprint, Document: b.Document, Created: b.Created, Expires: b.Expires})
	if err != nil {
		return nil, fmt.Errorf("seal the plan: %w", err)
	}
	size := 4096
	for _, r := range b.Roots {
		size += len(r.Binary) + len(r.JSON) + 2048
	}
	sealed := bytes.NewBuffer(make([]byte, 0, size+size/1000))
	encrypted, err := age.Encrypt(sealed, recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal the plan: %w", err)
	}
	files := tar.NewWriter(encrypted)
	if err := put(files, "waybill.json", head); err != nil {
		return nil, err
	}
	for i, r := range b.Roots {
		if err := put(files, "plan/"+strconv.Itoa(i), r.Binary); err != nil {
			return nil, err
		}
		if err := put(files, "json/"+strconv.Itoa(i), r.JSON); err != nil {
			return nil, err
		}
	}
	if err := outcome.Join(files.Close(), encrypted.Close()); err != nil {
		return nil, fmt.Errorf("seal the plan: %w", err)
	}
	sum := sha256.Sum256(sealed.Bytes())
	line := fmt.Sprintf("%s %d %s\n", magic, sealed.Len(), hex.EncodeToString(sum[:]))
	return append([]byte(line), sealed.Bytes()...), nil
}

func put(w *tar.Writer, name string, data []byte) error {
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), Format: tar.FormatPAX})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("seal the plan: %w", err)
	}
	return nil
}

// Expect is what the sealed plan must be.
type Expect struct {
	Fingerprint plan.Fingerprint // may be shortened
	Repository  string           // empty is any
	Dirs        []string         // the roots it must be of, all of them; empty is any
	Now         time.Time
}

// Open decrypts a sealed plan and holds it against what is expected of it.
// Every refusal is a *Refusal.
func Open(sealed []byte, identities []Identity, expect Expect) (*Bundle, error) {
	body, err := whole(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(bytes.NewReader(body), identities...)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return nil, refuse(WrongKey, "it is sealed for other recipients than the key that was given")
	case err != nil:
		return nil, refuse(Altered, "it is not authentic: %v", err)
	}
	b, stored, err := unpack(plain)
	if err != nil {
		return nil, err
	}
	if err := b.check(stored, expect); err != nil {
		return nil, err
	}
	return b, nil
}

func whole(sealed []byte) ([]byte, error) {
	line, body, ok := bytes.Cut(sealed, []byte("\n"))
	fields := strings.Fields(string(line[:min(len(line), 200)]))
	torn := len(sealed) < len(magic) && strings.HasPrefix(magic, string(sealed))
	if !torn && (len(fields) == 0 || fields[0] != magic) {
		return nil, refuse(NotSealed, "it does not begin as a sealed plan does")
	}
	if !ok || len(fields) != 3 {
		return nil, refuse(Truncated, "it is empty, or ends within its first line: plan again")
	}
	length, err := strconv.Atoi(fields[1])
	if err != nil || length < 0 || length > MaxSize {
		return nil, refuse(Altered, "its first line has been changed")
	}
	if len(body) < length {
		return nil, refuse(Truncated, "it has %d bytes of %d: plan again", len(body), length)
	}
	if sum := sha256.Sum256(body); len(body) > length || hex.EncodeToString(sum[:]) != fields[2] {
		return nil, refuse(Altered, "its bytes are not those that were sealed")
	}
	return body, nil
}

func unpack(plain io.Reader) (*Bundle, header, error) {
	files := tar.NewReader(io.LimitReader(plain, MaxSize))
	var stored header
	b := &Bundle{}
	for i := 0; ; i++ {
		entry, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, stored, refuse(Altered, "it is not authentic: %v", err)
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return nil, stored, refuse(Altered, "it is not authentic: %v", err)
		}
		if i == 0 && entry.Name == "waybill.json" {
			if err := json.Unmarshal(data, &stored); err != nil {
				return nil, stored, refuse(Altered, "its document cannot be read")
			}
			b.Document, b.Created, b.Expires = stored.Document, stored.Created, stored.Expires
			b.Roots = make([]Root, len(stored.Document.Roots))
			continue
		}
		into := b.file(entry.Name)
		if into == nil || *into != nil {
			return nil, stored, refuse(Altered, "it holds %.200q, which does not belong there", entry.Name)
		}
		*into = data
	}
	if _, err := io.Copy(io.Discard, plain); err != nil { // to the end, which is authenticated too
		return nil, stored, refuse(Altered, "it is not authentic: %v", err)
	}
	return b, stored, nil
}

// file is where a file of the archive belongs; nil if it belongs nowhere.
func (b *Bundle) file(name string) *[]byte {
	kind, number, _ := strings.Cut(name, "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(b.Roots) || number != strconv.Itoa(n) {
		return nil
	}
	switch kind {
	case "plan":
		return &b.Roots[n].Binary
	case "json":
		return &b.Roots[n].JSON
	}
	return nil
}

func (b *Bundle) check(stored header, expect Expect) error {
	fingerprint, err := b.Document.Fingerprint()
	if err != nil {
		return err
	}
	if b.Document.Version != plan.DocumentVersion {
		return refuse(Altered, "its form is %d, this program knows %d: plan again", b.Document.Version, plan.DocumentVersion)
	}
	if fingerprint != stored.Fingerprint {
		return refuse(Altered, "its document does not have the fingerprint that is written beside it")
	}
	if err := expect.is(fingerprint); err != nil {
		return err
	}
	if expect.Repository != "" && !strings.EqualFold(expect.Repository, b.Document.Repository) {
		return refuse(OtherRoot, "it is of repository %q, not %q", b.Document.Repository, expect.Repository)
	}
	if err := b.checkNames(); err != nil {
		return err
	}
	if err := b.checkDirs(expect.Dirs); err != nil {
		return err
	}
	for i, root := range b.Document.Roots {
		if binary, err := terraform.PlanDigest(b.Roots[i].Binary); err != nil || binary != root.Plan {
			return refuse(Swapped, "the binary plan of %s is not the one that the fingerprint is of", root.Dir)
		}
		if err := root.CheckMode(b.Roots[i].Binary); err != nil {
			return refuse(Swapped, "the binary plan of %s is not what its record says: %v", root.Dir, err)
		}
		changes, err := plan.ChangesDigest(b.Roots[i].JSON)
		if err != nil || changes != root.Changes {
			return refuse(Swapped, "the changes of %s are not those that the fingerprint is of", root.Dir)
		}
	}
	if !expect.Now.Before(b.Expires) {
		return refuse(Expired, "it expired at %s: plan again", b.Expires.Format(time.RFC3339))
	}
	return nil
}

// is refuses another plan than the one that is expected.
func (e Expect) is(f plan.Fingerprint) error {
	if e.Fingerprint != "" && !e.Fingerprint.Means(f) {
		return refuse(OtherPlan, "it is plan %s, not %s", f.Short(), e.Fingerprint.Short())
	}
	return nil
}

// checkNames refuses another spelling of a directory: rules, environments and owners
// are found by its name.
func (b *Bundle) checkNames() error {
	for _, r := range b.Document.Roots {
		if clean := path.Clean(r.Dir); clean != r.Dir || !filepath.IsLocal(r.Dir) {
			return refuse(OtherRoot, "it has a plan of %s, which is another name of %s: plan again", r.Dir, clean)
		}
	}
	return nil
}

func (b *Bundle) checkDirs(want []string) error {
	if len(want) == 0 {
		return nil
	}
	have := make(map[string]bool)
	for _, r := range b.Document.Roots {
		have[r.Dir] = true
	}
	for _, dir := range want {
		if !have[dir] {
			return refuse(OtherRoot, "it has no plan of %s", dir)
		}
		delete(have, dir)
	}
	for dir := range have {
		return refuse(OtherRoot, "it has a plan of %s, which was not asked for", dir)
	}
	return nil
}

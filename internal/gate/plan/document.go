// Package plan makes the plans of roots, and names them by a fingerprint: what
// was approved is what may be applied, or nothing is.
//
// A root's fingerprint is the SHA-256 of a canonical JSON document that names the
// plan, the changes in it, the state it was made from, the configuration, the lock
// file, terraform, workspace, directory, repository and commit. The fingerprint of
// all of them is made of the roots'. Compare says which of them moved. The package stores nothing and decides
// nothing.
package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Document is what a fingerprint stands for: the plans of one run.
type Document struct {
	Version    int             `json:"version"`
	Repository string          `json:"repository"` // OWNER/NAME; empty outside GitHub
	Head       string          `json:"head"`       // commit that was planned
	Roots      []RootRecord    `json:"roots"`      // in the order in which they are applied
	Removed    []roots.Removed `json:"removed,omitempty"`
}

// DocumentVersion is the form of the documents that this program writes and
// takes.
const DocumentVersion = 2

// RootRecord is what is known of the plan of one root. Digests are sha256:….
type RootRecord struct {
	Dir           string   `json:"dir"`
	Workspace     string   `json:"workspace"`
	Terraform     string   `json:"terraform"` // program and version
	Lineage       string   `json:"lineage"`   // of the state; empty where there is none yet
	Serial        uint64   `json:"serial"`
	VarFiles      []string `json:"var_files,omitempty"`
	Destroy       bool     `json:"destroy,omitempty"`      // the plan destroys all that the root holds
	RefreshOnly   bool     `json:"refresh_only,omitempty"` // the plan brings the state up to date, and changes nothing else
	Backend       string   `json:"backend,omitempty"`      // where the state is
	Whole         bool     `json:"whole,omitempty"`        // the configuration is every file of the commit
	LockFile      string   `json:"lock_file"`              // empty where there is none
	Configuration string   `json:"configuration"`          // the root's files, its local modules' and the files of variables
	// Modules are the digests of the modules that terraform fetched, with every file of
	// theirs; Fetched is what those read of the repository.
	Modules map[string]string `json:"modules,omitempty"`
	Fetched *roots.Fetched    `json:"fetched,omitempty"`
	Plan    string            `json:"plan"`              // what the binary plan holds
	Changes string            `json:"changes,omitempty"` // resource and output changes, normalised
}

// Fingerprint names a document, or one root of it: 64 hexadecimal digits.
type Fingerprint string

// Parts are the fingerprints of the roots of a document, in its order, and of the
// roots that it says are taken away.
type Parts []Fingerprint

// Fingerprint is that of all of them: who approved it approved each part.
func (p Parts) Fingerprint() (Fingerprint, error) { return fingerprint(p) }

func fingerprint(of any) (Fingerprint, error) {
	canonical, err := strictjson.Canonical(of)
	if err != nil {
		return "", fmt.Errorf("compute the fingerprint: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return Fingerprint(hex.EncodeToString(sum[:])), nil
}

// Parts are the fingerprints that the document's is made of.
func (d Document) Parts() (Parts, error) {
	var parts Parts
	add := func(one Document) error {
		one.Version, one.Repository, one.Head = d.Version, d.Repository, d.Head
		f, err := fingerprint(one)
		parts = append(parts, f)
		return err
	}
	for _, r := range d.Roots {
		if err := add(Document{Roots: []RootRecord{r}}); err != nil {
			return nil, err
		}
	}
	for _, r := range d.Removed {
		if err := add(Document{Removed: []roots.Removed{r}}); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// Fingerprint of the document.
func (d Document) Fingerprint() (Fingerprint, error) {
	parts, err := d.Parts()
	if err != nil {
		return "", err
	}
	return parts.Fingerprint()
}

// Short is what people read and write: a41f 09c2 77de.
func (f Fingerprint) Short() string { return f.First(MinDigits) }

// First is the beginning of the fingerprint in groups of four digits.
func (f Fingerprint) First(digits int) string {
	var groups []string
	for rest := f[:min(len(f), digits)]; len(rest) > 0; {
		n := min(4, len(rest))
		groups, rest = append(groups, string(rest[:n])), rest[n:]
	}
	return strings.Join(groups, " ")
}

// MinDigits is how much of a fingerprint must be said to mean it.
const MinDigits = 12

// ParseFingerprint reads a fingerprint or the beginning of one: twelve digits
// or more, with or without spaces.
func ParseFingerprint(text string) (Fingerprint, error) {
	digits := strings.ToLower(strings.Join(strings.Fields(text), ""))
	if len(digits) < MinDigits || len(digits) > 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", outcome.Usagef("%q is not a fingerprint: it is 12 to 64 hexadecimal digits, such as a41f 09c2 77de", text)
	}
	return Fingerprint(digits), nil
}

// Means reports whether f, perhaps shortened, stands for full.
func (f Fingerprint) Means(full Fingerprint) bool {
	return len(f) >= MinDigits && len(full) == 2*sha256.Size && strings.HasPrefix(string(full), string(f))
}

// FieldDifference is a field that is not as it was planned.
type FieldDifference struct {
	Dir     string `json:"dir,omitempty"` // of the root; empty for the document itself
	Field   string `json:"field"`
	Planned string `json:"planned"`
	Now     string `json:"now"`
}

func (d FieldDifference) String() string {
	where := ""
	if d.Dir != "" {
		where = d.Dir + ": "
	}
	return fmt.Sprintf("%s%s was %s when planned, is %s now", where, d.Field, orNone(d.Planned), orNone(d.Now))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Compare says what differs between a document and what holds now. Digests of plans and
// of changes are not given out: they would let anybody try values.
func Compare(planned, now Document) []FieldDifference {
	var differences []FieldDifference
	add := func(dir, field, a, b string) {
		if a != b {
			differences = append(differences, FieldDifference{Dir: dir, Field: field, Planned: a, Now: b})
		}
	}
	add("", "document version", strconv.Itoa(planned.Version), strconv.Itoa(now.Version))
	add("", "repository", planned.Repository, now.Repository)
	add("", "head commit", planned.Head, now.Head)
	for _, p := range planned.Roots {
		i := slices.IndexFunc(now.Roots, func(r RootRecord) bool { return r.Dir == p.Dir && r.Workspace == p.Workspace })
		if i < 0 {
			i = slices.IndexFunc(now.Roots, func(r RootRecord) bool { return r.Dir == p.Dir })
		}
		if i < 0 {
			add(p.Dir, "directory", p.Dir, "")
			continue
		}
		n := now.Roots[i]
		add(p.Dir, "workspace", p.Workspace, n.Workspace)
		add(p.Dir, "terraform version", p.Terraform, n.Terraform)
		add(p.Dir, "state lineage", p.Lineage, n.Lineage)
		if p.Lineage == n.Lineage {
			add(p.Dir, "state serial", strconv.FormatUint(p.Serial, 10), strconv.FormatUint(n.Serial, 10))
		}
		add(p.Dir, "place of the state", p.Backend, n.Backend)
		add(p.Dir, "lock file", p.LockFile, n.LockFile)
		add(p.Dir, "configuration", p.Configuration, n.Configuration)
		if p.Plan != n.Plan {
			add(p.Dir, "binary plan", "as approved", "other than approved")
		}
		for _, name := range slices.Sorted(maps.Keys(merged(p.Modules, n.Modules))) {
			add(p.Dir, FetchedModule+name, p.Modules[name], n.Modules[name])
		}
		add(p.Dir, "what fetched modules read", p.Fetched.String(), n.Fetched.String())
		if p.Changes != n.Changes {
			add(p.Dir, "changes", "as approved", "other than approved")
		}
	}
	for _, n := range now.Roots {
		if !slices.ContainsFunc(planned.Roots, func(r RootRecord) bool { return r.Dir == n.Dir }) {
			add(n.Dir, "directory", "", n.Dir)
		}
	}
	return differences
}

// FetchedModule begins the field of a fetched module.
const FetchedModule = "fetched module "

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, b)
	return all
}

// Root is the root that was planned, as it is planned again.
func (r RootRecord) Root() roots.Root {
	return roots.Root{Dir: r.Dir, Workspace: r.Workspace, VarFiles: r.VarFiles, Destroy: r.Destroy, RefreshOnly: r.RefreshOnly}
}

// Mode is what terraform was asked to plan.
func (r RootRecord) Mode() terraform.Mode {
	switch {
	case r.RefreshOnly:
		return terraform.RefreshOnly
	case r.Destroy:
		return terraform.Destroying
	}
	return terraform.Normal
}

// CheckMode refuses a binary plan of another mode than the record says, or of a part of the
// root: by its mode people are shown what it does, and are asked for their approvals.
func (r RootRecord) CheckMode(binary []byte) error {
	mode, err := terraform.PlanMode(binary)
	if errors.Is(err, terraform.ErrEncrypted) {
		return nil // OpenTofu alone can read it
	}
	if err == nil && mode != r.Mode() {
		err = fmt.Errorf("its mode is %s, and it is called %s", mode, r.Mode())
	}
	return err
}

// Summarize says what the plan of the root does.
func (r RootRecord) Summarize(p *terraform.Plan, secrets *redact.Secrets) summary.Summary {
	s := summary.Summarize(p, secrets)
	if r.RefreshOnly {
		s = s.Refresh()
	}
	return s
}

// Digest of bytes, sha256:….
func Digest(data []byte) string {
	return imageref.DigestOf(data)
}

// unhashed are the parts of a plan that digestOf has, and its time.
var unhashed = []string{
	"timestamp", "resource_changes", "output_changes", "deferred_changes", "action_invocations", "deferred_action_invocations",
	"resource_drift", "checks",
}

// answered are what data sources answered. It counts where a change holds it: a token of
// some minutes is another one each time that the same is planned.
var answered = strictjson.Omission{Where: "mode", Is: "data", Members: []string{"values", "sensitive_values"}}

// ChangesDigest is the digest of a plan in JSON, whatever the order in which it says what
// it says, whenever it was made, and whatever data sources answered beside the changes.
// People are shown the changes, hooks read any of it, and apply takes from there how its
// objects may be otherwise than in the state: none of them sees another document than apply
// gets of the binary plan.
func ChangesDigest(planJSON []byte) (string, error) {
	rest, err := strictjson.Unordered(planJSON, unhashed, answered)
	if err != nil {
		return "", fmt.Errorf("read the plan's JSON: %w", err)
	}
	changes, err := digestOf(planJSON, true, true) // in which the order of a value's elements counts
	return Digest(append(rest, changes...)), err
}

// SameAnswers reports whether two forms of a plan in JSON, of which the digests of the changes
// are the same, also say the same of what data sources answered. shown is terraform's own.
func SameAnswers(shown, b []byte) (bool, error) {
	if !bytes.Contains(shown, []byte(`"`+answered.Is+`"`)) {
		return true, nil
	}
	one, err := strictjson.Unordered(shown, nil)
	if err != nil {
		return false, fmt.Errorf("read the plan's JSON: %w", err)
	}
	other, err := strictjson.Unordered(b, nil)
	if err != nil {
		return false, fmt.Errorf("read the plan's JSON: %w", err)
	}
	return bytes.Equal(one, other), nil
}

func digestOf(planJSON []byte, drift, checks bool) (string, error) {
	var in struct {
		ResourceChanges []json.RawMessage          `json:"resource_changes"`
		OutputChanges   map[string]json.RawMessage `json:"output_changes"`
		Deferred        json.RawMessage            `json:"deferred_changes,omitempty"`
		Actions         []json.RawMessage          `json:"action_invocations,omitempty"`
		DeferredActions []json.RawMessage          `json:"deferred_action_invocations,omitempty"`
		Drift           []json.RawMessage          `json:"resource_drift,omitempty"`
		Checks          []json.RawMessage          `json:"checks,omitempty"`
	}
	if err := json.Unmarshal(planJSON, &in); err != nil {
		return "", fmt.Errorf("read the changes of the plan: %w", err)
	}
	lists := map[string][]json.RawMessage{"": in.ResourceChanges, "action ": in.Actions, "deferred ": in.DeferredActions}
	if drift {
		lists["drift "] = in.Drift
	}
	if checks {
		lists["check "] = in.Checks
	}
	var changes []string
	for kind, list := range lists {
		for _, c := range list {
			canonical, err := strictjson.Canonical(c)
			if err != nil {
				return "", fmt.Errorf("read the changes of the plan: %w", err)
			}
			changes = append(changes, kind+string(canonical))
		}
	}
	slices.Sort(changes)
	outputs, err := strictjson.Canonical(map[string]any{"outputs": in.OutputChanges, "deferred": in.Deferred})
	if err != nil {
		return "", fmt.Errorf("read the changes of the plan: %w", err)
	}
	h := sha256.New()
	for _, c := range append(changes, string(outputs)) {
		fmt.Fprintf(h, "%d:%s\n", len(c), c)
	}
	return imageref.DigestSum(h), nil
}

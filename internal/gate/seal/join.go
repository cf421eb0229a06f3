package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// joinedMagic begins a plan whose parts were sealed by several jobs.
const joinedMagic = "waybill-joined-plan/v1\n"

// maxParts is as many jobs as a matrix of GitHub has.
const maxParts = 256

// Joined is a plan that several jobs made, or several runs for the same commit. It names
// each sealed part by its digest, so that the job that joins needs no key.
type Joined struct {
	Parts   []string        `json:"parts"` // as Save gave them
	Order   []JoinedRoot    `json:"order"` // in which the roots are applied
	Removed []roots.Removed `json:"removed,omitempty"`
}

// JoinedRoot is a root by its name.
type JoinedRoot struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
	// From is the number of the part, from 1, whose plan of the root counts: another part
	// can hold one that was made before. 0 is the only part that has it.
	From int `json:"from,omitempty"`
}

// chosen reports whether each root says which part it is taken from.
func (j Joined) chosen() bool {
	return !slices.ContainsFunc(j.Order, func(r JoinedRoot) bool { return r.From == 0 })
}

// Bytes are what is kept in the place of a sealed plan.
func (j Joined) Bytes() ([]byte, error) {
	data, err := json.Marshal(j)
	return append([]byte(joinedMagic), data...), err
}

// openJoined opens every part, and puts their roots in the order that was joined. The
// fingerprint of all of them is what people approved, so that a part that is missing,
// changed or added makes another plan. The parts have at most so many bytes together.
func (s Source) openJoined(ctx context.Context, data []byte, most int) (*Bundle, error) {
	var j Joined
	if err := json.Unmarshal(data[len(joinedMagic):], &j); err != nil {
		return nil, refuse(Altered, "its list of parts cannot be read")
	}
	if len(j.Parts) > maxParts {
		return nil, refuse(Altered, "it names %d parts, and a plan has %d at most", len(j.Parts), maxParts)
	}
	whole, size := &Bundle{}, 0
	var from []int // part of each root
	for n, part := range j.Parts {
		if !beside(s.Plan, part) {
			return nil, refuse(Altered, "it names the part %.200q, which is not kept beside it", part)
		}
		one := s
		one.Plan, one.Expect = part, Expect{Now: s.Expect.Now, Repository: s.Expect.Repository}
		sealed, err := one.load(ctx)
		if err != nil {
			return nil, err
		}
		if size += len(sealed); size > most {
			return nil, refuse(Altered, "its parts are larger than %d bytes together", most)
		}
		b, err := Open(sealed, one.Identities, one.Expect)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
		if err := whole.add(b, j.chosen()); err != nil {
			return nil, err
		}
		from = append(from, slices.Repeat([]int{n + 1}, len(b.Roots))...)
	}
	if err := whole.arrange(j, from); err != nil {
		return nil, err
	}
	f, err := whole.Document.Fingerprint()
	if err == nil {
		err = s.Expect.is(f)
	}
	if err != nil {
		return nil, err
	}
	return whole, whole.checkDirs(s.Expect.Dirs)
}

// beside reports whether a part is kept where the joined plan is.
func beside(joined, part string) bool {
	of, file, err := ParseRef(joined)
	other, otherFile, otherErr := ParseRef(part)
	if err != nil || otherErr != nil || (file == "") != (otherFile == "") {
		return false
	}
	if file != "" {
		return filepath.Dir(file) == filepath.Dir(otherFile)
	}
	return of.Repository() == other.Repository()
}

// add takes the roots of a part, which is of the same commit as the others. Where each
// root says which part it is from, a part can be a plan of its own, with roots that it
// takes away; which are taken away now stands in the list.
func (b *Bundle) add(part *Bundle, chosen bool) error {
	d, more := &b.Document, part.Document
	if d.Version == 0 {
		d.Version, d.Repository, d.Head = more.Version, more.Repository, more.Head
		b.Created, b.Expires = part.Created, part.Expires
	}
	if more.Repository != d.Repository || more.Head != d.Head {
		return refuse(OtherPlan, "its parts are of different commits: %.7s and %.7s", d.Head, more.Head)
	}
	if len(more.Removed) > 0 && !chosen {
		return refuse(Altered, "one of its parts takes a root away, which a part never does")
	}
	if part.Expires.Before(b.Expires) {
		b.Expires = part.Expires
	}
	d.Roots, b.Roots = append(d.Roots, more.Roots...), append(b.Roots, part.Roots...)
	return nil
}

// arrange puts the roots in order. Each stands there exactly once. Of a root that several
// parts hold, the list says which one counts.
func (b *Bundle) arrange(j Joined, from []int) error {
	have := b.Document.Roots
	if len(have) != len(j.Order) && !j.chosen() || len(j.Order) == 0 {
		return refuse(Altered, "its parts hold %d roots, and it lists %d", len(have), len(j.Order))
	}
	var records []plan.RootRecord
	var files []Root
	for _, want := range j.Order {
		found := -1
		for i, r := range have {
			if r.Dir == want.Dir && r.Workspace == want.Workspace && (want.From == 0 || want.From == from[i]) {
				found = i
				break
			}
		}
		again := slices.ContainsFunc(records, func(r plan.RootRecord) bool { return r.Dir == want.Dir && r.Workspace == want.Workspace })
		if found < 0 || again {
			return refuse(OtherRoot, "its parts do not hold %s in workspace %s exactly once", want.Dir, want.Workspace)
		}
		records, files = append(records, have[found]), append(files, b.Roots[found])
	}
	b.Document.Roots, b.Roots, b.Document.Removed = records, files, j.Removed
	return nil
}

// Standing is a part of a plan that was made, with what its job said of it.
type Standing struct {
	Where string // as Save gave it
	Said  []byte
}

// LoadParts reads what the jobs said of the parts of a plan; a plan that one job made is
// its only part. A plan that says nothing of its parts is refused.
func LoadParts(ctx context.Context, s Source) (parts []Standing, err error) {
	data, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	where := []string{s.Plan}
	if isJoined(data) {
		var j Joined
		if err := json.Unmarshal(data[len(joinedMagic):], &j); err != nil || len(j.Parts) > maxParts {
			return nil, refuse(Altered, "its list of parts cannot be read")
		}
		where = j.Parts
	}
	for _, part := range where {
		if !beside(s.Plan, part) {
			return nil, refuse(Altered, "it names the part %.200q, which is not kept beside it", part)
		}
		ref, path, err := ParseRef(part)
		if err != nil {
			return nil, err
		}
		one := Standing{Where: part}
		if path != "" {
			if one.Said, err = load(ctx, nil, ref, path+partSuffix, PartType); errors.Is(err, fs.ErrNotExist) {
				return nil, refuse(NotSealed, "nothing is said of its part %s", part)
			}
		} else {
			one.Said, err = load(ctx, s.Registry(ref.Registry()), ref, "", PartType)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, one)
	}
	return parts, nil
}

// IsGone reports whether a plan is not there any more where it was kept, as when a
// registry removes old versions.
func IsGone(err error) bool { return registry.IsNotFound(err) || errors.Is(err, fs.ErrNotExist) }

// PartType is what a part of a plan says to the job that joins.
const PartType = "application/vnd.waybill.plan-part.v1+json"

// SavePart keeps what one job planned, under a name by which the job that joins finds
// it. A job without a plan gives any text in the place of the sealed one.
func (p Place) SavePart(ctx context.Context, client Registry, name string, sealed, part []byte) error {
	if p.Dir == "" {
		ref, err := client.PushDocuments(ctx, p.Repository, ArtifactType, []registry.Document{
			{Name: "plan.sealed", MediaType: ArtifactType, Data: sealed}, {Name: "part.json", MediaType: PartType, Data: part},
		})
		if err == nil {
			err = client.Tag(ctx, ref, name)
		}
		if err != nil {
			return fmt.Errorf("store the part %s of the plan: %w", name, err)
		}
		return nil
	}
	path := filepath.Join(p.Dir, name+".sealed")
	err := os.MkdirAll(p.Dir, 0o700)
	if err == nil {
		err = atomicwriter.WriteFile(path, sealed, 0o600)
	}
	if err == nil {
		err = atomicwriter.WriteFile(path+partSuffix, part, 0o600)
	}
	if err != nil {
		return fmt.Errorf("store the part %s of the plan: %w", name, err)
	}
	return nil
}

const partSuffix = ".part.json"

// FindPart reads what a part says, and where the part is kept. found is false where
// no job has kept one of this name.
func (p Place) FindPart(ctx context.Context, client Registry, name string) (ref string, part []byte, found bool, err error) {
	if p.Dir != "" {
		path := filepath.Join(p.Dir, name+".sealed")
		part, err = os.ReadFile(path + partSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, false, nil
		}
		return path, part, err == nil, err
	}
	at, err := client.Resolve(ctx, p.Repository.Name()+":"+name)
	if registry.IsNotFound(err) {
		return "", nil, false, nil
	}
	if err != nil {
		return "", nil, false, fmt.Errorf("find the part %s of the plan: %w", name, err)
	}
	part, err = load(ctx, client, at, "", PartType)
	return ociScheme + at.String(), part, err == nil, err
}

// PartName is how a part of a run's plan is found: a tag, or the name of a file.
func PartName(run, number string) (string, error) {
	name := fmt.Sprintf("part-%s-%s", run, number)
	if run == "" || len(name) > 128 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return "", outcome.Usagef("--run %q: which run do the parts belong to? Give letters, digits, -, _ and .", run)
	}
	return name, nil
}

// isJoined reports whether data is a joined plan.
func isJoined(data []byte) bool { return bytes.HasPrefix(data, []byte(joinedMagic)) }

package starter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/command/starter/recognise"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// recordFile says what init has written, so that Upgrade can tell a user's edit
// from what was written.
const recordFile = ".waybill/init.json"

// record is what init or Upgrade wrote last.
type record struct {
	Waybill string          `json:"waybill"` // version
	Kind    string          `json:"kind"`
	Names   Names           `json:"names"`
	Files   map[string]base `json:"files"` // by path
}

// base is a file as it was written.
type base struct {
	Blob string `json:"blob"`           // git's id of it
	Text string `json:"text,omitempty"` // itself, where it was merged and so was never committed
}

func (b base) is(data []byte) bool { return b.Blob == git.BlobID(data) }

// upgradable reports whether Upgrade brings a file to the new version. The others
// are examples, and the user's from the first day.
func (n Names) upgradable(name string) bool {
	if n.Path != "" && name == ".github/CODEOWNERS" {
		return false // one for all directories of the repository
	}
	return name != n.recordFile() && (strings.HasPrefix(name, ".github/") || strings.HasPrefix(name, path.Join(n.Path, ".waybill")+"/"))
}

// recordFile is where the record lies, from the top of the repository.
func (n Names) recordFile() string { return path.Join(n.Path, recordFile) }

// readRecord reads the record of a directory of the root; an empty dir is the root.
func readRecord(root *os.Root, dir string) (record, error) {
	r := record{Files: map[string]base{}}
	data, err := root.ReadFile(filepath.FromSlash(path.Join(dir, recordFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read %s: %w", recordFile, err)
	}
	return r, nil
}

func (r record) file() (file, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return file{r.Names.recordFile(), append(data, '\n')}, err
}

func (r record) write(root *os.Root) error {
	f, err := r.file()
	if err == nil {
		err = write(root, f)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", r.Names.recordFile(), err)
	}
	return nil
}

// remember adds to the record what was written, and what was there as it would
// have been written.
func (r record) remember(root *os.Root, list []file, result *Result, dryRun bool) error {
	before, err := readRecord(root, r.Names.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Files = before.Files
	for _, f := range list {
		if r.Names.upgradable(f.name) && !slices.Contains(result.Kept, f.name) {
			r.Files[f.name] = base{Blob: git.BlobID(f.data)}
		}
	}
	f, err := r.file()
	if err != nil {
		return err
	}
	if now, err := root.ReadFile(filepath.FromSlash(f.name)); err == nil && bytes.Equal(now, f.data) {
		result.Same = append(result.Same, f.name)
		return nil
	}
	result.Written = append(result.Written, f.name)
	if dryRun {
		return nil
	}
	return r.write(root)
}

// Change is what became of a file.
type Change string

// The changes.
const (
	Updated  Change = "updated"  // the user had not changed it
	Merged   Change = "merged"   // with the user's changes
	Added    Change = "added"    // new in this version
	Deleted  Change = "deleted"  // this version has it no more
	Yours    Change = "yours"    // changed by the user alone, or deleted by the user
	Conflict Change = "conflict" // both changed the same lines; the user's file stays
	Relock   Change = "relock"   // GitHub's lockfile, which names the actions of before
)

// lockfile is what GitHub's gh actions-lock writes. GitHub runs no workflow that it
// lists unless it also names each action of that workflow.
// https://docs.github.com/en/actions/concepts/security/workflow-dependency-lockfiles
const lockfile = workflowDir + "actions.lock"

// UpgradedFile is one file of an upgrade.
type UpgradedFile struct {
	Path   string `json:"path"`
	Change Change `json:"change"`         // updated, merged, added, deleted, yours, conflict or relock
	Diff   string `json:"diff,omitempty"` // what this version changes, for a person to take over
}

// Upgraded is what an upgrade has done.
type Upgraded struct {
	From  string         `json:"from"` // version that wrote the files
	To    string         `json:"to"`
	Kind  string         `json:"kind"`
	Files []UpgradedFile `json:"files"` // without those that stay as they are
	Pull  string         `json:"pull_request,omitempty"`
}

// Conflicts counts the files that a person has to look at.
func (u Upgraded) Conflicts() (n int) {
	for _, f := range u.Files {
		if f.Change == Conflict {
			n++
		}
	}
	return n
}

// upgrade is one call of Upgrade.
type upgrade struct {
	dir    string
	root   *os.Root
	dryRun bool
	record record
	result Upgraded
}

// UpgradeRequest says what to upgrade.
type UpgradeRequest struct {
	Dir     string
	Version string // of this Waybill
	// ActionsCommit is the commit of this version, where the workflows name Waybill's
	// actions by a commit that init was told.
	ActionsCommit string
	DryRun        bool
}

// Upgrade brings the workflows and the schema that init has written to
// this version. It merges each file by three ways: as it was written, as the user
// has it now, and as init would write it today. A file that cannot be merged stays
// the user's. With DryRun nothing is written.
func Upgrade(ctx context.Context, request UpgradeRequest) (Upgraded, error) {
	version, dryRun := request.Version, request.DryRun
	dir, below, err := topOf(ctx, request.Dir)
	if err != nil {
		return Upgraded{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Upgraded{}, outcome.Usagef("--dir: %w", err)
	}
	defer root.Close()
	u := &upgrade{dir: dir, root: root, dryRun: dryRun}
	if u.record, err = readRecord(root, below); errors.Is(err, fs.ErrNotExist) {
		return Upgraded{}, outcome.Usagef("%s has no %s, so nobody knows what was written: run waybill init again with the flags of the "+
			"first time; it leaves what you have changed alone", request.Dir, recordFile)
	} else if err != nil {
		return Upgraded{}, err
	}
	u.result = Upgraded{From: u.record.Waybill, To: version, Kind: u.record.Kind, Files: []UpgradedFile{}}
	names := u.record.Names
	if names.ActionsCommit != "" && request.ActionsCommit == "" && u.record.Waybill != version {
		return Upgraded{}, outcome.Usagef("the workflows name Waybill's actions by the commit of %s: give that of %s by --actions-commit",
			u.record.Waybill, version)
	}
	if request.ActionsCommit != "" {
		names.ActionsCommit = request.ActionsCommit
	}
	u.record.Names = names
	if u.record.Kind == App {
		names.found = recognise.Read(dir)
	}
	if err := names.complete(u.record.Kind); err != nil {
		return Upgraded{}, fmt.Errorf("%s: %w", recordFile, err)
	}
	list, err := files(u.record.Kind, names)
	if err != nil {
		return Upgraded{}, err
	}
	if err := u.each(ctx, list); err != nil {
		return Upgraded{}, err
	}
	if err := u.relock(); err != nil {
		return Upgraded{}, err
	}
	u.record.Waybill = version
	if dryRun {
		return u.result, nil
	}
	return u.result, u.record.write(root)
}

func (u *upgrade) each(ctx context.Context, list []file) error {
	var now []string
	for _, f := range list {
		if !u.record.Names.upgradable(f.name) {
			continue
		}
		if _, there := u.record.Files[workflowDir+"waybill.yml"]; there && u.record.Kind == App && f.name == workflowDir+"ci.yml" {
			f.name = workflowDir + "waybill.yml" // see freeWorkflow
		}
		now = append(now, f.name)
		if err := u.one(ctx, f); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.record.Files)) {
		if u.record.Names.upgradable(name) && !slices.Contains(now, name) {
			if err := u.gone(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// relock names the lockfile if it lists a workflow that changes.
func (u *upgrade) relock() error {
	data, err := u.root.ReadFile(filepath.FromSlash(lockfile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var lock struct{ Workflows map[string]any }
	if err == nil {
		err = limit.YAML(lockfile, data)
	}
	if err == nil {
		err = yaml.Unmarshal(data, &lock)
	}
	if err != nil {
		return fmt.Errorf("read %s in %s (gh actions-lock writes it): %w", lockfile, u.dir, err)
	}
	if slices.ContainsFunc(u.result.Files, func(f UpgradedFile) bool {
		_, listed := lock.Workflows[f.Path]
		return listed && f.Change != Yours && f.Change != Conflict
	}) {
		u.add(lockfile, Relock, "")
	}
	return nil
}

func (u *upgrade) add(name string, change Change, diff string) {
	u.result.Files = append(u.result.Files, UpgradedFile{Path: name, Change: change, Diff: diff})
}

func (u *upgrade) write(f file, change Change, as base) error {
	u.add(f.name, change, "")
	u.record.Files[f.name] = as
	if u.dryRun {
		return nil
	}
	if err := write(u.root, f); err != nil {
		return fmt.Errorf("write %s in %s: %w", f.name, u.dir, err)
	}
	return nil
}

// one brings a file to the new version.
func (u *upgrade) one(ctx context.Context, f file) error {
	as := base{Blob: git.BlobID(f.data)}
	was, recorded := u.record.Files[f.name]
	now, err := u.root.ReadFile(filepath.FromSlash(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && recorded:
		u.add(f.name, Yours, "")
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return u.write(f, Added, as)
	case err != nil:
		return fmt.Errorf("read %s in %s: %w", f.name, u.dir, err)
	case bytes.Equal(now, f.data):
		u.record.Files[f.name] = as
		return nil
	case recorded && was.is(now):
		return u.write(f, Updated, as)
	case was.is(f.data):
		u.add(f.name, Yours, "")
		return nil
	}
	written, known := u.written(ctx, was)
	if !known {
		diff, err := difference(ctx, now, f.data)
		u.add(f.name, Conflict, diff)
		return err
	}
	merged, clean, err := merge(ctx, now, written, f.data)
	switch {
	case err != nil:
		return fmt.Errorf("merge %s: %w", f.name, err)
	case !clean:
		diff, err := difference(ctx, written, f.data)
		u.add(f.name, Conflict, diff)
		return err
	case bytes.Equal(merged, now):
		u.record.Files[f.name] = base{Blob: as.Blob, Text: string(f.data)}
		return nil
	}
	return u.write(file{f.name, merged}, Merged, base{Blob: as.Blob, Text: string(f.data)})
}

// written is a file as it was written. git has it if it was committed so.
func (u *upgrade) written(ctx context.Context, b base) ([]byte, bool) {
	if b.Text != "" {
		return []byte(b.Text), true
	}
	if !git.IsObjectID(b.Blob) {
		return nil, false
	}
	data, err := git.Command{Dir: u.dir, Args: []string{"cat-file", "blob", b.Blob}}.Output(ctx)
	return data, err == nil
}

// gone takes a file away that this version does not write any more.
func (u *upgrade) gone(name string) error {
	now, err := u.root.ReadFile(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		delete(u.record.Files, name)
		return nil
	case err != nil:
		return fmt.Errorf("read %s in %s: %w", name, u.dir, err)
	case !u.record.Files[name].is(now):
		u.add(name, Yours, "")
		return nil
	}
	u.add(name, Deleted, "")
	delete(u.record.Files, name)
	if u.dryRun {
		return nil
	}
	return u.root.Remove(filepath.FromSlash(name))
}

// merge joins two changes of one text.
// https://git-scm.com/docs/git-merge-file
func merge(ctx context.Context, ours, was, theirs []byte) (merged []byte, clean bool, err error) {
	err = inFiles(func(dir string) error {
		merged, err = git.Command{Dir: dir, Args: []string{"merge-file", "-p", "--quiet", "0", "1", "2"}}.Output(ctx)
		return err
	}, ours, was, theirs)
	if clean = err == nil; !clean && conflicts(err) {
		err = nil
	}
	return merged, clean, err
}

// conflicts reports whether git ended with the number of conflicts, which it
// bounds by 127, and did not fail, for which it says 255.
func conflicts(err error) bool {
	for code := range 127 {
		if git.Exited(err, code+1) {
			return true
		}
	}
	return false
}

// difference is a unified one, without file names.
func difference(ctx context.Context, was, now []byte) (text string, err error) {
	err = inFiles(func(dir string) error {
		data, err := git.Command{Dir: dir, Args: []string{"diff", "--no-index", "--no-color", "--unified=2", "0", "1"}}.Output(ctx)
		if git.Exited(err, 1) {
			err = nil
		}
		if at := bytes.Index(data, []byte("@@")); at >= 0 {
			data = data[at:]
		}
		text = string(data)
		return err
	}, was, now)
	return text, err
}

// inFiles gives texts as the files 0, 1, 2 of a directory.
func inFiles(f func(dir string) error, texts ...[]byte) error {
	dir, err := os.MkdirTemp("", "waybill-upgrade-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), text, 0o600); err != nil {
			return err
		}
	}
	return f(dir)
}

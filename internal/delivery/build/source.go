package build

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// Source is where the context comes from, as git and the job tell.
type Source struct {
	evidence.Source
	Root       string // top of the working tree; empty outside one
	CommitTime time.Time
	Tag        string // version tag at the commit
}

// Job is what the job knows of the source: it fills in what git does not say.
type Job struct{ Server, Repository, Commit, Ref string } // Repository is OWNER/NAME on the server

// ReadSource describes the source that dir is in. Where there is no git, or
// none that can be asked, the job's word is taken.
func ReadSource(ctx context.Context, dir string, job Job) (Source, error) {
	described, err := git.Describe(ctx, dir)
	s := Source{
		Source: evidence.Source{
			Repository: described.Repository, Commit: described.Commit, Ref: described.Ref, Dirty: described.Dirty,
			CommittedAt: described.CommitTime,
		},
		Root: described.Root, CommitTime: described.CommitTime, Tag: described.Tag,
	}
	if job.Commit == "" || (s.Commit != "" && s.Commit != job.Commit) {
		return s, err // another repository than the job's
	}
	if s.Commit == "" {
		s.CommittedAt = time.Time{}
	}
	s.Commit = job.Commit
	if job.Repository != "" {
		s.Repository = job.Server + "/" + job.Repository
	}
	if job.Ref != "" {
		s.Ref = job.Ref
	}
	if tag, ok := strings.CutPrefix(job.Ref, "refs/tags/"); ok {
		s.Tag = tag
	}
	return s, err
}

// ReadTracked asks git what it tracks of a context; nil outside a repository.
// The files get the time of the image.
func ReadTracked(ctx context.Context, dir string, epoch time.Time) (*Tracked, error) {
	files, err := git.Tracked(ctx, dir)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	return NewTracked(files, epoch), nil
}

// Relative gives path as seen from the top of the repository, or its last
// element where it is in none: a record names no directory of the machine.
func (s Source) Relative(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return filepath.Base(path)
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = real
	}
	if s.Root != "" {
		if rel, err := filepath.Rel(s.Root, absolute); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(absolute)
}

// Keys of labels and annotations.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const (
	keySource   = "org.opencontainers.image.source"
	keyURL      = "org.opencontainers.image.url"
	keyRevision = "org.opencontainers.image.revision"
	keyCreated  = "org.opencontainers.image.created"
	keyVersion  = "org.opencontainers.image.version"
	keyTitle    = "org.opencontainers.image.title"
)

// Metadata gives the labels or annotations of an image: what is known of its
// source, and over it what the user gives.
func (s Source) Metadata(title string, created time.Time, given map[string]string) map[string]string {
	all := map[string]string{keyCreated: created.UTC().Format(time.RFC3339), keyTitle: title}
	for key, value := range map[string]string{keySource: s.Repository, keyURL: s.Repository, keyRevision: s.Commit, keyVersion: s.Tag} {
		if value != "" {
			all[key] = value
		}
	}
	if title == "" {
		delete(all, keyTitle)
	}
	maps.Copy(all, given)
	return all
}

package git

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Description is what git knows of a working directory. The zero Description
// says that it is in no repository, or in one without a commit.
type Description struct {
	Root       string    // top of the working tree
	Repository string    // https://github.com/acme/app: remote origin without credentials; empty without one
	Commit     string    // 40 hexadecimal digits
	CommitTime time.Time // the committer's
	Ref        string    // refs/tags/TAG when a tag is at HEAD, else refs/heads/BRANCH; empty when detached
	Tag        string    // highest version tag at HEAD
	Dirty      bool      // files differ from the commit
}

// Describe reads the description of the repository that dir is in. A directory
// outside any repository is no error: it has the zero Description.
func Describe(ctx context.Context, dir string) (Description, error) {
	root, err := Run(ctx, dir, "rev-parse", "--show-toplevel")
	if strings.Contains(Stderr(err), notARepository) {
		return Description{}, nil
	}
	if err != nil {
		return Description{}, Misplaced(dir, err)
	}
	d := Description{Root: filepath.FromSlash(root)}
	if remote, err := Run(ctx, dir, "config", "--get", "remote.origin.url"); err == nil {
		d.Repository = webURL(remote)
	}
	head, err := Run(ctx, dir, "log", "-1", "--no-show-signature", "--format=%H %ct", "HEAD")
	if err != nil {
		return d, nil // no commit yet
	}
	var seconds int64
	if _, err := fmt.Sscanf(head, "%40s %d", &d.Commit, &seconds); err != nil {
		return Description{}, fmt.Errorf("describe the source in %s: git log wrote %q", dir, head)
	}
	d.CommitTime = time.Unix(seconds, 0).UTC()
	if branch, err := Run(ctx, dir, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		d.Ref = branch
	}
	if tags, err := Run(ctx, dir, "tag", "--points-at", "HEAD", "--sort=-version:refname"); err == nil && tags != "" {
		d.Tag = highest(strings.Split(tags, "\n"))
		d.Ref = "refs/tags/" + d.Tag
	}
	status, err := Run(ctx, dir, "status", "--porcelain", "--untracked-files=normal")
	if err != nil {
		return Description{}, fmt.Errorf("describe the source in %s: %w", dir, err)
	}
	d.Dirty = status != ""
	return d, nil
}

// highest gives the highest semantic version of tags, with or without a v. Of
// v2 and v2.0.0 it is the longer one. Without any, it is the first tag.
func highest(tags []string) string {
	best, version := tags[0], ""
	for _, tag := range tags {
		v := "v" + strings.TrimPrefix(tag, "v")
		if !semver.IsValid(v) {
			continue
		}
		if order := semver.Compare(v, version); order > 0 || (order == 0 && len(tag) > len(best)) {
			best, version = tag, v
		}
	}
	return best
}

// Tracked lists the files below dir that git tracks, by their path below dir,
// and whether they are executable. Outside a repository there are none.
func Tracked(ctx context.Context, dir string) (map[string]bool, error) {
	list, err := Run(ctx, dir, "ls-files", "--stage", "-z")
	if err != nil {
		if strings.Contains(Stderr(err), notARepository) {
			return nil, nil
		}
		return nil, fmt.Errorf("list the files that git tracks in %s: %w", dir, err)
	}
	files := map[string]bool{}
	for entry := range strings.SplitSeq(list, "\x00") { // MODE OBJECT STAGE\tPATH
		if metadata, name, ok := strings.Cut(entry, "\t"); ok && strings.HasPrefix(metadata, "1") && !strings.HasPrefix(metadata, "16") {
			files[name] = strings.HasPrefix(metadata, "100755")
		}
	}
	return files, nil
}

// scpForm is git's short form of an ssh URL: git@github.com:acme/app.git.
var scpForm = regexp.MustCompile(`^(?:[^@/]+@)?([^:/]+):([^/].*)$`)

// webURL turns a remote into the https URL of its page, dropping credentials
// and everything else that is no part of the name. A local path has none.
func webURL(remote string) string {
	if m := scpForm.FindStringSubmatch(remote); m != nil && !strings.Contains(remote, "://") {
		remote = "https://" + m[1] + "/" + m[2]
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return ""
	}
	host := u.Host
	switch u.Scheme {
	case "ssh", "git", "git+ssh":
		host = u.Hostname() // the ssh port is not the page's
		u.Scheme = "https"
	case "http", "https":
	default:
		return ""
	}
	return u.Scheme + "://" + host + "/" + strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
}

// Package site is the infrastructure repository as one decision sees it: the pull
// request, the tip of the default branch, the rules of each revision that has a
// say, and the comments.
//
// Each document is read once, when it is first needed, and never again. The tip
// of the default branch is fixed at the first read, so that every decision names
// the same revision; Now asks where the branch is by then. What
// GitHub does not answer is an error. A Site decides nothing, serves one pull
// request, and is not safe for concurrent use.
package site

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Site is the repository that plan, gate and apply work on.
type Site struct {
	API  *github.Client
	Repo github.Repository   // zero where GitHub has no part in it
	Pull *github.PullRequest // nil where there is none
	Top  string              // of the checkout; if empty, there is none

	branch    string // the default one
	tip       string // of it
	holders   []int  // open pull requests with HoldLabel, as they were read with the tip
	revisions []string
	files     map[string]map[string][]byte // by commit and path
	said      *github.Conversation         // nil until it is read
	logins    map[*github.Client]string
	committed *committed // nil until it is asked for
}

type committed struct {
	config.Terraform
	is bool
}

// Request says which repository and pull request.
type Request struct {
	API  *github.Client
	Repo string // OWNER/NAME; if empty, GitHub has no part in it
	Pull int    // number; 0 is none
	Top  string // of the checkout; if empty, there is none
}

// Open reads the pull request, where there is one.
func Open(ctx context.Context, r Request) (*Site, error) {
	s := &Site{API: r.API, Top: r.Top, logins: make(map[*github.Client]string)}
	if r.Repo == "" {
		if r.Pull != 0 {
			return nil, outcome.Usagef("--pull-request is of which repository? Give --repo OWNER/NAME")
		}
		return s, nil
	}
	var err error
	if s.Repo, err = github.ParseRepository(r.Repo); err != nil {
		return nil, outcome.Usagef("--repo: %w", err)
	}
	if r.Pull != 0 {
		s.Pull, err = r.API.Pull(ctx, s.Repo, r.Pull)
	}
	return s, err
}

// Of is the site of another pull request, of which nothing is read yet: what is
// decided about it names its own tip of the default branch.
func (s *Site) Of(pull *github.PullRequest) *Site {
	return &Site{API: s.API, Repo: s.Repo, Pull: pull, Top: s.Top, logins: s.logins}
}

// OnGitHub reports whether the repository is known on GitHub.
func (s *Site) OnGitHub() bool { return s.Repo.Name != "" }

// Name is OWNER/NAME, or empty outside of GitHub.
func (s *Site) Name() string {
	if !s.OnGitHub() {
		return ""
	}
	return s.Repo.String()
}

// Checkout is the commit that is checked out. of reports whether it is the head of
// the pull request, or GitHub's merge of that head, of which it is the last parent.
func (s *Site) Checkout(ctx context.Context) (sha string, of bool, err error) {
	line, err := git.Run(ctx, s.Top, "rev-list", "--parents", "--max-count=1", "HEAD")
	commits := strings.Fields(line)
	if err != nil || len(commits) == 0 {
		return "", false, err
	}
	of = s.Pull != nil && slices.Contains([]string{commits[0], commits[len(commits)-1]}, s.Pull.HeadSHA)
	return commits[0], of, nil
}

// DefaultBranch is the repository's default branch.
func (s *Site) DefaultBranch(ctx context.Context) (string, error) {
	if s.branch == "" && s.Pull != nil {
		s.branch = s.Pull.DefaultBranch
	}
	if s.branch == "" {
		info, err := s.API.Repo(ctx, s.Repo)
		if err != nil {
			return "", err
		}
		s.branch = info.DefaultBranch
	}
	return s.branch, nil
}

// HoldLabel is the label of open pull requests that were applied before their merge.
const HoldLabel = "waybill-hold"

// Tip is the head of the default branch, as it was when it was first asked for.
func (s *Site) Tip(ctx context.Context) (string, error) {
	if s.tip != "" {
		return s.tip, nil
	}
	tip, err := s.read(ctx, judged)
	if err != nil {
		return "", err
	}
	s.tip, s.holders, s.files = tip.SHA, tip.Labelled, map[string]map[string][]byte{tip.SHA: tip.Files}
	return s.tip, nil
}

// Holders are the other open pull requests that were applied before their merge, as
// they were when the tip was read.
func (s *Site) Holders(ctx context.Context) ([]int, error) {
	_, err := s.Tip(ctx)
	return s.holders, err
}

// Now is the head of the default branch as it is now. Holders are read anew with it.
func (s *Site) Now(ctx context.Context) (string, error) {
	tip, err := s.read(ctx, nil)
	if err != nil {
		return "", err
	}
	s.holders = tip.Labelled
	return tip.SHA, nil
}

// read reads the default branch and, where a pull request is decided about, which
// others hold what it may change.
func (s *Site) read(ctx context.Context, paths []string) (*github.Tip, error) {
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	label := ""
	if s.Pull != nil {
		label = HoldLabel
	}
	tip, err := s.API.Tip(ctx, s.Repo, branch, paths, label)
	if err == nil && s.Pull != nil {
		tip.Labelled = slices.DeleteFunc(tip.Labelled, func(n int) bool { return n == s.Pull.Number })
	}
	return tip, err
}

// judged are the files that decisions need of any revision.
var judged = append([]string{config.FileName}, CodeOwnersPlaces...)

// Revisions are those whose rules have a say: the default branch as it is, as it
// was when the pull request was last brought up to date, and as it was just
// before the merge. What the pull request's own say loosens nothing, whatever branch it is
// made against: they are among them only after a merge by rebase, beside the one before.
func (s *Site) Revisions(ctx context.Context) ([]string, error) {
	if s.revisions != nil {
		return s.revisions, nil
	}
	tip, err := s.Tip(ctx)
	if err != nil {
		return nil, err
	}
	revisions := []string{tip}
	add := func(sha string) {
		if sha != "" && !slices.Contains(revisions, sha) {
			revisions = append(revisions, sha)
		}
	}
	if s.Pull != nil && s.Pull.BaseRef == s.branch {
		add(s.Pull.BaseSHA)
	}
	if s.Pull != nil && s.Pull.Merged {
		before, err := s.beforeMerge(ctx)
		if err != nil {
			return nil, err
		}
		for _, sha := range before {
			add(sha)
		}
	}
	s.revisions = revisions
	return revisions, nil
}

// maxRebased is how many commits of a pull request GitHub puts onto a branch one by one.
const maxRebased = 100

// beforeMerge are the commits under that of the merge, as far as the pull request brought
// them, and the one under those. A merge by rebase brings several: the last one is of the
// default branch as it was before. All are given, so that a wrong answer about whose a commit
// is leaves no rule out.
func (s *Site) beforeMerge(ctx context.Context) (before []string, err error) {
	commits, err := s.API.Commits(ctx, s.Repo, s.Pull.MergeSHA, "", maxRebased+1)
	if err != nil {
		return nil, err
	}
	parents := make(map[string][]string)
	for _, c := range commits {
		parents[c.SHA] = c.Parents
	}
	for sha := s.Pull.MergeSHA; len(parents[sha]) > 0; {
		single := len(parents[sha]) == 1
		sha = parents[sha][0]
		before = append(before, sha)
		if !single {
			return before, nil // a merge commit
		}
		pulls, err := s.API.PullsOfCommit(ctx, s.Repo, sha)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(pulls, func(p github.PullRequest) bool { return p.Merged && p.Number == s.Pull.Number }) {
			return before, nil
		}
		if len(parents[sha]) == 0 {
			return nil, fmt.Errorf("find where the default branch was before #%d: it brought more than %d commits", s.Pull.Number, maxRebased)
		}
	}
	return before, nil
}

// CodeOwnersPlaces are where GitHub looks for CODEOWNERS, in its order.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
var CodeOwnersPlaces = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// file reads a file of a revision, and with it all that decisions need of any
// revision. is reports whether it is there.
func (s *Site) file(ctx context.Context, sha, path string) (data []byte, is bool, err error) {
	if s.files[sha] == nil {
		revisions, err := s.Revisions(ctx)
		if err != nil {
			return nil, false, err
		}
		missing := slices.DeleteFunc(slices.Clone(revisions), func(r string) bool { return s.files[r] != nil })
		if len(missing) > 0 {
			read, err := s.API.Files(ctx, s.Repo, missing, judged)
			if err != nil {
				return nil, false, err
			}
			maps.Copy(s.files, read)
		}
	}
	if s.files[sha] == nil {
		return nil, false, fmt.Errorf("read %s of %s: GitHub does not show commit %.7s", path, s.Repo, sha)
	}
	data, is = s.files[sha][path]
	return data, is, nil
}

// TerraformAt is the terraform part of waybill.yaml at a revision. is reports
// whether the file is there.
func (s *Site) TerraformAt(ctx context.Context, sha string) (t config.Terraform, is bool, err error) {
	data, is, err := s.file(ctx, sha, config.FileName)
	if err != nil || !is {
		return t, false, err
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return t, false, fmt.Errorf("at %.7s: %w", sha, err)
	}
	return cfg.Terraform(), true, nil
}

// CodeOwners reads CODEOWNERS of a revision where GitHub does; name is empty where
// there is none.
func (s *Site) CodeOwners(ctx context.Context, sha string) (name string, data []byte, err error) {
	for _, place := range CodeOwnersPlaces {
		data, is, err := s.file(ctx, sha, place)
		if err != nil || is {
			return place, data, err
		}
	}
	return "", nil, nil
}

// Terraform is the terraform part of waybill.yaml on the default branch or,
// outside of GitHub, of the checkout's HEAD: never of the change itself. Without
// the file there is the default policy and nothing else.
func (s *Site) Terraform(ctx context.Context) (t config.Terraform, err error) {
	is := false
	if s.OnGitHub() {
		var tip string
		if tip, err = s.Tip(ctx); err == nil {
			t, is, err = s.TerraformAt(ctx, tip)
		}
	} else {
		t, is, err = s.Committed(ctx)
	}
	if !is {
		t = config.Terraform{Policy: config.DefaultTerraformPolicy()}
	}
	return t, err
}

// Committed is the terraform part of waybill.yaml of the checkout's HEAD. is
// reports whether the file is there.
func (s *Site) Committed(ctx context.Context) (t config.Terraform, is bool, err error) {
	if s.committed == nil {
		if t, is, err = s.readCommitted(ctx); err != nil {
			return t, false, err
		}
		s.committed = &committed{t, is}
	}
	return s.committed.Terraform, s.committed.is, nil
}

func (s *Site) readCommitted(ctx context.Context) (t config.Terraform, is bool, err error) {
	names, err := git.Run(ctx, s.Top, "ls-tree", "--name-only", "HEAD", "--", config.FileName)
	if err != nil || names == "" {
		return t, false, err
	}
	data, err := git.Run(ctx, s.Top, "show", "HEAD:"+config.FileName)
	if err != nil {
		return t, false, fmt.Errorf("read the policy: %w", err)
	}
	cfg, err := config.Parse(config.FileName, []byte(data))
	if err != nil {
		return t, false, err
	}
	return cfg.Terraform(), true, nil
}

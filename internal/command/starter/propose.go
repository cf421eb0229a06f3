package starter

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Propose upgrades on a branch of its own, commits, pushes with the user's own
// git, and opens a pull request. The branch that was checked out is so again at
// the end. Where nothing changes, nothing is proposed. Until the push has succeeded, a
// failure leaves the clone as it was, so that the call can be repeated.
func Propose(ctx context.Context, api *github.Client, request UpgradeRequest) (result Upgraded, err error) {
	run := func(args ...string) (string, error) { return asUser(ctx, request.Dir, args...) }
	if err := api.NeedsToken("a pull request"); err != nil {
		return Upgraded{}, err
	}
	changed, err := run("status", "--porcelain")
	if err != nil {
		return Upgraded{}, git.Misplaced(request.Dir, err)
	}
	if changed != "" {
		return Upgraded{}, outcome.Usagef("%s has changes that are not committed: commit them first, so that the pull request is "+
			"the upgrade alone",
			request.Dir)
	}
	repo, err := github.ParseRepository(originOf(ctx, request.Dir))
	if err != nil {
		return Upgraded{}, outcome.Usagef("the remote origin of %s is no repository on GitHub", request.Dir)
	}
	info, err := api.Repo(ctx, repo)
	if err != nil {
		return Upgraded{}, err
	}
	top, below, err := topOf(ctx, request.Dir)
	if err != nil {
		return Upgraded{}, err
	}
	branch := "waybill/" + strings.TrimPrefix(Names{Path: below}.suffix()+"-upgrade-", "-") + request.Version
	if _, err := run("switch", "--quiet", "--create", branch); err != nil {
		return Upgraded{}, fmt.Errorf("make the branch %s (delete it if an earlier call left it): %w", branch, err)
	}
	pushed := false
	defer func() { err = outcome.Join(err, leave(context.WithoutCancel(ctx), request.Dir, top, branch, pushed)) }()
	if result, err = Upgrade(ctx, request); err != nil {
		return result, err
	}
	if written, err := run("status", "--porcelain"); err != nil || written == "" { // a conflict leaves its file as it is
		return result, err
	}
	title := fmt.Sprintf("Upgrade Waybill from %s to %s", result.From, result.To)
	for _, args := range [][]string{
		{"-C", top, "add", "--all", ".github", path.Join(below, ".waybill")},
		{"commit", "--quiet", "--message=" + title}, {"push", "--quiet", "origin", branch},
	} {
		if _, err := run(args...); err != nil {
			return result, err
		}
	}
	pushed = true
	pull, err := api.OpenPull(ctx, repo, github.NewPull{Title: title, Body: Body(result), Head: branch, Base: info.DefaultBranch})
	if err == nil {
		result.Pull = pull.URL
	}
	return result, err
}

func asUser(ctx context.Context, dir string, args ...string) (string, error) {
	return git.Command{Dir: dir, Args: args, UserConfig: true}.Line(ctx)
}

// leave goes back to the branch that was checked out. If nothing was pushed, it takes the
// new branch away, with what Upgrade wrote: the tree was clean before.
func leave(ctx context.Context, dir, top, branch string, pushed bool) error {
	steps := [][]string{{"switch", "--quiet", "-"}}
	if !pushed {
		steps = [][]string{
			{"-C", top, "add", "--all"}, {"reset", "--quiet", "--hard"}, {"switch", "--quiet", "-"}, {"branch", "--quiet", "-D", branch},
		}
	}
	for _, args := range steps {
		if _, err := asUser(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// Body says what an upgrade changes, for the pull request.
func Body(u Upgraded) string {
	list := fmt.Sprintf(
		"What `waybill init` wrote, brought from %s to %s. Your own changes stay.\n\n", markdown.Code(u.From), markdown.Code(u.To),
	)
	var differences []string
	for _, f := range u.Files {
		list += fmt.Sprintf("- %s: %s\n", markdown.Code(f.Path), about[f.Change])
		if f.Diff != "" {
			differences = append(differences, fmt.Sprintf("\n### %s\n\nTake over by hand what you want of this:\n\n%s",
				markdown.Code(f.Path),
				markdown.Fence("diff", f.Diff)))
		}
	}
	return markdown.Comment(list, differences...)
}

var about = map[Change]string{
	Updated: "updated; you had not changed it", Merged: "updated, with your changes", Added: "new", Deleted: "this version has it no more",
	Yours: "as you have it", Conflict: "**both changed the same lines**, so it stays as you have it",
	Relock: "still names the actions of before: run `gh actions-lock` on this branch and commit the file, or GitHub refuses these workflows",
}

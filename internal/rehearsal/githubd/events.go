package githubd

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// Event is something that GitHub would look for workflows for.
type Event struct {
	// push, pull_request, pull_request_review, issue_comment, merge_group,
	// workflow_dispatch, repository_dispatch, deployment, deployment_status
	Name       string
	Repository string // OWNER/NAME
	// of pull_request: opened, synchronize, reopened, closed; of a review: submitted, edited, dismissed; of repository_dispatch: its type
	Action   string
	Ref      string // GITHUB_REF
	SHA      string // GITHUB_SHA, where the workflow file is read too
	Before   string // of push: where the branch was
	BaseRef  string // of pull_request: branches are matched against this
	HeadRef  string
	Fork     bool   // of pull_request: its head is in another repository
	Number   int    // of pull_request
	Workflow string // of workflow_dispatch: the file's name
	Inputs   map[string]string
	Actor    string
	ByJob    bool           // a job token did it
	Payload  map[string]any // what GITHUB_EVENT_PATH holds
	Started  func(Run)      // told which run it became, where somebody asks
}

// StartsWorkflows is GitHub's rule against loops: what a job token does starts
// nothing, except dispatches.
// https://docs.github.com/en/actions/concepts/security/github_token#when-github_token-triggers-workflow-runs
func (e Event) StartsWorkflows() bool {
	return !e.ByJob || e.Name == "workflow_dispatch" || e.Name == "repository_dispatch"
}

// refMoved does what follows a ref's move: pull requests follow their
// branches, events go out. The caller holds the lock on the refs.
// move is what happened to a reference; zeroOID stands for no commit.
type move struct{ ref, before, after string }

func (s *Server) refMoved(ctx context.Context, repo *repository, token *Token, m move) {
	ref, before, after := m.ref, m.before, m.after
	if before == after {
		return
	}
	var events []Event
	if branch, isBranch := strings.CutPrefix(ref, "refs/heads/"); isBranch {
		events = s.pullsFollow(ctx, repo, token, branch, after)
	}
	if !strings.HasPrefix(ref, "refs/heads/") && !strings.HasPrefix(ref, "refs/tags/") {
		return
	}
	s.record(repo, token, ref, before, after)
	push := Event{Name: "push", Repository: repo.fullName(), Ref: ref, SHA: after, Before: before, Actor: token.User, ByJob: token.Job}
	push.Payload = map[string]any{
		"ref": ref, "before": before, "after": after, "created": before == zeroOID, "deleted": after == zeroOID, "forced": false,
		"repository": s.repositoryJSON(repo), "pusher": map[string]any{"name": token.User}, "sender": s.userJSON(token.User),
		"compare": s.URL() + "/" + repo.fullName() + "/compare/" + before + "..." + after,
	}
	if after != zeroOID {
		if out, err := git.RunEnv(ctx, s.gitDir(repo), s.o.Env, "log", "-1", "--no-show-signature", commitFormat, after); err == nil {
			if info, err := parseCommit(out); err == nil {
				push.Payload["head_commit"] = map[string]any{
					"id": info.SHA, "tree_id": info.Tree, "message": info.Message, "timestamp": stamp(info.CommitterTime),
					"author":    map[string]any{"name": info.AuthorName, "email": info.AuthorEmail},
					"committer": map[string]any{"name": info.CommitterName, "email": info.Committer},
				}
			}
		}
	}
	s.emit(append([]Event{push}, events...)...)
}

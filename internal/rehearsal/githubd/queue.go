package githubd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// queued is an entry of the merge queue.
type queued struct {
	Number     int
	Ref, SHA   string // of its group: the base, those before it, and it
	Onto       string
	User, Base string
	Added      time.Time
}

// Enqueue puts pull requests into the merge queue of their base branch, each
// behind the other: every one gets a branch with the merge of all before it and
// itself, and a merge_group event.
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
func (s *Server) Enqueue(ctx context.Context, name, user string, numbers ...int) error {
	repo := s.lookup(name)
	if repo == nil {
		return fmt.Errorf("queue pull requests of %s: no such repository", name)
	}
	lock := s.refLock(repo)
	lock.Lock()
	defer lock.Unlock()
	dir := s.gitDir(repo)
	var events []Event
	for _, n := range numbers {
		s.mu.Lock()
		found := repo.pull(n)
		onto := ""
		if len(repo.Queue) > 0 {
			onto = repo.Queue[len(repo.Queue)-1].SHA
		}
		s.mu.Unlock()
		if found == nil || found.State != "open" {
			return fmt.Errorf("queue pull request %s#%d: it is not open", name, n)
		}
		p := *found
		if onto == "" {
			onto = s.head(ctx, dir, "refs/heads/"+p.BaseRef)
		}
		sha := s.mergeCommit(ctx, dir, joint{
			onto, p.HeadSHA, fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", n, repo.Owner, p.HeadRef, p.Title), user,
		})
		if sha == "" {
			return fmt.Errorf("queue pull request %s#%d: it conflicts with what is before it", name, n)
		}
		q := queued{
			Number: n, Ref: fmt.Sprintf("refs/heads/gh-readonly-queue/%s/pr-%d-%s", p.BaseRef, n, onto), SHA: sha, Onto: onto,
			User: user, Base: p.BaseRef, Added: s.now(),
		}
		if err := s.setRef(ctx, dir, q.Ref, sha); err != nil {
			return fmt.Errorf("queue pull request %s#%d: %w", name, n, err)
		}
		s.change(func(*state) { repo.Queue = append(repo.Queue, q) })
		events = append(events, Event{
			Name: "merge_group", Repository: repo.fullName(), Action: "checks_requested", Ref: q.Ref, SHA: sha, BaseRef: q.Base,
			Actor: user,
			Payload: map[string]any{
				"action": "checks_requested", "repository": s.repositoryJSON(repo), "sender": s.userJSON(user),
				"merge_group": map[string]any{
					"head_sha": sha, "head_ref": q.Ref, "base_sha": onto, "base_ref": "refs/heads/" + q.Base,
					"head_commit": map[string]any{"id": sha},
				},
			},
		})
	}
	s.emit(events...)
	return nil
}

// graphqlQueue serves the query for what is in the merge queue of a branch.
// https://docs.github.com/en/graphql/reference/objects#mergequeueentry
func (s *Server) graphqlQueue(w http.ResponseWriter, token *Token, raw json.RawMessage) {
	var in struct{ Owner, Name, Branch, After string }
	if json.Unmarshal(raw, &in) != nil {
		graphqlError(w, "UNPROCESSABLE", "Variables are no strings")
		return
	}
	repo := s.readable(w, token, in.Owner+"/"+in.Name, "pull_requests")
	if repo == nil {
		return
	}
	var entries []map[string]any
	s.mu.Lock()
	for _, q := range repo.Queue {
		if q.Base == in.Branch {
			entries = append(entries, map[string]any{
				"headCommit": map[string]any{"oid": q.SHA}, "pullRequest": map[string]any{"number": q.Number},
			})
		}
	}
	s.mu.Unlock()
	var queue any
	if entries != nil {
		queue = map[string]any{"entries": connection(entries, in.After)}
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"repository": map[string]any{"mergeQueue": queue}}})
}

// MergeQueue merges what is in the queue, from the front, as far as the
// required statuses of each group have succeeded: by one push of all of it, as
// GitHub does. The rest leaves the queue. It gives the numbers that were merged.
func (s *Server) MergeQueue(ctx context.Context, name string) ([]int, error) {
	repo := s.lookup(name)
	if repo == nil {
		return nil, fmt.Errorf("merge the queue of %s: no such repository", name)
	}
	lock := s.refLock(repo)
	lock.Lock()
	defer lock.Unlock()
	dir := s.gitDir(repo)
	s.mu.Lock()
	queue := append([]queued{}, repo.Queue...)
	ready := 0
	for ready < len(queue) && repo.missingStatus(queue[ready].SHA) == "" {
		ready++
	}
	s.mu.Unlock()
	s.change(func(*state) { repo.Queue = nil })
	for _, q := range queue {
		_, _ = git.RunEnv(ctx, dir, s.o.Env, "update-ref", "-d", q.Ref)
	}
	if ready == 0 {
		return nil, nil
	}
	last := queue[ready-1]
	before := s.head(ctx, dir, "refs/heads/"+last.Base)
	if before != queue[0].Onto {
		return nil, fmt.Errorf("merge the queue of %s: %s has moved", name, last.Base)
	}
	if err := s.setRef(ctx, dir, "refs/heads/"+last.Base, last.SHA); err != nil {
		return nil, fmt.Errorf("merge the queue of %s: %w", name, err)
	}
	var numbers []int
	var events []Event
	token := &Token{User: last.User}
	for _, q := range queue[:ready] {
		s.mu.Lock()
		found := repo.pull(q.Number)
		s.mu.Unlock()
		p := s.merged(found, q.User, q.Onto, q.SHA)
		numbers = append(numbers, q.Number)
		events = append(events, s.pullEvent(repo, p, "closed", token))
	}
	s.refMoved(ctx, repo, token, move{"refs/heads/" + last.Base, before, last.SHA})
	s.emit(events...)
	return numbers, nil
}

func (s *Server) setRef(ctx context.Context, dir, ref, sha string) error {
	_, err := git.RunEnv(ctx, dir, s.o.Env, "update-ref", ref, sha)
	return err
}

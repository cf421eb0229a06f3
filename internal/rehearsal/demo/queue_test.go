package demo_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/demo"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// queueIsJudged puts a pull request into a merge queue. Its group runs the file
// of what would be merged, which holds no key; the default branch's file judges
// the group and reports as the App.
func queueIsJudged(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	client, err := door.New(door.Options{
		Token: s.GitHub.CreateToken(githubd.Token{User: "carol"}), APIURL: s.URLs().API, ServerURL: s.URLs().Server,
	})
	if err != nil {
		t.Fatal(err)
	}
	name := door.Repository{Owner: "acme", Name: "config"}
	repo := configrepo.NewGitHub(client, name)
	head, err := repo.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Commit(ctx, configrepo.Request{
		Branch: "notes", Parent: head, Message: "Notes",
		Changes: []configrepo.Change{{Path: "NOTES.md", Content: []byte("notes\n")}},
	}); err != nil {
		t.Fatal(err)
	}
	pull, err := client.OpenPull(ctx, name, door.NewPull{Title: "Notes", Head: "notes", Base: "main"})
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.GitHub.Runs("acme/config"))
	if err := s.GitHub.Enqueue(ctx, "acme/config", "bob", pull.Number); err != nil {
		t.Fatal(err)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	refs, err := git.RunEnv(
		ctx, s.GitHub.GitDir("acme/config"), rehearsal.Environment(os.Getenv), "for-each-ref", "--format=%(objectname)",
		"refs/heads/gh-readonly-queue/",
	)
	if err != nil || strings.Count(refs, "\n") != 0 || refs == "" {
		t.Fatalf("merge groups %q, %v", refs, err)
	}
	statuses := s.GitHub.Statuses("acme/config", refs)
	if len(statuses) != 1 || statuses[0].State != "success" || statuses[0].Creator != demo.MoveApp.Slug+"[bot]" {
		t.Errorf("statuses of the group: %+v", statuses)
	}
	var events []string
	for _, run := range s.GitHub.Runs("acme/config")[before:] {
		if run.Path == ".github/workflows/check.yml" {
			events = append(events, run.Event)
		}
	}
	if !slices.Contains(events, "merge_group") || !slices.Contains(events, "workflow_dispatch") {
		t.Errorf("check ran by %v", events)
	}
	if merged, err := s.GitHub.MergeQueue(ctx, "acme/config"); err != nil || !slices.Equal(merged, []int{pull.Number}) {
		t.Errorf("merged %v, %v", merged, err)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
}

package github_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// Where jobs may open no pull requests, which setup sees to and GitHub's own default is,
// the error says that an App may.
func TestJobsThatMayOpenNoPull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(token sandbox.Token) settings.Client {
		client, err := github.New(github.Options{APIURL: w.APIURL(), ServerURL: w.URL(), Token: w.CreateToken(token)})
		if err != nil {
			t.Fatal(err)
		}
		return settings.Of(client)
	}
	rights := map[string]string{"contents": "write", "pull-requests": "write"}
	owner, job := as(sandbox.Token{User: "owner"}), as(sandbox.Token{Job: true, Permissions: rights})
	if _, err := owner.CreateRef(t.Context(), repo, "refs/heads/change", w.topic); err != nil {
		t.Fatal(err)
	}
	if err := owner.SetJobRights(t.Context(), repo, settings.JobRights{Default: "read"}); err != nil {
		t.Fatal(err)
	}
	pull := github.NewPull{Title: "x", Head: "change", Base: "main"}
	if _, err := job.OpenPull(t.Context(), repo, pull); err == nil ||
		!strings.Contains(err.Error(), "GitHub Actions is not permitted to create or approve pull requests") ||
		!strings.Contains(err.Error(), "let a GitHub App act, with `app_id` and `app_key`; or allow it under Settings, Actions") {
		t.Errorf("a job's token: %v", err)
	}
	if err := owner.SetJobRights(t.Context(), repo, settings.JobRights{Default: "read", Approve: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := job.OpenPull(t.Context(), repo, pull); err != nil {
		t.Errorf("where it is allowed: %v", err)
	}
}

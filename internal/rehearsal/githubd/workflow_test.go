package githubd

import (
	"strings"
	"testing"
)

func TestWorkflowMatches(t *testing.T) {
	t.Parallel()
	push := func(ref string) Event { return Event{Name: "push", Ref: ref, SHA: "1"} }
	pull := func(base, action string) Event {
		return Event{Name: "pull_request", BaseRef: base, Action: action, SHA: "1"}
	}
	for _, test := range []struct {
		on    string
		event Event
		files string
		want  bool
	}{
		{"push", push("refs/heads/x"), "", true},
		{"push", push("refs/tags/v1"), "", true},
		{"[pull_request, push]", push("refs/heads/x"), "", true},
		{"[pull_request]", push("refs/heads/x"), "", false},
		{"push", Event{Name: "push", Ref: "refs/heads/x", SHA: zeroOID}, "", false}, // deleted
		{"{push: {branches: [main, 'release/**']}}", push("refs/heads/main"), "", true},
		{"{push: {branches: [main, 'release/**']}}", push("refs/heads/release/1/2"), "", true},
		{"{push: {branches: [main, 'release/*']}}", push("refs/heads/release/1/2"), "", false},
		{"{push: {branches: [main]}}", push("refs/tags/v1"), "", false},
		{"{push: {tags: ['v*']}}", push("refs/tags/v1.2"), "", true},
		{"{push: {tags: ['v*']}}", push("refs/heads/main"), "", false},
		{"{push: {branches: ['**', '!waybill/**']}}", push("refs/heads/waybill/prod/a"), "", false},
		{"{push: {branches-ignore: ['waybill/**']}}", push("refs/heads/waybill/prod/a"), "", false},
		{"{push: {branches-ignore: ['waybill/**']}}", push("refs/heads/main"), "", true},
		{"{push: {paths: ['apps/**/overlays/**']}}", push("refs/heads/main"), "README apps/a/overlays/dev/k.yaml", true},
		{"{push: {paths: ['apps/**']}}", push("refs/heads/main"), "README", false},
		{"{push: {paths-ignore: ['**.md']}}", push("refs/heads/main"), "docs/a.md README.md", false},
		{"{push: {paths-ignore: ['**.md']}}", push("refs/heads/main"), "docs/a.md main.go", true},
		{"{push: {paths: ['apps/**']}}", push("refs/tags/v1"), "README", true},
		{"pull_request", pull("main", "opened"), "", true},
		{"pull_request", pull("main", "synchronize"), "", true},
		{"pull_request", pull("main", "closed"), "", false},
		{"{pull_request: {types: [closed]}}", pull("main", "closed"), "", true},
		{"{pull_request: {types: closed}}", pull("main", "opened"), "", false},
		{"{pull_request: {branches: [main]}}", pull("other", "opened"), "", false},
		{"{repository_dispatch: {types: [built]}}", Event{Name: "repository_dispatch", Action: "built"}, "", true},
		{"{repository_dispatch: {types: [built]}}", Event{Name: "repository_dispatch", Action: "other"}, "", false},
		{"{workflow_dispatch: , schedule: [{cron: '1 2 * * *'}]}", Event{Name: "workflow_dispatch", Workflow: "w.yml"}, "", true},
		{"workflow_dispatch", Event{Name: "workflow_dispatch", Workflow: "other.yml"}, "", false},
		{"{pull_request_review: {types: [submitted, dismissed]}}", Event{Name: "pull_request_review", Action: "dismissed"}, "", true},
		{"{pull_request_review: {types: [submitted, dismissed]}}", Event{Name: "pull_request_review", Action: "edited"}, "", false},
		{"pull_request_review", Event{Name: "pull_request_review", Action: "edited"}, "", true},
		{"{issue_comment: {types: [created]}}", Event{Name: "issue_comment", Action: "edited"}, "", false},
		{"issue_comment", Event{Name: "issue_comment", Action: "created"}, "", true},
		{"{pull_request: {types: [created]}}", Event{Name: "issue_comment", Action: "created"}, "", false},
		{"{merge_group: {branches: [main]}}", Event{Name: "merge_group", Action: "checks_requested", BaseRef: "main"}, "", true},
		{"{merge_group: {branches: [main]}}", Event{Name: "merge_group", Action: "checks_requested", BaseRef: "other"}, "", false},
	} {
		w, err := ParseWorkflow(".github/workflows/w.yml", []byte("on: "+test.on+"\njobs: {}\n"))
		if err != nil {
			t.Errorf("%s: %v", test.on, err)
			continue
		}
		got, err := w.Matches(test.event, func() ([]string, error) { return strings.Fields(test.files), nil })
		if err != nil || got != test.want {
			t.Errorf("on: %s, event %+v: got %t, %v, want %t", test.on, test.event, got, err, test.want)
		}
	}
}

func TestParseWorkflow(t *testing.T) {
	t.Parallel()
	w, err := ParseWorkflow(
		"w.yml",
		[]byte("on: push\npermissions: read-all\nconcurrency: one\njobs:\n  a:\n    permissions: {}\n    steps: [{uses: x/y@v1}]\n  "+
			"b:\n    uses: ./.github/workflows/c.yml\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if w.Permissions["contents"] != "read" || w.Permissions["id-token"] != "" || w.Concurrency.Group != "one" ||
		w.Jobs["a"].Permissions == nil || len(*w.Jobs["a"].Permissions) != 0 ||
		w.Jobs["b"].Permissions != nil || w.Jobs["a"].Steps[0].Uses != "x/y@v1" || w.Name != "w.yml" {
		t.Errorf("%+v", w)
	}
	if _, err := ParseWorkflow("w.yml", []byte("on: [push\n")); err == nil || !strings.Contains(err.Error(), "read workflow w.yml") {
		t.Errorf("got %v", err)
	}
}

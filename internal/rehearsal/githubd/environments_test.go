package githubd

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// An environment's secrets are for the branches that it is limited to.
func TestEnvironmentAdmitsItsBranches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.SetEnvironment("acme/x", "waybill", "main", "release/*"); err != nil {
		t.Fatal(err)
	}
	if err := f.SetEnvironmentSecret("acme/x", "waybill", "KEY", "k"); err != nil {
		t.Fatal(err)
	}
	if err := f.SetEnvironmentVariable("acme/x", "waybill", "ID", "i"); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"refs/heads/main": "k", "refs/heads/release/1": "k", "refs/heads/topic": "", "refs/heads/mainly": "", "refs/tags/main": "",
		"refs/pull/1/merge":                        "",
		"refs/heads/gh-readonly-queue/main/pr-1-x": "", "": "",
	} {
		secrets, vars := f.RunVariables("acme/x", ref, []string{"waybill"})
		if secrets["KEY"] != want || (vars["ID"] == "i") != (want != "") {
			t.Errorf("%q: secret %q, variable %q, want secret %q", ref, secrets["KEY"], vars["ID"], want)
		}
	}
	if secrets, _ := f.RunVariables("acme/x", "refs/heads/main", nil); secrets["KEY"] != "" {
		t.Error("a job without the environment has its secret")
	}
}

// A status that is pinned to an App counts from that App alone, whoever comes
// after it.
func TestRequiredStatusOfAnApp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	repo := f.lookup("acme/x")
	repo.Required = []string{"waybill/check@acme-waybill"}
	app := f.CreateToken(Token{User: "acme-waybill[bot]", App: "acme-waybill", Permissions: map[string]string{"statuses": "write"}})
	job := f.CreateToken(Token{Job: true, Permissions: map[string]string{"statuses": "write"}})
	post := func(token, state string) {
		t.Helper()
		if status, body, _ := f.send(
			token, http.MethodPost, "statuses/"+f.topic, `{"state":"`+state+`","context":"waybill/check"}`,
		); status != 201 {
			t.Fatalf("%d %v", status, body)
		}
	}
	missing := func(want string) {
		t.Helper()
		f.mu.Lock()
		defer f.mu.Unlock()
		if got := repo.missingStatus(f.topic); got != want {
			t.Errorf("missing %q, want %q", got, want)
		}
	}
	post(f.token, "success") // a person
	post(job, "success")
	missing("waybill/check")
	post(app, "failure")
	post(f.token, "success")
	missing("waybill/check")
	post(app, "success")
	post(job, "failure")
	missing("")
}

// Changing the base is an edit: nothing but `edited` tells of it, and statuses
// stay with the commit.
func TestEditedBase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var events []Event
	f.OnEvent(func(e Event) { events = append(events, e) })
	f.git("update-ref", "refs/heads/mine", f.main)
	if status, body, _ := f.send(f.token, http.MethodPost, "pulls", `{"title":"t","head":"topic","base":"mine"}`); status != 201 {
		t.Fatalf("%d %v", status, body)
	}
	f.send(f.token, http.MethodPost, "statuses/"+f.topic, `{"state":"success","context":"ci"}`)
	if status, body, _ := f.send(f.token, http.MethodPatch, "pulls/1", `{"base":"nowhere"}`); status != 422 {
		t.Errorf("%d %v", status, body)
	}
	if status, body, _ := f.send(f.token, http.MethodPatch, "pulls/1", `{"base":"main"}`); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	last := events[len(events)-1]
	from := last.Payload["changes"].(map[string]any)["base"].(map[string]any)["ref"].(map[string]any)["from"]
	if last.Name != "pull_request" || last.Action != "edited" || last.BaseRef != "main" || from != "mine" {
		t.Errorf("event %+v", last)
	}
	if got := f.Statuses("acme/x", f.topic); len(got) != 1 || got[0].State != "success" {
		t.Errorf("statuses %+v", got)
	}
	defaults, err := ParseWorkflow("w", []byte("on: pull_request_target\n"))
	if err != nil {
		t.Fatal(err)
	}
	last.Name = "pull_request_target"
	if starts, _ := defaults.Matches(last, nil); starts {
		t.Error("a workflow that names no types hears of edits")
	}
}

// A deployment starts what listens to it, at the ref that it names; a job token
// starts nothing by one.
func TestDeploymentEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var events []Event
	f.OnEvent(func(e Event) { events = append(events, e) })
	ask := f.CreateToken(Token{User: "acme-ask[bot]", App: "acme-ask", Permissions: map[string]string{"deployments": "write"}})
	for ref, want := range map[string][2]string{"main": {"refs/heads/main", f.main}, f.topic: {"", f.topic}} {
		status, body, _ := f.send(ask, http.MethodPost, "deployments", `{"ref":"`+ref+`","task":"waybill-bump","payload":{"app":"a"}}`)
		last := events[len(events)-1]
		if status != 201 || last.Name != "deployment" || last.Ref != want[0] || last.SHA != want[1] || !last.StartsWorkflows() {
			t.Errorf("%s: %d %v, event %+v", ref, status, body, last)
		}
	}
	job := f.CreateToken(Token{Job: true, Permissions: map[string]string{"deployments": "write"}})
	if f.send(job, http.MethodPost, "deployments", `{"ref":"main"}`); events[len(events)-1].StartsWorkflows() {
		t.Error("a job token started a workflow by a deployment")
	}
	for _, request := range []string{
		"POST statuses/" + f.topic, "POST actions/workflows/w.yml/dispatches", "POST git/refs", "POST dispatches", "POST pulls",
		"POST issues/1/comments",
	} {
		method, path, _ := strings.Cut(request, " ")
		if status, _, header := f.send(ask, method, path, `{"ref":"main"}`); !slices.Contains([]int{403, 404}, status) ||
			status == 403 && header.Get("X-Accepted-Github-Permissions") == "" {
			t.Errorf("%s by a token that may only deploy: %d", request, status)
		}
	}
}

package githubd

import (
	"fmt"
	"strings"
	"testing"
)

// Issues are listed by state, creator and labels, newest first or the other way
// round, page by page, with the pull requests among them.
func TestListIssues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bob := f.CreateToken(Token{User: "bob"})
	for i, body := range []string{`{"title":"a","labels":["x","y"]}`, `{"title":"b","labels":["x"]}`, `{"title":"c"}`} {
		token := []string{f.token, bob, bob}[i]
		if status, answer, _ := f.send(token, "POST", "issues", body); status != 201 {
			t.Fatalf("%d %v", status, answer)
		}
	}
	if status, answer, _ := f.send(f.token, "POST", "pulls", `{"title":"p","head":"topic","base":"main"}`); status != 201 {
		t.Fatalf("%d %v", status, answer)
	}
	if status, answer, _ := f.send(
		f.token, "PATCH", "issues/2", `{"state":"closed","state_reason":"not_planned"}`,
	); status != 200 || answer.(map[string]any)["state_reason"] != "not_planned" || answer.(map[string]any)["closed_at"] == nil {
		t.Fatalf("%d %v", status, answer)
	}
	for query, want := range map[string]string{
		"": "4 3 1", "?state=all": "4 3 2 1", "?state=closed": "2", "?state=all&direction=asc": "1 2 3 4",
		"?state=all&labels=x": "2 1", "?state=all&labels=x,y": "1",
		"?state=all&creator=bob": "3 2", "?state=all&per_page=3": "4 3 2", "?state=all&per_page=3&page=2": "1",
	} {
		_, answer, _ := f.send(f.token, "GET", "issues"+query, "")
		var got []string
		for _, i := range answer.([]any) {
			entry := i.(map[string]any)
			got = append(got, fmt.Sprintf("%.0f", entry["number"]))
			if _, is := entry["pull_request"]; is != (entry["title"] == "p") {
				t.Errorf("%v", entry)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
	for _, bad := range []struct{ method, path, body string }{
		{"POST", "issues", `{"title":" "}`}, {"POST", "issues", `{"title":"` + strings.Repeat("x", 257) + `"}`},
		{"POST", "issues", `{"title":"t","body":"` + strings.Repeat("x", 65537) + `"}`},
		{"PATCH", "issues/1", `{"state":"gone"}`}, {"PATCH", "issues/1", `{"body":"` + strings.Repeat("x", 65537) + `"}`},
		{"GET", "issues?state=none", ""},
	} {
		if status, answer, _ := f.send(f.token, bad.method, bad.path, bad.body); status != 422 {
			t.Errorf("%s %s: %d %v", bad.method, bad.path, status, answer)
		}
	}
}

// What a job may do with issues is another permission than with pull requests.
func TestIssuePermissions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.send(f.token, "POST", "issues", `{"title":"a"}`)
	f.send(f.token, "POST", "pulls", `{"title":"p","head":"topic","base":"main"}`)
	issues := f.CreateToken(Token{Job: true, Permissions: map[string]string{"issues": "write"}})
	pulls := f.CreateToken(Token{Job: true, Permissions: map[string]string{"pull-requests": "write"}})
	for _, w := range []struct {
		token, method, path, body string
		want                      int
	}{
		{issues, "POST", "issues/1/comments", `{"body":"x"}`, 201}, {issues, "POST", "issues/2/comments", `{"body":"x"}`, 403},
		{issues, "POST", "issues/1/labels", `["x"]`, 200}, {issues, "PATCH", "issues/1", `{"title":"b"}`, 200},
		{pulls, "POST", "issues/1/comments", `{"body":"x"}`, 403}, {pulls, "POST", "issues/2/comments", `{"body":"x"}`, 201},
		{pulls, "PATCH", "issues/1", `{"title":"b"}`, 403}, {pulls, "POST", "issues", `{"title":"b"}`, 403},
		{pulls, "GET", "issues", "", 403},
		{issues, "GET", "issues/9", "", 404},
	} {
		if status, answer, _ := f.send(w.token, w.method, w.path, w.body); status != w.want {
			t.Errorf("%s %s: %d, want %d: %v", w.method, w.path, status, w.want, answer)
		}
	}
}

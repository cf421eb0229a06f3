package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// sees is told of each request that a command makes of GitHub from now on, before it is
// served.
func (w *infraWorld) sees(request func(what, body string)) {
	w.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		request(r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api"), string(body))
		w.github.ServeHTTP(out, r)
	}))
	w.t.Cleanup(server.Close)
	w.env["GITHUB_API_URL"] = strings.Replace(w.env["GITHUB_API_URL"], w.github.URL(), server.URL, 1)
}

// counted counts what a command asks of GitHub from now on. atMost fails where it
// was more than that, and begins again.
func (w *infraWorld) counted() (atMost func(what string, most int)) {
	w.t.Helper()
	var lock sync.Mutex
	var asked []string
	w.sees(func(what, _ string) {
		lock.Lock()
		defer lock.Unlock()
		asked = append(asked, what)
	})
	return func(what string, most int) {
		w.t.Helper()
		lock.Lock()
		defer lock.Unlock()
		if asked, n := strings.Join(asked, "\n  "), len(asked); n > most || n == 0 {
			w.t.Errorf("%s: %d requests, want at most %d:\n  %s", what, n, most, asked)
		} else {
			w.t.Logf("%s: %d requests:\n  %s", what, n, asked)
		}
		asked = nil
	}
}

// Every document is read once, whatever decides by it: the team's membership and
// what is written are among the requests.
func TestRequestsBeforeTheMerge(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open("ada", note)
	atMost := w.counted()
	f := w.plan()
	atMost("plan", 4)
	w.approve("bob", f)
	code, _, words := w.gate("--comment=false")
	w.wants("gate", code, 0, words, "approved by bob")
	atMost("gate", 6)
	job := w.env["GITHUB_TOKEN"]
	w.env["GITHUB_TOKEN"] = w.token("dan")
	code, _, words = w.gate("--status", "--comment", "--checkout", w.clone)
	w.wants("gate", code, 0, words, "approved by bob")
	atMost("gate with its status and comment", 8)
	w.env["GITHUB_TOKEN"] = job
	w.event("issue_comment", map[string]any{
		"action": "created", "issue": map[string]any{"number": 1, "pull_request": map[string]any{}},
		"comment": map[string]any{"body": "/apply", "user": map[string]any{"login": "dan"}},
	})
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
	atMost("apply by a comment", 14) // two hold the root until the merge, two look again right before
}

func TestRequestsAfterTheMerge(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	before := w.git(w.clone, "rev-parse", "origin/main")
	w.pushed(before, w.merge())
	w.onMain()
	atMost := w.counted()
	code, _, words := w.run("apply", "--checkout", w.clone)
	w.wants("apply", code, 0, words, "infra/prod: applied")
	atMost("apply after a push", 13) // one looks again right before
}

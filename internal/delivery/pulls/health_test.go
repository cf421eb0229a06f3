package pulls_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// What counts is what was said last of the deployment's commit and of those after
// it, until another digest takes the place.
func TestSaid(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	const status = "argocd/demo-api-dev"
	say := func(sha, context, state string) time.Time {
		t.Helper()
		r.Clock.Pass(time.Minute)
		if err := r.API.SetStatus(t.Context(), r.Name, sha, github.Status{
			Context: context, State: state, Description: state + "!",
		}); err != nil {
			t.Fatal(err)
		}
		return r.Clock.Now()
	}
	said := func(want rules.Said, period history.Period) {
		t.Helper()
		head, err := r.Head(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Said(t.Context(), head, status, period)
		if err != nil || got.State != want.State || got.Description != want.Description || !got.Since.Equal(want.Since) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	before := r.Write(t, "main", "before", map[string]string{"a": "0\n"})
	say(before, status, "success")
	deployed := r.Write(t, "main", "deployed", map[string]string{"a": "1\n"})
	period := history.Period{Commit: deployed}
	said(rules.Said{}, period)
	say(deployed, "another/status", "success")
	said(rules.Said{}, period)
	at := say(deployed, status, "pending")
	said(rules.Said{State: "pending", Description: "pending!", Since: at}, period)
	healthy := say(deployed, status, "success")
	later := r.Write(t, "main", "later", map[string]string{"b": "1\n"})
	say(later, status, "success")
	said(rules.Said{State: "success", Description: "success!", Since: healthy}, period) // without a break
	behind := *r
	behind.Requests = nil // written in the directory, which is faster
	for n := range 101 {
		behind.Write(t, "main", "many", map[string]string{"c": time.Duration(n).String() + "\n"})
	}
	said(rules.Said{State: "success", Description: "success!", Since: healthy}, period) // that one alone is asked for
	latest := r.Write(t, "main", "another digest", map[string]string{"a": "2\n"})
	period.Until = r.Clock.Now()
	sick := say(latest, status, "failure")
	said(rules.Said{State: "success", Description: "success!", Since: healthy}, period)
	said(rules.Said{State: "failure", Description: "failure!", Since: sick}, history.Period{Commit: latest})
	if err := r.Server.AddFault(sandbox.Fault{Method: "POST", Path: "/graphql", Status: 502, Count: 100}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Said(t.Context(), latest, status, period); err == nil {
		t.Errorf("trouble was taken for an answer: %+v", got)
	}
}

// That a later commit was not healthy for a while, and is again, is a break: what it had
// last does not say so.
func TestSaidOfALaterCommit(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	const status = "argocd/demo-api-dev"
	say := func(sha, state string) time.Time {
		t.Helper()
		r.Clock.Pass(time.Minute)
		if err := r.API.SetStatus(t.Context(), r.Name, sha, github.Status{Context: status, State: state}); err != nil {
			t.Fatal(err)
		}
		return r.Clock.Now()
	}
	deployed := r.Write(t, "main", "deployed", map[string]string{"a": "1\n"})
	first := say(deployed, "success")
	since := func(what string, want time.Time, until time.Time) {
		t.Helper()
		head, err := r.Head(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Said(t.Context(), head, status, history.Period{Commit: deployed, Until: until})
		if err != nil || got.State != "success" || !got.Since.Equal(want) {
			t.Errorf("%s: got %+v, %v, want %s", what, got, err, want)
		}
	}
	later := r.Write(t, "main", "later", map[string]string{"b": "1\n"})
	say(later, "pending")
	early := say(later, "success")
	since("it was only synced", first, time.Time{})
	say(later, "failure")
	again := say(later, "success")
	since("it was not healthy", again, time.Time{})
	since("it was, while the digest ran", first, early)
	// What was read of a commit is not read again for the next application.
	f.Statuses = new(sync.Map)
	since("anew", again, time.Time{})
	r.Requests.Take()
	since("once more", again, time.Time{})
	if n, list := r.Requests.Take(); strings.Contains(list, "/statuses") {
		t.Errorf("%d requests: %s", n, list)
	}
}

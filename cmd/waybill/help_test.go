package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
)

// help is the job that a comment starts which asks for help.
func (w *infraWorld) help(user, body string) (code int, words string) {
	w.t.Helper()
	w.event("issue_comment", commentEvent(1, user, body))
	defer func() {
		for _, key := range []string{"GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY"} {
			delete(w.env, key)
		}
	}()
	// The job has no secret.
	for _, name := range []string{"WAYBILL_INPUT_SEAL_KEY", "WAYBILL_INPUT_TEAM_TOKEN", "TF_VAR_password"} {
		value := w.env[name]
		delete(w.env, name)
		defer func() { w.env[name] = value }()
	}
	code, _, words = w.run("gate", "--answer-help")
	return code, words
}

// anyClaim is what the plan comment of #1 claims, wherever it stands.
func (w *infraWorld) anyClaim() comment.Claim {
	w.t.Helper()
	for _, c := range w.github.Pulls("acme/infra")[0].Comments {
		if claim, is := comment.ReadClaim(c); is {
			return claim
		}
	}
	w.t.Fatal("there is no plan")
	return comment.Claim{}
}

func (w *infraWorld) answers() (found []string) {
	for _, c := range w.github.Pulls("acme/infra")[0].Comments {
		if strings.HasPrefix(c, "<!-- waybill:help ") {
			found = append(found, c)
		}
	}
	return found
}

// Who may write is told which comments there are and how the plan stands; nobody else is
// answered, and the same request never twice.
func TestHelp(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	w.github.SetPermission("acme/infra", "eve", "read")
	code, words := w.help("ada", "/help")
	w.wants("help", code, 0, words)
	w.wants("before a plan", 0, 0, strings.Join(w.answers(), "\n"), "^<!-- waybill:help 1 -->\n@ada: these comments ask for something",
		"| `/plan DIR WORKSPACE` |", "| `/unlock DIR LOCK` |", "There is no plan of `[0-9a-f]{7}`")
	w.plan("--changed-since", "origin/main")
	w.postAs(w.jobToken, strings.Replace(movedComment, "infra/prod", "infra/two", 1))
	for range 2 {
		code, words = w.help("ada", "/waybill help\nplease")
		w.wants("help", code, 0, words)
	}
	claim := w.anyClaim()
	answer := strings.Join(w.answers(), "\n")
	w.wants("after a plan", 0, 0, answer, `\*\*Plan\*\* `+"`"+claim.Fingerprint.Short()+"`", "The gate has not reported on it",
		"`infra/one` \\| `"+claim.Parts[0].Short()+"` \\| changes \\| `infra-one`", "`infra/two` .* changes; ⚠️ the state of infra/two moved to serial 7",
		"1 of acme/dba or dan for `infra/one`")
	if got := w.answers(); len(got) != 1 {
		t.Errorf("one comment has %d answers", len(got))
	}
	head := claim.Head
	w.api("dan", "POST", "/repos/acme/infra/statuses/"+head,
		`{"context":"waybill/gate","state":"pending","description":"onto main@0123456789: needs <b>@acme/dba</b>"}`)
	w.help("ada", "/help")
	w.wants("with a status", 0, 0, strings.Join(w.answers(), "\n"), `The gate reported \*pending\*: needs`)
	if strings.Contains(strings.Join(w.answers(), ""), "<b>") || strings.Contains(strings.Join(w.answers(), ""), " @acme") {
		t.Errorf("words of a status leave their place: %s", w.answers())
	}
	w.push("ada", map[string]string{"README.md": "x\n"})
	w.help("ada", "/help")
	w.wants("after a push", 0, 0, strings.Join(w.answers(), "\n"), "The plan is of an earlier commit")
}

// What is no request of somebody who may write is answered by nothing.
func TestHelpIsNotForEverybody(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.github.SetPermission("acme/infra", "eve", "read")
	w.github.SetPermission("acme/infra", "stranger", "none")
	w.open("ada", note)
	for _, c := range []struct{ user, body, says string }{
		{"eve", "/help", "eve has no write access to acme/infra, so /help was ignored"},
		{"stranger", "/help", "stranger has no write access"},
		{"ada", "/helpful", "does not ask for help"},
		{"ada", "please /help", "does not ask for help"},
		{"ada", "<!-- waybill:help 1 -->\n/help", "does not ask for help"},
	} {
		code, words := w.help(c.user, c.body)
		w.wants(fmt.Sprint(c), code, 3, words, c.says)
	}
	event := commentEvent(1, "ada", "/help")
	event["action"] = "edited"
	w.event("issue_comment", event)
	code, _, words := w.run("gate", "--answer-help")
	w.wants("edited", code, 3, words, "the comment was edited: only a new one asks")
	event = commentEvent(1, "ada", "/help")
	delete(event, "comment")
	w.event("issue_comment", event)
	code, _, words = w.run("gate", "--answer-help")
	w.wants("no comment", code, 2, words, "--answer-help is for the job that a comment starts")
	if got := w.answers(); len(got) > 0 {
		t.Errorf("somebody was answered: %s", got)
	}
}

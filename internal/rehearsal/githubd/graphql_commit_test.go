package githubd

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A commit on a branch is made where the branch is, or not at all.
func TestCreateCommitOnBranch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	send := func(branch, head, changes string) string {
		_, body, _ := f.send(f.token, http.MethodPost, "/api/graphql",
			`{"query":"mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }",`+
				`"variables":{"input":{"branch":{"repositoryNameWithOwner":"acme/x","branchName":"`+branch+`"},"expectedHeadOid":"`+
				head+`","message":{"headline":"one","body":"two"},"fileChanges":{`+changes+`}}}}`)
		return fmt.Sprint(body)
	}
	const file = `"additions":[{"path":"n","contents":"eA=="},{"path":"a \"b\" ü\\c","contents":"eQ=="}]`
	for what, test := range map[string]struct{ branch, head, changes, want string }{
		"a branch that is elsewhere":   {"main", f.topic, file, "type:STALE_DATA"},
		"a branch that is not there":   {"none", f.main, file, "Reference does not exist"},
		"a deletion of what is not so": {"main", f.main, `"deletions":[{"path":"none"}]`, "requested for deletion which does not exist"},
	} {
		if got := send(test.branch, test.head, test.changes); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s", what, got)
		}
	}
	if f.git("rev-parse", "main") != f.main {
		t.Error("a refused commit moved main")
	}
	if got := send("main", f.main, file); !strings.Contains(got, f.git("rev-parse", "main")) || f.git("rev-parse", "main^") != f.main {
		t.Errorf("got %s", got)
	}
	if got := f.git("show", "main:n"); got != "x" {
		t.Errorf("the file holds %q", got)
	}
	if got := f.git("show", `main:a "b" ü\c`); got != "y" {
		t.Errorf("the file with an odd name holds %q", got)
	}
	if got := f.git("log", "-1", "--format=%an %ae %cn %B", "main"); got != "ada ada@users.noreply.github.com GitHub one\n\ntwo\n" {
		t.Errorf("the commit says %q", got)
	}
	if err := f.Protect("acme/x"); err != nil {
		t.Fatal(err)
	}
	if got := send("main", f.git("rev-parse", "main"), file); !strings.Contains(got, "rule violations") {
		t.Errorf("against the rules: got %s", got)
	}
}

package githubd

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// A release takes files while it is a draft, which only writers see, and none after.
func TestPublishedReleasesAreImmutable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	reader := f.CreateToken(Token{User: "bob", Repositories: []string{"acme/x"}, Permissions: map[string]string{"contents": "read"}})
	want := func(token, method, path, body string, code int, says string) map[string]any {
		t.Helper()
		status, got, _ := f.send(token, method, path, body)
		if status != code || !strings.Contains(fmt.Sprint(got), says) {
			t.Fatalf("%s %s: %d %v, want %d and %q", method, path, status, got, code, says)
		}
		m, _ := got.(map[string]any)
		return m
	}
	want(f.token, "POST", "releases", `{"name":"x"}`, 422, "missing_field")
	want(reader, "POST", "releases", `{"tag_name":"v1"}`, http.StatusForbidden, "not accessible")
	draft := fmt.Sprintf("releases/%.0f", want(f.token, "POST", "releases", `{"tag_name":"v1","draft":true}`, 201, "immutable:false")["id"])
	want(f.token, "GET", "releases/tags/v1", "", 404, "Not Found") // a draft has no tag yet
	want(reader, "GET", draft, "", 404, "Not Found")
	want(f.token, "POST", draft+"/assets", "x", 422, "missing_field")
	asset := fmt.Sprintf("releases/assets/%.0f", want(f.token, "POST", draft+"/assets?name=a", "one", 201, "sha256:7692c3ad3540bb")["id"])
	want(f.token, "POST", draft+"/assets?name=a", "two", 422, "already_exists")
	want(f.token, "DELETE", asset, "", 204, "")
	asset = fmt.Sprintf("releases/assets/%.0f", want(f.token, "POST", draft+"/assets?name=a", "two", 201, "size:3")["id"])
	want(f.token, "PATCH", draft, `{"draft":false}`, 422, "push it first")
	f.git("update-ref", "refs/tags/v1", f.main)
	want(f.token, "PATCH", draft, `{"draft":false}`, 200, "immutable:true")
	want(reader, "GET", "releases/tags/v1", "", 200, "name:a")
	want(f.token, "POST", draft+"/assets?name=b", "x", 422, "Cannot upload assets to an immutable release")
	want(f.token, "DELETE", asset, "", 422, "immutable release")
	want(f.token, "POST", "releases", `{"tag_name":"v1","draft":true}`, 422, "already_exists")
	files, isDraft := f.Assets("acme/x", "v1")
	if data, err := os.ReadFile(files["a"]); string(data) != "two" || err != nil || isDraft || len(files) != 1 {
		t.Errorf("the release holds %v, draft %v: %q %v", files, isDraft, data, err)
	}
}

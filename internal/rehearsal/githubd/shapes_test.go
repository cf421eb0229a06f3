package githubd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
)

type shapes struct {
	Endpoints []struct {
		Route, Shape, Docs string
		Status             int
	}
	Shapes map[string]map[string]string
}

func readShapes(t *testing.T) *shapes {
	t.Helper()
	data, err := os.ReadFile("testdata/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var s shapes
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// fits says where the value departs from the shape.
func (s *shapes) fits(kind, at string, v any) (wrong []string) {
	bad := func() []string { return []string{fmt.Sprintf("%s is %T %.60v, want %s", at, v, v, kind)} }
	if optional, ok := strings.CutSuffix(kind, "?"); ok {
		if v == nil {
			return nil
		}
		kind = optional
	}
	if name, ok := strings.CutPrefix(kind, "@"); ok {
		m, isObject := v.(map[string]any)
		if !isObject {
			return bad()
		}
		if s.Shapes[name] == nil {
			return []string{"there is no shape " + name}
		}
		for field, fieldKind := range s.Shapes[name] {
			value, present := m[field]
			if !present {
				wrong = append(wrong, at+" lacks "+field)
				continue
			}
			wrong = append(wrong, s.fits(fieldKind, at+"."+field, value)...)
		}
		return wrong
	}
	if strings.HasPrefix(kind, "[") {
		list, isList := v.([]any)
		if !isList || len(list) == 0 && strings.Count(at, ".") == 0 {
			return bad() // an empty answer would prove nothing
		}
		for i, item := range list {
			wrong = append(wrong, s.fits("@"+strings.Trim(kind, "[]"), fmt.Sprintf("%s[%d]", at, i), item)...)
		}
		return wrong
	}
	ok := false
	switch v := v.(type) {
	case string:
		ok = kind == "string"
	case bool:
		ok = kind == "boolean"
	case float64:
		ok = kind == "integer" && v == float64(int64(v))
	case []any:
		ok = kind == "array"
	case map[string]any:
		ok = kind == "object"
	}
	if !ok {
		return bad()
	}
	return nil
}

// fixture is a server whose repository has something to show at every endpoint.
type fixture struct {
	*Server
	t     *testing.T
	token string
	main  string // commits
	topic string
	blob  string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"f": "content\n", ".github/CODEOWNERS": "* @acme/nobody\n", ".github/workflows/w.yml": "on: workflow_dispatch\njobs: {}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateRepository(t.Context(), Seed{Name: "acme/x", Dir: dir, Private: true, Required: []string{"ci"}}); err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: s, t: t, token: s.CreateToken(Token{User: "ada"})}
	f.main = f.git("rev-parse", "main")
	f.blob = f.git("rev-parse", "main:f")
	f.topic = f.git("commit-tree", f.treeWith("g", "main:f"), "-p", "main", "-m", "topic")
	f.git("update-ref", "refs/heads/topic", f.topic)
	f.git("update-ref", "refs/heads/spare", f.topic)
	return f
}

// treeWith is main's tree with one more file.
func (f *fixture) treeWith(name, blob string) string {
	f.t.Helper()
	out, err := git.Command{
		Dir: f.GitDir("acme/x"), Args: []string{"mktree"},
		Stdin: strings.NewReader(f.git("ls-tree", "main") + "\n100644 blob " + f.git("rev-parse", blob) + "\t" + name + "\n"),
	}.Output(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (f *fixture) git(args ...string) string {
	f.t.Helper()
	out, err := git.RunEnv(f.t.Context(), f.GitDir("acme/x"), f.identity("ada"), args...)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// send sends a request and gives status and decoded body.
func (f *fixture) send(token, method, path, body string) (int, any, http.Header) {
	f.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/api/v3/repos/acme/x" + strings.TrimSuffix("/"+path, "/")
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.URL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var decoded any
	if json.Unmarshal(data, &decoded) != nil {
		decoded = string(data)
	}
	return resp.StatusCode, decoded, resp.Header
}

// Every endpoint answers with the fields that GitHub's reference requires.
func TestShapes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, official := readShapes(t), readDescription(t)
	run := f.AddRun(Run{
		Repository: "acme/x", Path: ".github/workflows/w.yml", Workflow: "w", Event: "push", HeadSHA: f.main, HeadBranch: "main",
		Actor: "ada",
	})
	logFile := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(logFile, []byte("log"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.UpdateRun("acme/x", run.ID, func(r *Run) {
		r.Status, r.Conclusion, r.Log = "completed", "success", logFile
		r.Jobs = []RunJob{{
			Name: "j", Status: "completed", Conclusion: "success", Started: f.now(), Completed: f.now(),
			Steps: []RunStep{{"s", "success"}},
		}}
	})
	job := f.Runs("")[0].Jobs[0].ID
	f.fillSettings()
	f.git("update-ref", "refs/tags/v1", f.main)
	tree := f.git("rev-parse", "main^{tree}")
	type request struct{ route, path, body string }
	var comment, review, deployed, uploaded, released, asset string
	const sarif = "H4sIAAAAAAAA/6tWKirNK1ayio6tBQBMEuFiCwAAAA==" // {"runs":[]}
	const attested = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},"dsseEnvelope":` +
		`{"payloadType":"application/vnd.in-toto+json","payload":"eyJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiMTIifX1dfQ=="}}`
	requests := []request{ // in an order in which each one finds something
		{"GET ", "", ""}, {"GET /branches/{branch}", "branches/main", ""}, {"GET /git/ref/{ref...}", "git/ref/heads/main", ""},
		{"GET /git/matching-refs/{ref...}", "git/matching-refs/heads/ma", ""},
		{"POST /git/refs", "git/refs", `{"ref":"refs/heads/new","sha":"` + f.main + `"}`},
		{"PATCH /git/refs/{ref...}", "git/refs/heads/new", `{"sha":"` + f.topic + `"}`},
		{"DELETE /git/refs/{ref...}", "git/refs/heads/new", ""},
		{"GET /git/blobs/{sha}", "git/blobs/" + f.blob, ""}, {"POST /git/blobs", "git/blobs", `{"content":"eA==","encoding":"base64"}`},
		{"GET /git/trees/{sha}", "git/trees/" + f.main + "?recursive=1", ""},
		{"POST /git/trees", "git/trees", `{"base_tree":"` + tree + `","tree":[{"path":"g","mode":"100644","type":"blob","content":"x"}]}`},
		{"GET /git/commits/{sha}", "git/commits/" + f.topic, ""},
		{"POST /git/commits", "git/commits", `{"message":"m","tree":"` + tree + `","parents":["` + f.main + `"]}`},
		{"GET /commits", "commits?sha=topic", ""}, {"GET /commits/{rest...}", "commits/topic", ""},
		{"GET /compare/{basehead...}", "compare/main...topic", ""},
		{"GET /tarball/{ref...}", "tarball/main", ""}, {"GET /contents/{path...}", "contents/f", ""},
		{"POST /statuses/{sha}", "statuses/" + f.topic, `{"state":"success","context":"ci"}`},
		{"GET /commits/{rest...} status", "commits/topic/status", ""},
		{"GET /commits/{rest...} statuses", "commits/topic/statuses", ""},
		{"GET /commits/{rest...} check-runs", "commits/main/check-runs", ""},
		{"POST /deployments", "deployments", `{"ref":"main","task":"t","environment":"e","payload":{"a":"b"},"required_contexts":[]}`},
		{"GET /deployments/{id}", "deployments/DEPLOYMENT", ""}, {"GET /deployments", "deployments?task=t&environment=e", ""},
		{
			"POST /deployments/{id}/statuses", "deployments/DEPLOYMENT/statuses",
			`{"state":"success","description":"d","log_url":"https://x.example/log"}`,
		},
		{"GET /deployments/{id}/statuses", "deployments/DEPLOYMENT/statuses", ""},
		{"POST /pulls", "pulls", `{"title":"t","head":"topic","base":"main","body":"b"}`}, {"GET /pulls", "pulls", ""},
		{"GET /pulls/{n}", "pulls/1", ""}, {"GET /pulls/{n}/files", "pulls/1/files", ""},
		{"GET /collaborators/{user}/permission", "collaborators/bob/permission", ""}, {"PATCH /pulls/{n}", "pulls/1", `{"title":"t2"}`},
		{"POST /pulls/{n}/reviews", "pulls/1/reviews", `{"event":"COMMENT","body":"x"}`},
		{"GET /pulls/{n}/reviews", "pulls/1/reviews", ""}, {"GET /commits/{rest...} pulls", "commits/topic/pulls", ""},
		{"PUT /pulls/{n}/reviews/{id}", "pulls/1/reviews/REVIEW", `{"body":"y"}`},
		{"PUT /pulls/{n}/reviews/{id}/dismissals", "pulls/1/reviews/REVIEW/dismissals", `{"message":"m"}`},
		{"GET /activity", "activity", ""},
		{"POST /pulls/{n}/requested_reviewers", "pulls/1/requested_reviewers", `{"reviewers":["bob"],"team_reviewers":["platform"]}`},
		{"POST /issues/{n}/comments", "issues/1/comments", `{"body":"x"}`}, {"GET /issues/{n}/comments", "issues/1/comments", ""},
		{"PATCH /issues/comments/{id}", "issues/comments/COMMENT", `{"body":"y"}`},
		{"DELETE /issues/comments/{id}", "issues/comments/COMMENT", ""},
		{"POST /issues", "issues", `{"title":"t","body":"b","labels":["drift"]}`}, {"GET /issues", "issues?state=all", ""},
		{"GET /issues/{n}", "issues/2", ""}, {"PATCH /issues/{n}", "issues/2", `{"state":"closed"}`},
		{"POST /issues/{n}/labels", "issues/1/labels", `["prod","infra"]`}, {"GET /issues/{n}/labels", "issues/1/labels", ""},
		{"DELETE /issues/{n}/labels/{name}", "issues/1/labels/prod", ""},
		{"PUT /pulls/{n}/merge", "pulls/1/merge", `{}`},
		{"POST /actions/workflows/{file}/dispatches", "actions/workflows/w.yml/dispatches", `{"ref":"main"}`},
		{"GET /actions/workflows", "actions/workflows", ""},
		{"GET /actions/workflows/{file}/runs", "actions/workflows/w.yml/runs", ""},
		{"GET /actions/runs", "actions/runs", ""}, {"GET /actions/runs/{id}", fmt.Sprintf("actions/runs/%d", run.ID), ""},
		{"GET /actions/runs/{id}/jobs", fmt.Sprintf("actions/runs/%d/jobs", run.ID), ""},
		{"GET /actions/jobs/{id}/logs", fmt.Sprintf("actions/jobs/%d/logs", job), ""},
		{"POST /dispatches", "dispatches", `{"event_type":"x"}`},
		{"GET /rules/branches/{branch}", "rules/branches/main", ""},
		{"GET /rulesets/{id}", fmt.Sprintf("rulesets/%d", f.lookup("acme/x").ID), ""},
		{"GET /environments/{name}", "environments/waybill", ""},
		{"GET /environments/{name}/deployment-branch-policies", "environments/waybill/deployment-branch-policies", ""},
		{"GET /environments/{name}/secrets", "environments/waybill/secrets", ""},
		{"GET /environments/{name}/variables", "environments/waybill/variables", ""},
		{"GET /actions/secrets", "actions/secrets", ""}, {"GET /actions/variables", "actions/variables", ""},
		{"GET /actions/organization-secrets", "actions/organization-secrets", ""},
		{"GET /actions/organization-variables", "actions/organization-variables", ""},
		{"GET /codeowners/errors", "codeowners/errors", ""}, {"GET /actions/permissions/access", "actions/permissions/access", ""},
		{"GET /actions/permissions", "actions/permissions", ""},
		{"GET /actions/permissions/selected-actions", "actions/permissions/selected-actions", ""},
		{"PUT /actions/permissions/access", "actions/permissions/access", `{"access_level":"organization"}`},
		{"PUT /actions/permissions/workflow", "actions/permissions/workflow", `{"default_workflow_permissions":"read"}`},
		{"GET /actions/permissions/workflow", "actions/permissions/workflow", ""},
		{"GET /rulesets", "rulesets", ""}, {"DELETE /rulesets/{id}", fmt.Sprintf("rulesets/%d", f.lookup("acme/x").ID), ""},
		{"POST /rulesets", "rulesets", `{"name":"r","enforcement":"active","rules":[{"type":"deletion"},{"type":"required_status_checks",
			"parameters":{"strict_required_status_checks_policy":true,"required_status_checks":[{"context":"c"}]}}]}`},
		{"PUT /environments/{name}", "environments/new",
			`{"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`},
		{"POST /environments/{name}/deployment-branch-policies", "environments/new/deployment-branch-policies", `{"name":"main"}`},
		{"GET /environments/{name}/secrets/public-key", "environments/new/secrets/public-key", ""},
		{"PUT /environments/{name}/secrets/{secret}", "environments/new/secrets/S", f.sealed("s")},
		{"POST /environments/{name}/variables", "environments/new/variables", `{"name":"V","value":"v"}`},
		{"PATCH /environments/{name}/variables/{variable}", "environments/new/variables/V", `{"name":"V","value":"w"}`},
		{"DELETE /environments/{name}", "environments/new", ""}, {"GET /actions/secrets/public-key", "actions/secrets/public-key", ""},
		{"PUT /actions/secrets/{secret}", "actions/secrets/NEW", f.sealed("s")},
		{"POST /actions/variables", "actions/variables", `{"name":"NEW","value":"v"}`},
		{"PATCH /actions/variables/{variable}", "actions/variables/NEW", `{"name":"NEW","value":"w"}`},
		{
			"POST /code-scanning/sarifs", "code-scanning/sarifs",
			`{"commit_sha":"` + f.main + `","ref":"refs/heads/main","sarif":"` + sarif + `"}`,
		},
		{"POST /attestations", "attestations", `{"bundle":` + attested + `}`},
		{"GET /attestations/{digest}", "attestations/sha256:12", ""},
		{"GET /code-scanning/sarifs/{id}", "code-scanning/sarifs/SARIF", ""},
		{"POST /releases", "releases", `{"tag_name":"v1","name":"v1","draft":true}`}, {"GET /releases/{id}", "releases/RELEASE", ""},
		{"POST /releases/{id}/assets", "releases/RELEASE/assets?name=f", ""},
		{"GET /releases/assets/{id}", "releases/assets/ASSET", ""}, {"DELETE /releases/assets/{id}", "releases/assets/ASSET", ""},
		{"PATCH /releases/{id}", "releases/RELEASE", `{"draft":false}`}, {"GET /releases/tags/{tag}", "releases/tags/v1", ""},
	}
	asked := map[string]bool{}
	for _, r := range requests {
		method, path, _ := strings.Cut(r.route, " ")
		route := method + " /repos/{owner}/{repo}" + path
		asked[strings.Fields(route)[0]+" "+strings.Fields(route)[1]] = true
		found := false
		for _, e := range s.Endpoints {
			if e.Route != strings.TrimSuffix(route, " ") {
				continue
			}
			found = true
			address := strings.NewReplacer(
				"COMMENT", comment, "REVIEW", review, "DEPLOYMENT", deployed, "SARIF", uploaded, "RELEASE", released, "ASSET", asset,
			).Replace(r.path)
			status, body, _ := f.send(f.token, method, address, r.body)
			plain, _, _ := strings.Cut(address, "?")
			for _, wrong := range official.wrong(method, "/repos/acme/x/"+plain, status, r.body, body) {
				t.Errorf("%s: GitHub's description: %s", route, wrong)
			}
			if status != e.Status {
				t.Errorf("%s: status %d, want %d: %v", route, status, e.Status, body)
				continue
			}
			if e.Shape != "" {
				for _, wrong := range s.fits(e.Shape, "answer", body) {
					t.Errorf("%s: %s (%s)", route, wrong, e.Docs)
				}
			}
			if m, ok := body.(map[string]any); ok && r.route == "POST /issues/{n}/comments" {
				comment = fmt.Sprintf("%.0f", m["id"])
			} else if ok && r.route == "POST /deployments" {
				deployed = fmt.Sprintf("%.0f", m["id"])
			} else if ok && r.route == "POST /pulls/{n}/reviews" {
				review = fmt.Sprintf("%.0f", m["id"])
			} else if ok && r.route == "POST /code-scanning/sarifs" {
				uploaded = fmt.Sprint(m["id"])
			} else if ok && r.route == "POST /releases" {
				released = fmt.Sprintf("%.0f", m["id"])
			} else if ok && r.route == "POST /releases/{id}/assets" {
				asset = fmt.Sprintf("%.0f", m["id"])
			}
		}
		if !found {
			t.Errorf("%s: testdata/shapes.json does not know it", route)
		}
	}
	for _, endpoint := range f.endpoints {
		if !asked[endpoint] {
			t.Errorf("%s is served and not held against anything", endpoint)
		}
	}
	for _, r := range []request{{"", "pulls/99", ""}, {"", "actions/runs/7", ""}} {
		status, body, _ := f.send(f.token, "GET", r.path, "")
		if wrong := s.fits("@basic-error", "answer", body); status != 404 || len(wrong) > 0 {
			t.Errorf("%s: %d %v", r.path, status, wrong)
		}
	}
	status, body, _ := f.send(f.token, "POST", "pulls", `{"title":"t","head":"none","base":"main"}`)
	if wrong := s.fits("@validation-error", "answer", body); status != 422 || len(wrong) > 0 {
		t.Errorf("422: %d %v", status, wrong)
	}
}

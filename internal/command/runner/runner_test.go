package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/command/runner"
)

// job is a runner in a job whose file commands go to files of the test.
func job(t *testing.T, extra map[string]string) (r *runner.Runner, out *bytes.Buffer, file func(variable string) string) {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{"GITHUB_ACTIONS": "true"}
	for _, v := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		env[v] = filepath.Join(dir, v)
	}
	for k, v := range extra {
		env[k] = v
	}
	out = new(bytes.Buffer)
	return runner.New(func(name string) string { return env[name] }, out), out, func(variable string) string {
		data, err := os.ReadFile(env[variable])
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

// parseOutputs reads the file as the runner does.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs
func parseOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	outputs := make(map[string]string)
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" {
			continue
		}
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("line %q is no heredoc", lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		outputs[name] = strings.Join(value, "\n")
	}
	return outputs
}

func TestOutputsCannotBeForged(t *testing.T) {
	t.Parallel()
	r, _, file := job(t, nil)
	hostile := "x\n_GitHubActionsFileCommandDelimeter_\nallowed<<E\ntrue\nE\nEOF\nghadelimiter"
	for name, value := range map[string]string{"plain": "v", "lines": "a\nb\n", "hostile": hostile, "empty": ""} {
		if err := r.SetOutput(name, value); err != nil {
			t.Fatal(err)
		}
	}
	got := parseOutputs(t, file("GITHUB_OUTPUT"))
	if len(got) != 4 || got["plain"] != "v" || got["lines"] != "a\nb\n" || got["hostile"] != hostile {
		t.Errorf("read back %q", got)
	}
}

func TestDelimitersDiffer(t *testing.T) {
	t.Parallel()
	r, _, file := job(t, nil)
	for range 2 {
		if err := r.SetOutput("n", "v"); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(file("GITHUB_OUTPUT"), "\n")
	if lines[0] == lines[3] || len(lines[0]) < len("n<<")+32 {
		t.Errorf("delimiters %q and %q", lines[0], lines[3])
	}
}

func TestOutputNamesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r, _, _ := job(t, nil)
	for _, name := range []string{"", "a\nb", "a=b", "a<<b"} {
		if err := r.SetOutput(name, "v"); err == nil {
			t.Errorf("name %q was written", name)
		}
	}
}

func TestUnwritableFileIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	r, _, _ := job(t, map[string]string{"GITHUB_OUTPUT": filepath.Join(t.TempDir(), "no", "such", "dir")})
	if err := r.SetOutput("a", "b"); err == nil {
		t.Error("want an error")
	}
	broken := runner.New(func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }, failing{})
	if err := broken.Annotate(runner.Annotation{Level: runner.Notice, Message: "m"}); err == nil {
		t.Error("want an error of the broken stream")
	}
	if err := broken.Mask("secret"); err == nil {
		t.Error("a mask that was not written must not be silent")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAnnotationsAreEscaped(t *testing.T) {
	t.Parallel()
	r, out, _ := job(t, nil)
	err := r.Annotate(runner.Annotation{
		Level: runner.Failure, File: "a,b:c.yaml", Line: 3, Column: 7, Title: "t::x", Message: "one\n::add-mask::two%0A",
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(out.String(), "\n")
	if strings.Contains(text, "\n") || !strings.Contains(text, "one%0A::add-mask::two%250A") ||
		!strings.Contains(text, "file=a%2Cb%3Ac.yaml") || !strings.Contains(text, "line=3") || !strings.Contains(text, "col=7") {
		t.Errorf("command %q", text)
	}
}

func TestUntrustedTextCannotIssueCommands(t *testing.T) {
	t.Parallel()
	r, out, _ := job(t, nil)
	if err := r.Untrusted("::set-output name=x::y\n"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "::stop-commands::") ||
		lines[2] != "::"+strings.TrimPrefix(lines[0], "::stop-commands::")+"::" || len(lines[0]) < 40 {
		t.Errorf("log %q", lines)
	}
}

func TestMaskEachLine(t *testing.T) {
	t.Parallel()
	r, out, _ := job(t, nil)
	if err := r.Mask("first\n{\n second \n"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "::add-mask::first\n::add-mask::second\n" {
		t.Errorf("commands %q", got)
	}
}

func TestSummaryIsCutBelowTheLimit(t *testing.T) {
	t.Parallel()
	r, _, file := job(t, nil)
	if err := r.Summary("# first"); err != nil {
		t.Fatal(err)
	}
	if err := r.Summary(strings.Repeat("zeile mit ümlaut und 🚚\n", 60000)); err != nil {
		t.Fatal(err)
	}
	if err := r.Summary("not any more"); err != nil {
		t.Fatal(err)
	}
	got := file("GITHUB_STEP_SUMMARY")
	if len(got) > runner.SummaryLimit || !utf8.ValidString(got) || !strings.HasPrefix(got, "# first\n") ||
		!strings.Contains(got, "did not fit") {
		t.Errorf("%d bytes, valid %v, end %q", len(got), utf8.ValidString(got), got[len(got)-60:])
	}
}

func TestOutsideActionsNothingIsWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := runner.New(func(string) string { return "" }, &out)
	end := r.Group("x")
	end()
	for _, err := range []error{
		r.SetOutput("a", "b"), r.Mask("s"), r.Summary("m"),
		r.Annotate(runner.Annotation{Level: runner.Notice, Message: "m"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if out.Len() != 0 || r.Active() || r.Context().RunURL() != "" {
		t.Errorf("wrote %q", out.String())
	}
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("audience") != "sigstore" || r.Header.Get("Authorization") != "Bearer request-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"value":"the-token"}`)
	}))
	t.Cleanup(server.Close)
	r, out, _ := job(t, map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
	})
	token, err := r.IDToken(t.Context(), "sigstore")
	if err != nil || token != "the-token" {
		t.Errorf("%q %v", token, err)
	}
	if !strings.Contains(out.String(), "::add-mask::the-token") {
		t.Error("the token is not masked")
	}
	without, _, _ := job(t, nil)
	if _, err := without.IDToken(context.Background(), "sigstore"); !errors.Is(err, runner.ErrNoIdentity) {
		t.Errorf("error %v", err)
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(
		path, []byte(`{"pull_request":{"number":7,"head":{"sha":"h"},"base":{"ref":"main"}},"inputs":{"app":"x"}}`), 0o600,
	); err != nil {
		t.Fatal(err)
	}
	r, _, _ := job(t, map[string]string{"GITHUB_EVENT_PATH": path})
	event, err := r.Event()
	if err != nil || event.PullRequest == nil || event.PullRequest.Number != 7 || event.PullRequest.Base.Ref != "main" ||
		event.Inputs["app"] != "x" {
		t.Errorf("%+v %v", event, err)
	}
}

// Who may see the repository is in the event, in either of two forms.
func TestVisibilityOfAnEvent(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{"repository": {"private": true, "visibility": "internal"}}`: "internal",
		`{"repository": {"private": true}}`:                           "private",
		`{"repository": {"private": false, "visibility": "public"}}`:  "public",
		`{"repository": {}}`: "",
		`{}`:                 "",
	} {
		file := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
			t.Fatal(err)
		}
		r, _, _ := job(t, map[string]string{"GITHUB_EVENT_PATH": file})
		if event, err := r.Event(); err != nil || event.Visibility() != want {
			t.Errorf("%s: %q, %v, want %q", payload, event.Visibility(), err, want)
		}
	}
}

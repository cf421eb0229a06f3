package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
)

// --debug says method, address, status and duration of each request, and no
// header, body or query. Without it nothing is said.
func TestDebugSaysRequestsWithoutSecrets(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Answer", "header-secret")
		http.Error(w, "body-secret", http.StatusTeapot)
	}))
	t.Cleanup(web.Close)
	ask := func(call *cli.Call) error {
		address := strings.Replace(web.URL, "://", "://user:user-secret@", 1) + "/v2/acme?token=query-secret#fragment-secret"
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader("sent-secret"))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer token-secret")
		response, err := call.Traced(http.DefaultTransport).RoundTrip(request)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	r := run(t, nil, ask, "verify", "img", "--debug")
	want := regexp.MustCompile(`^debug: PUT ` + regexp.QuoteMeta(web.URL) + `/v2/acme\?…: 418 in [0-9.]+m?s\n$`)
	if r.code != 0 || !want.MatchString(r.stderr) || strings.Contains(r.stderr+r.stdout, "secret") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
	if r := run(t, nil, ask, "verify", "img"); r.code != 0 || r.stderr != "" {
		t.Errorf("without --debug: exit %d, stderr %q", r.code, r.stderr)
	}
}

// Shells complete choices, and what waybill.yaml names.
func TestCompletion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}, {name: prod}]\napps: {backend: {image: ghcr.io/a/b, source: a/b}}\n"
	if err := os.WriteFile(filepath.Join(dir, "waybill.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := func(args ...string) (int, string) {
		var stdout, stderr strings.Builder
		never := func() cli.Func { return nil }
		program := cli.Program{Name: "waybill", Commands: map[string]cli.Func{"promote": never(), "hold": never(), "why": never(),
			"status": never(),
			"plan":   never(), "init": never(), "build": never()}}
		code := program.Run(t.Context(), cli.Process{Args: args, Getenv: func(string) string { return "" }, Stdout: &stdout,
			Stderr: &stderr})
		return code, stdout.String()
	}
	for words, want := range map[string]string{
		"hold --dir DIR --env": "dev\nprod\n:4\n", "hold --dir DIR --app": "backend\n:4\n", "promote --dir DIR --from": "dev\nprod\n:4\n",
		"hold --format": "text\njson\n:4\n", "why --dir DIR": "backend\n:4\n", "why --dir DIR backend": "dev\nprod\n:4\n",
		"why --dir DIR backend dev": ":4\n", "init": "app\nconfig\ninfra\n:4\n", "hold --dir DIR/none --env": ":4\n",
	} {
		args := append([]string{"__complete"}, strings.Fields(strings.ReplaceAll(words, "DIR", dir))...)
		if code, got := program(append(args, "")...); code != 0 || got != want {
			t.Errorf("%s: exit %d, %q, want %q", words, code, got, want)
		}
	}
	if _, help := program("--help"); !strings.Contains(help, "\nWhat runs, and why:\n  status ") ||
		!strings.Contains(help, "completion  Generate the autocompletion script") {
		t.Errorf("the help does not list completion: %s", help)
	}
}

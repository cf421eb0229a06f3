package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func writeFile(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each write names the permission that its token lacks, and GitHub's words.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, w.client(t))
	ctx := t.Context()
	zero := strings.Repeat("0", 40)
	for want, do := range map[string]func(c *github.Client) error{
		"pull-requests: write": func(c *github.Client) error {
			_, err := c.OpenPull(ctx, repo, github.NewPull{Title: "t", Head: "topic", Base: "main"})
			return err
		},
		"statuses: write": func(c *github.Client) error {
			return c.SetStatus(ctx, repo, w.main, github.Status{Context: "c", State: "success"})
		},
		"actions: write": func(c *github.Client) error { return c.Dispatch(ctx, repo, "bump.yml", "main", nil) },
		"security-events: write": func(c *github.Client) error {
			_, err := c.UploadSARIF(ctx, repo, w.main, "refs/heads/main", []byte(`{"runs":[]}`))
			return err
		},
		"contents: write": func(c *github.Client) error {
			_, err := c.CreateCommit(ctx, repo, "m", w.git(t, "rev-parse", "main^{tree}"), w.main)
			return err
		},
		"(the token needs contents: write)": func(c *github.Client) error { return c.UpdateRef(ctx, repo, "new", zero, w.main) },
		"pull-requests: read":               func(c *github.Client) error { _, err := c.Pull(ctx, repo, 1); return err },
	} {
		c := w.client(t, "contents: read")
		err := do(c)
		wantError(t, err, "GitHub answers 403 Forbidden: Resource not accessible by integration", want)
		var typed *github.Error
		if !errors.As(err, &typed) || typed.Status != http.StatusForbidden || !strings.Contains(want, typed.Permission) ||
			typed.Permission == "" {
			t.Errorf("want *Error with permission %s, got %#v", want, typed)
		}
	}
	if len(w.waits) != 0 {
		t.Errorf("a missing permission was retried after %v", w.waits)
	}
}

func TestWhatATokenMayNotSee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.clientWith(t, w.CreateToken(sandbox.Token{Job: true, Repositories: []string{"acme/other"}}))
	_, err := elsewhere.Repo(t.Context(), repo)
	wantError(
		t, err, "read repository acme/config: GitHub answers 404 Not Found (it does not exist, or it is private and the token may not see it)",
	)
	_, err = w.clientWith(t, "ghp_wrong").Repo(t.Context(), repo)
	wantError(t, err, "GitHub answers 401 Unauthorized: Bad credentials (the token is missing, expired or wrong: set GITHUB_TOKEN)")
	_, none := w.clientWith(t, "").Repo(t.Context(), repo)
	wantError(t, none, "no token was given: set GITHUB_TOKEN, as export GITHUB_TOKEN=$(gh auth token) does)")
	if strings.Contains(err.Error(), "ghp_wrong") {
		t.Errorf("the error holds the token: %v", err)
	}
}

func TestRepo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.client(t, "metadata: read").Repo(t.Context(), repo)
	if err != nil || got.DefaultBranch != "main" || !got.Private || got.URL != w.URL()+"/acme/config" || got.NodeID == "" {
		t.Errorf("%v %+v", err, got)
	}
}

// Rate limits: the header decides how long, and nothing waits without end.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	reset := func(w *world, in time.Duration) map[string]string {
		return map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(w.now.Add(in).Unix(), 10)}
	}
	secondary := `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`
	for name, test := range map[string]struct {
		fault func(w *world) sandbox.Fault
		waits []time.Duration // at least
		fails string
	}{
		"429 with Retry-After": {func(*world) sandbox.Fault {
			return sandbox.Fault{Status: 429, Headers: map[string]string{"Retry-After": "7"}}
		}, []time.Duration{7 * time.Second}, ""},
		"403 with Retry-After": {func(*world) sandbox.Fault {
			return sandbox.Fault{Status: 403, Headers: map[string]string{"Retry-After": "9"}}
		}, []time.Duration{9 * time.Second}, ""},
		"reset is near": {
			func(w *world) sandbox.Fault { return sandbox.Fault{Status: 403, Headers: reset(w, 30*time.Second)} },
			[]time.Duration{31 * time.Second}, "",
		},
		"reset is far": {
			func(w *world) sandbox.Fault { return sandbox.Fault{Status: 403, Headers: reset(w, time.Hour)} }, nil,
			"the rate limit ends at 13:00:01 UTC",
		},
		"secondary without headers": {
			func(*world) sandbox.Fault { return sandbox.Fault{Status: 403, Body: secondary} }, []time.Duration{time.Minute}, "",
		},
		"secondary, again and again": {
			func(*world) sandbox.Fault { return sandbox.Fault{Status: 403, Body: secondary, Count: 9} },
			[]time.Duration{time.Minute, 2 * time.Minute}, "the rate limit ends at",
		},
		"429 without headers, always": {
			func(*world) sandbox.Fault { return sandbox.Fault{Status: 429, Count: 9} },
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, "GitHub answers 429",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			fault := test.fault(w)
			fault.Path = "/statuses/"
			w.fault(t, fault)
			// A write that could not be repeated for other reasons: GitHub did not process it.
			err := w.client(t).SetStatus(t.Context(), repo, w.main, github.Status{Context: "c", State: "success"})
			if test.fails == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if test.fails != "" {
				wantError(t, err, test.fails)
			}
			if len(w.waits) != len(test.waits) {
				t.Fatalf("waits: got %v, want %v", w.waits, test.waits)
			}
			for i, least := range test.waits {
				if w.waits[i] < least || w.waits[i] > least+least/4+time.Second {
					t.Errorf("wait %d: got %v, want %v", i, w.waits[i], least)
				}
			}
		})
	}
}

// GraphQL says that a limit is reached with 200 and an error in the answer.
func TestGraphQLRateLimit(t *testing.T) {
	t.Parallel()
	for in, fails := range map[time.Duration]string{
		20 * time.Second: "",
		time.Hour: "move branch new of acme/config: GitHub answers 429 Too Many Requests: API rate limit exceeded (the rate " +
			"limit ends at 13:00:01 UTC",
	} {
		w := newWorld(t)
		w.fault(t, sandbox.Fault{Path: "/graphql$", Status: 200,
			Body:    `{"data":null,"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`,
			Headers: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(w.now.Add(in).Unix(), 10)}})
		err := w.client(t).UpdateRef(t.Context(), repo, "new", github.ZeroOID, w.main)
		if fails != "" {
			wantError(t, err, fails)
		} else if err != nil || len(w.waits) != 1 || w.waits[0] != in+time.Second {
			t.Errorf("limit that ends soon: %v, waits %v", err, w.waits)
		}
	}
}

// A limit that was hit once does not stop later requests by itself.
func TestRemainingZeroDoesNotBlockTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	far := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	w.fault(t, sandbox.Fault{
		Path: "/repos/acme/config$", Status: 200, Body: `{"default_branch":"main"}`,
		Headers: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": far},
	})
	for range 2 {
		if _, err := c.Repo(t.Context(), repo); err != nil {
			t.Fatal(err)
		}
	}
}

// Trouble whose outcome is unknown: reads and safe writes are repeated, others
// are not.
func TestServerErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	ctx := t.Context()
	w.open(t, c)
	for _, kind := range []sandbox.Fault{{Status: 502, Count: 2}, {Status: 503, Count: 1, Processed: true}, {Drop: true, Count: 2}} {
		for name, do := range map[string]func() error{
			"read":   func() error { _, err := c.Repo(ctx, repo); return err },
			"edit":   func() error { _, err := c.EditPull(ctx, repo, 1, "t", "b"); return err },
			"status": func() error { return c.SetStatus(ctx, repo, w.main, github.Status{Context: "c", State: "success"}) },
			"commit": func() error {
				_, err := c.CreateCommit(ctx, repo, "m", w.git(t, "rev-parse", "main^{tree}"), w.main)
				return err
			},
			"fast-forward": func() error { return c.FastForward(ctx, repo, "topic", w.topic) },
		} {
			kind.Path = "/api/"
			w.fault(t, kind)
			if err := do(); err != nil {
				t.Errorf("%s after %+v: %v", name, kind, err)
			}
		}
	}
	for name, do := range map[string]func() error{
		"dispatch": func() error { return c.Dispatch(ctx, repo, "bump.yml", "main", map[string]string{"image": "x"}) },
		"comment":  func() error { return c.Comment(ctx, repo, 1, "x") },
	} {
		w.fault(t, sandbox.Fault{Method: "POST", Path: "/api/", Status: 502, Processed: true})
		wantError(t, do(), "GitHub answers 502")
		_ = name
	}
	if got := len(w.Pulls("acme/config")[0].Comments); got != 1 {
		t.Errorf("%d comments, want the one that was carried out", got)
	}
	w.fault(t, sandbox.Fault{Path: "/api/", Status: 500, Count: 5})
	_, err := c.Repo(ctx, repo)
	wantError(t, err, "read repository acme/config: GitHub answers 500")
}

// The answer to opening a pull request is lost: it is found, not opened twice.
func TestLostAnswerToOpening(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sandbox.Fault{"502": {Status: 502, Processed: true}, "cut": {Drop: true, Processed: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			fault.Method, fault.Path = "POST", "/pulls$"
			w.fault(t, fault)
			if p := w.open(t, w.client(t)); p.Number != 1 {
				t.Errorf("got %+v", p)
			}
			if got := len(w.Pulls("acme/config")); got != 1 {
				t.Errorf("%d pull requests", got)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	waits := 0
	c, err := github.New(github.Options{
		Token: "ghp_secret", APIURL: "http://user:pass@127.0.0.1:1/api/v3",
		Sleep: func(context.Context, time.Duration) error { waits++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.FindPull(t.Context(), repo, "topic", "main")
	wantError(
		t, err, "find the pull request of acme/config from topic into main", "http://127.0.0.1:1/api/v3/repos/acme/config/pulls",
		"connection refused",
	)
	for _, secret := range []string{"ghp_secret", "user:pass", "pass", "state="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds %q: %v", secret, err)
		}
	}
	if waits != 4 {
		t.Errorf("%d retries, want 4", waits)
	}
	for _, bad := range []string{"api.github.com", "ftp://x", "http://u:secret@%zz"} {
		_, err := github.New(github.Options{APIURL: bad})
		wantError(t, err, "is not an http or https address (GITHUB_API_URL)")
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := github.New(github.Options{
		APIURL: w.APIURL(), Sleep: func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.fault(t, sandbox.Fault{Path: "/api/", Status: 503, Count: 9})
	if _, err := c.Repo(ctx, repo); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// The token goes to the API's host alone, not where a redirect leads.
func TestTokenStaysWithTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	seen := make(chan http.Header, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })}
	listener := listen(t)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	w.fault(t, sandbox.Fault{
		Path: "/tarball/", Status: 302,
		Headers: map[string]string{"Location": "http://" + listener.Addr().String() + "/archive?token=short"},
	})
	body, err := c.Tarball(t.Context(), repo, w.main)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	if got := (<-seen).Get("Authorization"); got != "" {
		t.Errorf("the token was sent to another host: %q", got)
	}
}

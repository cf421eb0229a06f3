package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)

func call(t *testing.T, handler http.Handler, method, target, body string, header ...string) (int, map[string]any) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if got := recorder.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: content type %q", method, target, got)
	}
	var answer map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %v in %q", method, target, err, recorder.Body)
	}
	return recorder.Code, answer
}

func fixed() time.Time { return start }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, target, body string
		status               int
		key, want            string
	}{
		"index":            {"GET", "/api", "", 200, "service", "backend"},
		"health":           {"GET", "/api/health", "", 200, "status", "ok"},
		"echo":             {"GET", "/api/echo?message=hello+world", "", 200, "message", "hello world"},
		"echo of nothing":  {"GET", "/api/echo", "", 400, "error", "the parameter message is missing"},
		"echo of too much": {"GET", "/api/echo?message=" + strings.Repeat("x", maxMessage+1), "", 400, "error", "the message is too long"},
		"elsewhere":        {"GET", "/", "", 404, "error", "there is nothing here"},
		"wrong method":     {"DELETE", "/api/tasks", "", 405, "error", "this method is not allowed here"},
		"task":             {"POST", "/api/tasks", `{"title": " write tests "}`, 201, "title", "write tests"},
		"task, no title":   {"POST", "/api/tasks", `{}`, 400, "error", "the task has no title"},
		"task, too long": {
			"POST", "/api/tasks", `{"title": "` + strings.Repeat("x", maxTitle+1) + `"}`, 400, "error", "the title is too long",
		},
		"task, not JSON": {
			"POST", "/api/tasks", `title`, 400, "error",
			"the body is not a task: invalid character 'i' in literal true (expecting 'r')",
		},
		"task, two":     {"POST", "/api/tasks", `{"title": "a"} {}`, 400, "error", "the body is not a task: more than one JSON value"},
		"task, unknown": {"POST", "/api/tasks", `{"name": "a"}`, 400, "error", `the body is not a task: json: unknown field "name"`},
		"task, too large": {
			"POST", "/api/tasks", `{"title": "` + strings.Repeat("x", maxBody) + `"}`, 413, "error", "the body is too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := call(t, newAPI("", fixed), test.method, test.target, test.body)
			if status != test.status || answer[test.key] != test.want {
				t.Errorf("got %d %v, want %d with %s %q", status, answer, test.status, test.key, test.want)
			}
		})
	}
}

func TestTasksAreKept(t *testing.T) {
	t.Parallel()
	handler := newAPI("", fixed)
	if _, answer := call(t, handler, "GET", "/api/tasks", ""); len(answer["tasks"].([]any)) != 0 {
		t.Errorf("tasks at the start: %v", answer)
	}
	for _, title := range []string{"first", "second"} {
		call(t, handler, "POST", "/api/tasks", `{"title": "`+title+`"}`)
	}
	_, answer := call(t, handler, "GET", "/api/tasks", "")
	tasks := answer["tasks"].([]any)
	if len(tasks) != 2 || tasks[1].(map[string]any)["title"] != "second" || tasks[1].(map[string]any)["id"] != 2.0 {
		t.Errorf("got %v", tasks)
	}
}

func TestTasksAreBounded(t *testing.T) {
	t.Parallel()
	var list taskList
	for range maxTasks {
		list.add("x", start)
	}
	if _, ok := list.add("one more", start); ok || len(list.all()) != maxTasks {
		t.Errorf("%d tasks", len(list.all()))
	}
}

func TestStatsAreProtected(t *testing.T) {
	t.Parallel()
	const path = "/api/protected/stats"
	for name, test := range map[string]struct {
		key    string
		header []string
		status int
	}{
		"right key":                  {"secret", []string{"x-api-key", "secret"}, 200},
		"wrong key":                  {"secret", []string{"x-api-key", "Secret"}, 401},
		"no key":                     {"secret", nil, 401},
		"no key configured":          {"", nil, 401},
		"empty key, none configured": {"", []string{"x-api-key", ""}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := call(t, newAPI(test.key, fixed), "GET", path, "", test.header...)
			if status != test.status {
				t.Errorf("got %d %v, want %d", status, answer, test.status)
			}
			if _, told := answer["tasks"]; told != (test.status == 200) {
				t.Errorf("the answer is %v", answer)
			}
		})
	}
}

func TestServeFinishesOpenRequests(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	entered := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-ctx.Done() // the service is told to stop while this request is open
		newAPI("", fixed).ServeHTTP(w, r)
	})
	served := make(chan error, 1)
	go func() { served <- serve(ctx, slog.New(slog.DiscardHandler), listener, handler) }()
	go func() { <-entered; stop() }()
	response, err := http.Get("http://" + listener.Addr().String() + "/api/health") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 200 || !strings.Contains(string(body), "ok") {
		t.Errorf("got %d %q, %v", response.StatusCode, body, err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

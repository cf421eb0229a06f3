package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	handler, err := newSite("dev")
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, target    string
		status            int
		contentType, want string
	}{
		"the page":       {"GET", "/", 200, "text/html", "<title>Shop</title>"},
		"its style":      {"GET", "/style.css", 200, "text/css", "body"},
		"its script":     {"GET", "/shop.js", 200, "text/javascript", "/api/tasks"},
		"settings":       {"GET", "/config.json", 200, "application/json", `{"environment":"dev"}`},
		"health":         {"GET", "/healthz", 200, "text/plain", "ok"},
		"the head":       {"HEAD", "/", 200, "text/html", ""},
		"nothing":        {"GET", "/nothing", 404, "text/html", "There is nothing here"},
		"a directory":    {"GET", "/site", 404, "text/html", "There is nothing here"},
		"a way out":      {"GET", "/../main.go", 404, "text/html", "There is nothing here"},
		"the not-found":  {"GET", "/404.html", 404, "text/html", "There is nothing here"},
		"another method": {"POST", "/", 405, "text/plain", "not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(t, test.method, test.target)
			if got.Code != test.status || !strings.HasPrefix(got.Header().Get("Content-Type"), test.contentType) ||
				!strings.Contains(got.Body.String(), test.want) {
				t.Errorf("got %d %v %q", got.Code, got.Header(), got.Body)
			}
			if test.method == http.MethodHead && got.Body.Len() != 0 {
				t.Errorf("the head has a body: %q", got.Body)
			}
			for name, value := range headers {
				if got.Header().Get(name) != value {
					t.Errorf("%s is %q", name, got.Header().Get(name))
				}
			}
		})
	}
}

func TestUnchangedPagesAreNotSentAgain(t *testing.T) {
	t.Parallel()
	tag := get(t, "GET", "/").Header().Get("ETag")
	if got := get(t, "GET", "/", "If-None-Match", tag); tag == "" || got.Code != http.StatusNotModified {
		t.Errorf("tag %q: got %d", tag, got.Code)
	}
	if other := get(t, "GET", "/style.css").Header().Get("ETag"); other == tag {
		t.Error("two pages have one tag")
	}
}

// What the policy of content forbids is not in the pages.
func TestNothingInline(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"/", "/nothing"} {
		body := get(t, "GET", name).Body.String()
		for _, forbidden := range []string{"<style", "style=", "onclick=", "<script>", "http://", "https://"} {
			if strings.Contains(body, forbidden) {
				t.Errorf("%s has %q", name, forbidden)
			}
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	environment := func(port string) func(string) string {
		return func(name string) string { return map[string]string{"PORT": port}[name] }
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, slog.New(slog.DiscardHandler), environment("0")); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), slog.New(slog.DiscardHandler), environment("99999")); err == nil ||
		!strings.Contains(err.Error(), "listen") {
		t.Errorf("got %v", err)
	}
}

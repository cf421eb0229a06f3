package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// Limits of what a request may hold.
const (
	maxBody    = 4 << 10
	maxTitle   = 200
	maxMessage = 1000
)

// api answers the endpoints under /api.
type api struct {
	key     string // for /api/protected; empty locks it
	now     func() time.Time
	started time.Time
	tasks   taskList
}

func newAPI(key string, now func() time.Time) http.Handler {
	a := &api{key: key, now: now, started: now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api", a.index)
	mux.HandleFunc("GET /api/health", a.health)
	mux.HandleFunc("GET /api/tasks", a.listTasks)
	mux.HandleFunc("POST /api/tasks", a.addTask)
	mux.HandleFunc("GET /api/echo", a.echo)
	mux.Handle("GET /api/protected/stats", a.protected(a.stats))
	return jsonErrors(mux)
}

func (a *api) index(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"service":   "backend",
		"endpoints": []string{"/api/health", "/api/tasks", "/api/echo?message=", "/api/protected/stats"},
	})
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) listTasks(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"tasks": a.tasks.all()})
}

func (a *api) addTask(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	var wanted struct {
		Title string `json:"title"`
	}
	err := decoder.Decode(&wanted)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	switch title := strings.TrimSpace(wanted.Title); {
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "the body is too large")
	case err != nil:
		refuse(w, http.StatusBadRequest, "the body is not a task: "+err.Error())
	case title == "":
		refuse(w, http.StatusBadRequest, "the task has no title")
	case len(title) > maxTitle:
		refuse(w, http.StatusBadRequest, "the title is too long")
	default:
		made, ok := a.tasks.add(title, a.now())
		if !ok {
			refuse(w, http.StatusInsufficientStorage, "there are too many tasks")
			return
		}
		reply(w, http.StatusCreated, made)
	}
}

func (a *api) echo(w http.ResponseWriter, r *http.Request) {
	message := r.URL.Query().Get("message")
	switch {
	case message == "":
		refuse(w, http.StatusBadRequest, "the parameter message is missing")
	case len(message) > maxMessage:
		refuse(w, http.StatusBadRequest, "the message is too long")
	default:
		reply(w, http.StatusOK, map[string]string{"message": message})
	}
}

func (a *api) stats(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"tasks":         len(a.tasks.all()),
		"uptimeSeconds": int(a.now().Sub(a.started).Seconds()),
		"go":            runtime.Version(),
		"platform":      runtime.GOOS + "/" + runtime.GOARCH,
	})
}

// protected lets a request through that carries the key. Without a key nobody
// gets through. Hashes are compared, so that neither content nor length of the
// key shows in the time it takes.
func (a *api) protected(next http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte(a.key))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("x-api-key")))
		if a.key == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			refuse(w, http.StatusUnauthorized, "the header x-api-key is missing or wrong")
			return
		}
		next(w, r)
	})
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone; nobody is left to tell
}

func refuse(w http.ResponseWriter, status int, reason string) {
	reply(w, status, map[string]string{"error": reason})
}

// jsonErrors answers what the mux would refuse in plain text as JSON.
func jsonErrors(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rec := &statusOnly{header: make(http.Header)}
		mux.ServeHTTP(rec, r)
		if allow := rec.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		if rec.status == http.StatusMethodNotAllowed {
			refuse(w, rec.status, "this method is not allowed here")
			return
		}
		refuse(w, http.StatusNotFound, "there is nothing here")
	})
}

type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// stateServer is terraform's http backend: a state and its lock.
// https://developer.hashicorp.com/terraform/language/backend/http
type stateServer struct {
	url string

	mu     sync.Mutex
	state  []byte
	lock   []byte
	strict bool // takes a state only from who holds the lock
}

func newStateServer(t *testing.T) *stateServer {
	t.Helper()
	s := &stateServer{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func lockID(lock []byte) string {
	var info struct{ ID string }
	_ = json.Unmarshal(lock, &info)
	return info.ID
}

func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch r.Method {
	case http.MethodGet:
		if s.state == nil {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(s.state)
	case http.MethodPost:
		if id := r.URL.Query().Get("ID"); s.strict && id != lockID(s.lock) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.state = body
	case "LOCK":
		if s.lock != nil {
			w.WriteHeader(http.StatusLocked)
			_, _ = w.Write(s.lock)
			return
		}
		s.lock = body
	case "UNLOCK":
		// Of a lock that is not its own, terraform sends no id to this backend.
		if id := lockID(body); id != "" && id != lockID(s.lock) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.lock = nil
	}
}

// steal puts somebody else's lock in the place of the one that is held.
func (s *stateServer) steal(strict bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strict = strict
	s.lock = []byte(`{"ID":"stolen-by-mallory","Operation":"OperationTypeApply","Who":"mallory@laptop","Version":"1.11.4","Created":"2026-11-20T12:00:00Z"}`)
}

func (s *stateServer) held() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lockID(s.lock)
}

func (s *stateServer) saved() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.state)
}

// root is the usual root with this backend, and a slow resource.
func (s *stateServer) root() map[string]string {
	backend := fmt.Sprintf(
		"backend \"http\" {\n    address        = %q\n    lock_address   = %q\n    unlock_address = %q\n  }", s.url, s.url, s.url,
	)
	return map[string]string{"infra/prod/main.tf": strings.Replace(infraRoot, `backend "local" {}`, backend, 1)}
}

// A lock that somebody broke meanwhile is said. Where the backend then does not
// take the state, it is kept sealed, and nowhere in the clear.
func TestLockLost(t *testing.T) {
	t.Parallel()
	for name, strict := range map[string]bool{"and the state is saved": false, "and the state is not taken": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newStateServer(t)
			w, _, end := begun(t, server.root(), map[string]string{"infra/prod/slow.tf": slow})
			server.steal(strict)
			if err := os.WriteFile(filepath.Join(w.clone, "infra/prod/go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			code, words := end()
			w.seen.WriteString(words)
			if !strict {
				w.wants(
					"apply", code, 1, words, "infra/prod: the state's lock was lost",
					"infra/prod: failed, 3 done; the state is at serial",
					"lock lost: it could not be given back: somebody broke it", "see that nobody else applied meanwhile",
				)
				w.noSecrets(secret)
				return
			}
			w.wants(
				"apply", code, 1, words, "infra/prod: the state could not be saved",
				"lock lost: the backend did not take the state",
				`the state that could not be saved, sealed: \S+\.infra-prod\.tfstate\.age`,
				"age --decrypt -i KEY, then terraform state push, in infra/prod", "Push that state first",
			)
			if _, err := os.Stat(filepath.Join(w.clone, "infra/prod/errored.tfstate")); err == nil {
				t.Error("the state is left in the clear")
			}
			w.noSecrets(secret)
			kept, err := filepath.Glob(filepath.Join(w.store, "*.infra-prod.tfstate.age"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("kept: %q %v", kept, err)
			}
			identities, err := age.ParseIdentities(strings.NewReader(w.key))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := age.Decrypt(strings.NewReader(read(t, kept[0])), identities...)
			if err != nil {
				t.Fatal(err)
			}
			if state, err := io.ReadAll(plain); err != nil || !strings.Contains(string(state), secret) ||
				!strings.Contains(string(state), `"first"`) {
				t.Errorf("the sealed state is %.200s %v", state, err)
			}
			if err := os.Remove(filepath.Join(w.clone, "infra/prod/go")); err != nil {
				t.Fatal(err)
			}
			code, _, words = w.apply()
			w.wants("apply again", code, 3, words, "somebody else holds the state's lock", "terraform force-unlock stolen-by-mallory")
		})
	}
}

// killed is an apply in a process of its own that has come to the slow resource,
// and the process id of its terraform.
func killed(t *testing.T, server *stateServer) (w *infraWorld, waybill *process.Server, terraform int) {
	t.Helper()
	seed := server.root()
	seed["waybill.yaml"] = execAllowed
	w = newInfraWorld(t, seed)
	w.open(
		"ada",
		map[string]string{"infra/prod/slow.tf": strings.Replace(
			slow, "touch started;", "echo $PPID > started.new; mv started.new started;", 1,
		)},
	)
	w.approve("bob", w.plan())
	env := []string{}
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	waybill, err := process.Command{
		Path: "waybill", Args: []string{"apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone}, Env: env,
		Stderr: w.seen,
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(waybill.Stop)
	started := filepath.Join(w.clone, "infra/prod/started")
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		select {
		case <-waybill.Done():
			t.Fatalf("apply ended before it was to: %s", w.seen)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if _, err := fmt.Sscan(read(t, started), &terraform); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(started); err != nil {
		t.Fatal(err)
	}
	return w, waybill, terraform
}

func (w *infraWorld) goOn() {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.clone, "infra/prod/go"), nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for something that another process does.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func TestApplyKilled(t *testing.T) {
	t.Parallel()
	t.Run("waybill alone", func(t *testing.T) {
		t.Parallel()
		server := newStateServer(t)
		w, waybill, _ := killed(t, server)
		if err := syscall.Kill(waybill.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-waybill.Done()
		// terraform goes on, and holds its lock.
		code, _, words := w.apply()
		w.wants(
			"apply meanwhile", code, 3, words,
			"somebody else holds the state's lock: another apply may be running, by lock .*; wait for it, then plan again. If that "+
				"process is dead, comment /unlock infra/prod "+server.held()+", or run `terraform force-unlock "+server.held()+
				"` in infra/prod",
		)
		w.goOn()
		until(t, "terraform ends", func() bool { return server.held() == "" })
		if !strings.Contains(server.saved(), `"slow"`) {
			t.Error("what terraform did after its parent's end is not in the state")
		}
		if err := os.Remove(filepath.Join(w.clone, "infra/prod/go")); err != nil {
			t.Fatal(err)
		}
		code, _, words = w.apply()
		w.wants("apply afterwards", code, 3, words, "infra/prod: state lineage was none when planned", "plan again")
	})
	t.Run("terraform too", func(t *testing.T) {
		t.Parallel()
		server := newStateServer(t)
		w, waybill, terraform := killed(t, server)
		for _, pid := range []int{waybill.PID(), terraform} {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		<-waybill.Done()
		w.goOn() // the provisioner's shell ends
		until(t, "the shell ends", func() bool { return os.Remove(filepath.Join(w.clone, "infra/prod/go")) == nil })
		if server.held() == "" {
			t.Fatal("there is no lock left")
		}
		code, _, words := w.apply()
		w.wants("apply afterwards", code, 3, words, "somebody else holds the state's lock", "terraform force-unlock "+server.held())
	})
	t.Run("waybill, gently", func(t *testing.T) {
		t.Parallel()
		server := newStateServer(t)
		w, waybill, _ := killed(t, server)
		if err := syscall.Kill(waybill.PID(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-waybill.Done()
		words := w.seen.String()
		var ended *process.Error
		if !errors.As(waybill.Err(), &ended) {
			t.Fatal(waybill.Err())
		}
		w.wants(
			"apply", ended.Code, 1, words, "infra/prod: interrupted", "not done: .*terraform_data.slow", "the state is at serial",
			"plan again, and approve what is left",
		)
		if server.held() != "" || !strings.Contains(server.saved(), `"first"`) {
			t.Errorf("the lock is %q, the state %s", server.held(), server.saved())
		}
		w.noSecrets(secret)
	})
}

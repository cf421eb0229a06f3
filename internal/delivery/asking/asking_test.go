package asking_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/asking"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

var question = asking.Question{Image: "ghcr.io/acme/backend@sha256:" + strings.Repeat("a", 64), App: "backend", Env: "dev"}

// conversation is an asker, and the config repository that takes up what it
// asks with respond; nil takes up nothing.
func conversation(t *testing.T, respond func(asking.Answering)) (asking.Asker, *configrepotest.Repo, *[]sandbox.Event) {
	t.Helper()
	r := configrepotest.GitHub(t, map[string]string{"README.md": "begin\n"})
	var events []sandbox.Event
	r.Server.OnEvent(func(e sandbox.Event) {
		events = append(events, e)
		if e.Name != "deployment" || respond == nil {
			return
		}
		id, _ := e.Payload["deployment"].(map[string]any)["id"].(int64)
		respond(asking.Answering{API: r.API, Repository: r.Name, Deployment: id, RunURL: "https://github.example/runs/1"})
	})
	return asking.Asker{
		API: r.API, Repository: r.Name, Branch: "main", Say: t.Logf, Within: time.Minute, Now: r.Clock.Now,
		Sleep: func(context.Context, time.Duration) { r.Clock.Pass(time.Second) },
	}, r, &events
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		err  error
		code int
		want string
	}{
		"done": {nil, outcome.Done, ""},
		"refused": {
			outcome.Refusedf("signature: nobody signed it\nand more"), outcome.Refused,
			"acme/config refused: signature: nobody signed it (see https://github.example/runs/1)",
		},
		"pending": {outcome.Pendingf("dev is frozen"), outcome.Pending, "acme/config says not yet: dev is frozen"},
		"usage":   {outcome.Usagef("no application %q", "x"), outcome.Broken, `the run of acme/config broke: no application "x"`},
		// What broke may hold anything: the asking run is only told where to look.
		"broken": {
			errors.New("token ghs_secret is bad"), outcome.Broken,
			"the run of acme/config broke: see the run (see https://github.example/runs/1)",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			asker, _, events := conversation(t, func(a asking.Answering) {
				if err := a.Begin(t.Context()); err != nil {
					t.Error(err)
				}
				if err := a.End(t.Context(), test.err); outcome.Code(err) != outcome.Code(test.err) {
					t.Errorf("answering ended with %v", err)
				}
			})
			answer, err := asker.Ask(t.Context(), question)
			if outcome.Code(err) != test.code || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want code %d, %q", err, test.code, test.want)
			}
			if answer.URL != "https://github.example/runs/1" {
				t.Errorf("answer %+v", answer)
			}
			asked := (*events)[0]
			payload := fmt.Sprint(asked.Payload["deployment"].(map[string]any)["payload"])
			if asked.Name != "deployment" || asked.Ref != "refs/heads/main" || !strings.Contains(payload, question.Image) {
				t.Errorf("asked by %+v", asked)
			}
		})
	}
}

// An answer that another deployment's success makes inactive would read as "not
// yet": none does, however many ask at once.
func TestAnswersKeepApart(t *testing.T) {
	t.Parallel()
	var earlier []asking.Answering
	asker, _, _ := conversation(t, func(a asking.Answering) { earlier = append(earlier, a) })
	asker.Within = 0
	for range 2 {
		_, _ = asker.Ask(t.Context(), question) // nobody answers yet
	}
	for _, a := range earlier {
		if err := a.End(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range earlier {
		got, err := a.API.DeploymentStatuses(t.Context(), a.Repository, a.Deployment)
		if err != nil || len(got) != 1 || got[0].State != "success" {
			t.Errorf("deployment %d: %+v, %v", a.Deployment, got, err)
		}
	}
}

func TestNobodyTakesTheQuestionUp(t *testing.T) {
	t.Parallel()
	asker, _, _ := conversation(t, nil)
	_, err := asker.Ask(t.Context(), question)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(
		err.Error(), "bump.yml on main must listen to `deployment` with the task waybill-bump",
	) {
		t.Errorf("got %v", err)
	}
}

// A run that was started has as long as the asker waits.
func TestAskerGivesUp(t *testing.T) {
	t.Parallel()
	asker, r, _ := conversation(t, func(a asking.Answering) { _ = a.Begin(t.Context()) })
	ctx, cancel := context.WithCancelCause(t.Context())
	asker.Sleep = func(context.Context, time.Duration) {
		if r.Clock.Pass(time.Minute); r.Clock.Now().Sub(configrepotest.Start) > 10*time.Minute {
			cancel(errors.New("out of patience"))
		}
	}
	_, err := asker.Ask(ctx, question)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(
		err.Error(), "https://github.example/runs/1: out of patience: the answer may still come",
	) {
		t.Errorf("got %v", err)
	}
}

// A run that is interrupted still answers.
func TestAnswerOutlivesItsRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asker, _, _ := conversation(t, func(a asking.Answering) {
		cancel()
		_ = a.End(ctx, fmt.Errorf("bump: %w", ctx.Err()))
	})
	if _, err := asker.Ask(t.Context(), question); err == nil || !strings.Contains(err.Error(), "broke: see the run") {
		t.Errorf("got %v", err)
	}
}

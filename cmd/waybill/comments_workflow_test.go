package main

import (
	"path/filepath"
	"strings"
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// ended are the conclusions of the runs of a workflow among some, and the jobs of them.
func ended(runs []sandbox.Run, file string) (conclusions, jobs []string) {
	for _, run := range runs {
		if filepath.Base(run.Path) != file {
			continue
		}
		conclusions = append(conclusions, run.Event+" "+run.Conclusion)
		for _, job := range run.Jobs {
			jobs = append(jobs, job.Name+" "+job.Conclusion)
		}
	}
	return conclusions, jobs
}

// The starter workflows take /plan DIR and /help of those who may write, with the real
// act and terraform.
func TestInfraComments(t *testing.T) {
	t.Parallel()
	w, states := workflowWorld(t, nil)
	w.open("ada", w.labels())
	w.idleFor(2)
	claim := w.planned()
	w.approve("nora", claim.Fingerprint)
	w.idleFor(4)
	w.comment("bob", "/plan infra/network")
	runs := w.idleFor(9)[4:]
	got, _ := ended(runs, "plan.yml")
	if strings.Join(got, ", ") != "issue_comment success, workflow_dispatch success" {
		t.Errorf("/plan infra/network: %s", got)
	}
	again := w.planned()
	if again.Fingerprint != claim.Fingerprint || again.Plan == claim.Plan || again.Planned.IsZero() {
		t.Errorf("planned again, it is %+v", again)
	}
	w.wants("the comment", 0, 0, w.github.Pulls("acme/infra")[0].Comments[0], "Planned again: `infra/network`. The plans of the other 1 root stand")
	if got := w.status(claim.Head); got != "pending: needs 1 of acme/platform for infra/service" {
		t.Errorf("nora's approval does not count any more: %s", got)
	}
	last := func() string {
		comments := w.github.Pulls("acme/infra")[0].Comments
		return comments[len(comments)-1]
	}
	w.comment("bob", "/plan infra/none")
	got, jobs := ended(w.idleFor(13)[9:], "plan.yml")
	if strings.Join(got, ", ") != "issue_comment success, workflow_dispatch success" ||
		strings.Contains(strings.Join(jobs, ", "), "gate success") {
		t.Errorf("/plan infra/none: %s, %s", got, jobs)
	}
	w.wants("the answer", 0, 0, last(), "@bob: nothing was planned", "infra/none is no root. The roots that it touches are: infra/network, infra/service")
	count := len(w.github.Pulls("acme/infra")[0].Comments)
	for i, c := range []struct{ user, body string }{{"bob", "/planet"}, {"eve", "/plan infra/network"}, {"eve", "/help"}} {
		w.comment(c.user, c.body)
		runs := w.idleFor(16 + 3*i)[13+3*i:]
		_, planned := ended(runs, "plan.yml")
		if jobs := strings.Join(planned, ", "); jobs != "" && jobs != "asked failure" {
			t.Errorf("%s of %s: %s", c.body, c.user, jobs)
		}
	}
	if now := len(w.github.Pulls("acme/infra")[0].Comments); now != count+3 {
		t.Errorf("somebody is answered: %s", w.github.Pulls("acme/infra")[0].Comments[count:])
	}
	w.comment("bob", "/help")
	_, jobs = ended(w.idleFor(25)[22:], "gate.yml")
	if strings.Join(jobs, ", ") != "help success" {
		t.Errorf("/help: %s", jobs)
	}
	w.wants("the answer", 0, 0, last(), "^<!-- waybill:help [0-9]+ -->\n@bob: these comments", "`infra/service` .* changes .*`infra`",
		`The gate reported \*pending\*: needs 1 of acme/platform`)
	w.approve("bob", claim.Fingerprint)
	w.idleFor(27)
	w.merge()
	w.appliedAll(states, w.idleFor(28))
}

package main

import (
	"strings"
	"testing"
)

func TestPlanApproveApply(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	code, out, words := w.gate()
	w.wants("gate before", code, 4, words, "0 of 1 approvals; still needed: 1 of acme/dba, dan", "approve "+f.Short())
	if strings.TrimSpace(out) != "pending" {
		t.Errorf("gate prints %q", out)
	}
	code, _, words = w.apply()
	w.wants("apply before", code, 4, words, "is not approved", "still needed: 1 of acme/dba, dan")
	w.approve("bob", f)
	code, _, words = w.gate()
	w.wants("gate after", code, 0, words, "approved by bob")
	code, _, words = w.apply("--fingerprint", f.Short())
	w.wants("apply", code, 0, words, "infra/prod: applied, 1 done", "infra/prod  module.service.terraform_data.service: Creation complete")
	if !strings.Contains(w.state(), secret) {
		t.Error("the state is not what was planned")
	}
	comments := w.github.Pulls("acme/infra")[0].Comments
	if n := len(comments); n != 3 || !strings.Contains(
		comments[0],
		"To approve this plan and no other, review with a line `approve "+f.Short()+"` (1 of acme/dba or dan for `infra/prod`)",
	) || !strings.Contains(comments[2], "**Applied** plan `"+f.Short()+"`, approved by bob") {
		t.Errorf("%d comments: %s", n, strings.Join(comments, "\n----\n"))
	}
	code, _, words = w.apply()
	w.wants(
		"apply again", code, 3, words, "state lineage was none when planned|state serial was 0 when planned",
		"perhaps this plan itself", "plan again",
	)
	w.noSecrets(secret)
}

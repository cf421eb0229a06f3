package plan_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A plan that is not all of its configuration is refused, by the reason.
func TestIncompletePlansAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"complete":true,"errored":false}`: "",
		`{}`:                                "",
		`{"complete":false}`:                "it leaves out a part of the configuration, as -target does",
		`{"complete":true,"errored":true}`:  "terraform could not finish it",
		`{"complete":false,"deferred_changes":[{"reason":"instance_count_unknown"}]}`: "it defers 1 changes to a later plan",
	} {
		err := plan.CheckWhole([]byte(text))
		if want == "" && err != nil || want != "" && (outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for warning, want := range map[string]string{
		"Resource targeting is in effect\n\nYou are creating a plan with the -target option":                   "Resource targeting is in effect",
		"Provider development overrides are in effect\n\nThe following provider development overrides are set": "Provider development overrides are in effect",
		"Deprecated attribute": "",
	} {
		if got := terraform.Partial([]string{"Other", warning}); got != want {
			t.Errorf("%s: %q", warning, got)
		}
	}
}

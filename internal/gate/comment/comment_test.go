package comment_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
)

func parse(t testing.TB, changes string, more ...string) *terraform.Plan {
	t.Helper()
	p, err := terraform.ParsePlan([]byte(`{"format_version":"1.2","terraform_version":"1.11.4","resource_changes":[` + changes + `]` + strings.Join(more, "") + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func change(address, kind, rest string) string {
	return fmt.Sprintf(`{"address":%q,"mode":"managed","type":%q,"name":"x","change":{%s}}`, address, kind, rest)
}

func summarize(t testing.TB, p *terraform.Plan) summary.Summary {
	return summary.Summarize(p, redact.FindSecrets(p))
}

func TestDangerousFirst(t *testing.T) {
	t.Parallel()
	s := summarize(t, parse(t, strings.Join([]string{
		change("a.add", "aws_db_instance", `"actions":["create"],"after":{"n":1}`),
		change("a.noop", "x", `"actions":["no-op"]`),
		change("a.read", "x", `"actions":["read"]`),
		change("a.change", "aws_iam_role", `"actions":["update"],"before":{"n":1},"after":{"n":2}`),
		change(
			"a.replace", "aws_security_group",
			`"actions":["delete","create"],"before":{"name":"a"},"after":{"name":"b"},"replace_paths":[["name"],["rule",0,"port"]]`,
		),
		change("a.replace2", "x", `"actions":["create","delete"]`),
		change("a.destroy", "x", `"actions":["delete"],"before":{"n":1}`),
		change("a.import", "x", `"actions":["no-op"],"importing":{"id":"i"}`),
		`{"address":"a.moved","previous_address":"a.old","change":{"actions":["no-op"]}}`,
		change("a.forget", "x", `"actions":["forget"]`),
		change("a.unheard", "x", `"actions":["forget","create"]`),
	}, ",")))
	var got []string
	for _, r := range s.Resources {
		got = append(got, r.Action+" "+r.Address)
	}
	want := []string{
		"destroy a.destroy", "destroy a.unheard", "replace a.replace", "replace a.replace2", "forget a.forget", "change a.change",
		"add a.add", "import a.import", "move a.moved",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"name", "rule[0].port"}, s.Resources[2].Forced); diff != "" {
		t.Error(diff)
	}
	for i, flags := range map[int][]string{2: {"network"}, 5: {"iam"}, 6: {"data"}} {
		if diff := cmp.Diff(flags, s.Resources[i].Flags); diff != "" {
			t.Errorf("%s: %s", s.Resources[i].Address, diff)
		}
	}
	if !s.Changes() || !s.Destroys() {
		t.Error("it changes and destroys")
	}
}

// The trees of what is sensitive are followed into maps and lists; a value that
// is sensitive in one place is hidden in all.
func TestSensitiveValues(t *testing.T) {
	t.Parallel()
	p := parse(t, strings.Join([]string{
		change("a", "x", `"actions":["update"],
			"before":{"map":{"k":"old-secret-1","open":"was"},"list":["x","old-secret-2"],"whole":{"deep":["old-secret-3"]},"echo":{"of":"<old-secret-1>"},"short":"ab"},
			"after":{"map":{"k":"new-secret-1","open":"is"},"list":["y","new-secret-2"],"whole":{"deep":["new-secret-3"]},"port":12345678,"plain":"ab"},
			"after_unknown":{"echo":true},
			"before_sensitive":{"map":{"k":true},"list":[false,true],"whole":true,"short":true},
			"after_sensitive":{"map":{"k":true},"list":[false,true],"whole":true,"port":true}`),
		change(
			"b[\"new-secret-1\"]", "x",
			`"actions":["create"],"after":{"text":"say new-secret-2 twice","number":12345678,"json":"{\"a\":\"new-secret-3\"}","map":{"key-new-secret-1":"v"}}`,
		),
	}, ","),
		`,"variables":{"token":{"value":"variable-secret"},"open":{"value":"visible"}},"configuration":{"root_module":{"variables":{"token":{"sensitive":true},"open":{}}}}`,
		`,"output_changes":{"o":{"actions":["create"],"after":"variable-secret and visible"},"s":{"actions":["update"],"before":"out-secret-1","after":"out-secret-2","before_sensitive":true,"after_sensitive":true}}`)
	s := summarize(t, p)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	shown := comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Roots: []comment.RootView{{Dir: "d", Summary: s}},
	}.Comment(markdown.MaxComment)
	for _, secret := range []string{"old-secret", "new-secret", "variable-secret", "out-secret", "12345678", `"ab"`, `\"ab\"`} {
		if strings.Contains(string(text), secret) || strings.Contains(shown, secret) {
			t.Errorf("%s is shown:\n%s\n%s", secret, text, shown)
		}
	}
	for _, visible := range []string{
		`map.open "was" → "is"`, `list[0] "x" → "y"`, `map.k (sensitive value) → (sensitive value)`,
		`list[1] (sensitive value) → (sensitive value)`, "echo", "and visible",
	} {
		if !strings.Contains(shown, visible) {
			t.Errorf("%s is not shown:\n%s", visible, shown)
		}
	}
}

// What a data source read is sensitive in the state alone, and hidden all the same.
func TestSensitiveValuesOfDataSources(t *testing.T) {
	t.Parallel()
	const state = `,"prior_state":{"format_version":"1.0","values":{"root_module":{"child_modules":[{"address":"module.m","resources":[{
		"address":"module.m.data.vault_kv_secret_v2.a","mode":"data","type":"vault_kv_secret_v2","name":"a",
		"values":{"data":{"password":"planted-1234","port":5432123},"name":"shown-name"},
		"sensitive_values":{"data":true}}]}]}}}`
	p := parse(t, change("terraform_data.x", "terraform_data",
		`"actions":["create"],"before":null,"after":{"input":"planted-1234","n":5432123,"m":"shown-name"},"after_sensitive":{}`), state)
	shown := comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Roots: []comment.RootView{{Dir: "d", Summary: summarize(t, p)}},
	}.Comment(markdown.MaxComment)
	if strings.Contains(shown, "planted") || strings.Contains(shown, "5432123") || !strings.Contains(shown, "shown-name") {
		t.Error(shown)
	}
}

// A mark on a place that changes its form hides all of it.
func TestSensitiveInsideAChangedForm(t *testing.T) {
	t.Parallel()
	s := summarize(t, parse(t, change(
		"a", "x",
		`"actions":["update"],"before":{"v":{"k":"abc"}},"after":{"v":"plain"},"before_sensitive":{"v":{"k":true}},"after_sensitive":{}`,
	)))
	if diff := cmp.Diff(
		[]summary.Attribute{{Path: "v", Before: redact.Hidden, After: redact.Hidden}}, s.Resources[0].Attributes,
	); diff != "" {
		t.Error(diff)
	}
}

// big is the plan of many resources.
func big(t testing.TB, n int) *terraform.Plan {
	var list []string
	for i := range n {
		list = append(list, change(fmt.Sprintf("module.m[%d].aws_instance.x", i), "aws_instance",
			fmt.Sprintf(
				`"actions":["update"],"before":{"name":"n%d","tags":{"a":"b"},"password":"secret-number-%d"},"after":{"name":"m%d","tags":{"a":"c"},"password":"secret-other-%d"},"before_sensitive":{"password":true},"after_sensitive":{"password":true}`,
				i, i, i, i,
			)))
	}
	return parse(t, strings.Join(list, ","))
}

func TestCommentFits(t *testing.T) {
	t.Parallel()
	s := summarize(t, big(t, 400))
	v := comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Sealed: "oci://x/a--b@sha256:0", RunURL: "https://github.com/run",
	}
	for i := range 300 {
		v.Roots = append(v.Roots, comment.RootView{Dir: fmt.Sprintf("infra/%d/%s", i, strings.Repeat("long", 100)), Summary: s})
	}
	shown := v.Comment(markdown.MaxComment)
	if n := utf8.RuneCountInString(shown); n > markdown.MaxComment {
		t.Errorf("%d characters", n)
	}
	if claim, ok := comment.ReadClaim(shown); !ok || claim.Plan != v.Sealed || claim.Fingerprint != v.Fingerprint {
		t.Errorf("%+v", claim)
	}
	if _, ok := comment.ReadClaim("quoted:\n" + shown); ok {
		t.Error("a quotation is taken for the comment")
	}
}

func Test10000ResourcesInTime(t *testing.T) {
	t.Parallel()
	p := big(t, 10000)
	done := make(chan summary.Summary, 1)
	go func() { done <- summarize(t, p) }()
	select {
	case s := <-done:
		if s.Counts[summary.Change] != 10000 {
			t.Error(s.Counts)
		}
	case <-time.After(time.Minute): // the target is 2 s; this catches only what is not linear
		t.Fatal("it takes more than a minute")
	}
}

func BenchmarkSummary10000(b *testing.B) {
	p := big(b, 10000)
	for b.Loop() {
		summarize(b, p)
	}
}

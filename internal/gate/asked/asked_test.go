package asked_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A comment asks by its first line, which says nothing else.
func TestPlan(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]asked.Root{
		"/plan": {}, " /plan \r\nplease": {}, "/plan infra/prod": {Dir: "infra/prod"}, "/plan ./infra//prod/": {Dir: "infra/prod"},
		"\n/plan infra/app dev\nthanks": {Dir: "infra/app", Workspace: "dev"},
		"/plan\tinfra/app\tdev":         {Dir: "infra/app", Workspace: "dev"},
		"/plan ../x":                    {Dir: "../x"}, "/plan .": {Dir: "."},
	} {
		c := asked.Comment{Body: body}
		if got, err := c.Plan(); err != nil || got != want || !c.SaysPlan() {
			t.Errorf("%q: %+v %v", body, got, err)
		}
	}
	for _, body := range []string{"/plan a b c", "/plan please plan it again"} {
		c := asked.Comment{Body: body}
		_, err := c.Plan()
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "/plan DIR WORKSPACE") || !c.SaysPlan() {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, body := range []string{"/planet", "please /plan", "hello\n/plan", "/plan-b", "> /plan", "/apply"} {
		c := asked.Comment{Body: body}
		if _, err := c.Plan(); err == nil || c.SaysPlan() {
			t.Errorf("%q asks for a plan", body)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"/apply": "", "/apply a41f 09c2 77de\nthanks": "a41f 09c2 77de", "\n /apply\r\n": "", "/applya41f": "",
	} {
		if got := (asked.Comment{Body: body}).Fingerprint(); strings.TrimSpace(got) != want {
			t.Errorf("%q names %q, want %q", body, got, want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		"/help": true, " /waybill help \r\nthanks": true, "/waybill\thelp": true,
		"/helpful": false, "/help me": false, "please /help": false, "/waybill": false, "/waybill\nhelp": false, "hello\n/help": false,
	} {
		if got := (asked.Comment{Body: body}).Helps(); got != want {
			t.Errorf("%q: %t", body, got)
		}
	}
}

// What /help lists is what is understood.
func TestFormsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, f := range asked.Forms {
		c := asked.Comment{Body: strings.NewReplacer("FINGERPRINT", "a41f 09c2 77de", "DIR", "infra/x", "WORKSPACE", "dev", "LOCK", "1-2").
			Replace(f.Words)}
		_, notPlan := c.Plan()
		vote := strings.HasPrefix(f.Words, "/approve") || strings.HasPrefix(f.Words, "/unapprove")
		if !vote && notPlan != nil && !c.Applies() && !c.Unlocks() && !c.Helps() {
			t.Errorf("nothing understands %s", f.Words)
		}
		if f.Does == "" || f.Needs == "" {
			t.Errorf("%s does not say what it does and needs", f.Words)
		}
	}
}

// The documentation has the list too.
func TestFormsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "terraform.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, is := strings.Cut(string(doc), "| comment | what it does | needs |\n|---|---|---|\n")
	table, _, ends := strings.Cut(rest, "\n\n")
	if !is || !ends {
		t.Fatal("docs/terraform.md has no table of the comments")
	}
	var want []string
	for _, f := range asked.Forms {
		want = append(want, "| `"+f.Words+"` | "+f.Does+" | "+f.Needs+" |")
	}
	if table != strings.Join(want, "\n") {
		t.Errorf("docs/terraform.md says\n%s\nand these are understood:\n%s", table, strings.Join(want, "\n"))
	}
}

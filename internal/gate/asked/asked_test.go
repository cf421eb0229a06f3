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
		"/apply": "", "/apply a41f 09c2 77de\nthanks": "a41f 09c2 77de", "\n /apply\r\n": "", "/apply\ta41f09c277de \r\n": "a41f09c277de",
		"/apply\na41f 09c2 77de": "", // another line
	} {
		c := asked.Comment{Body: body}
		if got := c.Fingerprint(); strings.TrimSpace(got) != want || !c.Applies() {
			t.Errorf("%q names %q, want %q", body, got, want)
		}
	}
	for _, body := range []string{
		"/applya41f", "/apply please", "/apply a41f please", "/apply A41F 09C2 77DE", "/apply -- a41f", "> /apply", "please /apply",
		"hello\n/apply", "/apply\rplease", "/apply. ", "`/apply`", "/apply a41f, 09c2", "/plan", "/apply\u00a0a41f",
	} {
		if c := (asked.Comment{Body: body}); c.Applies() || c.Fingerprint() != "" {
			t.Errorf("%q asks for something to be applied", body)
		}
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]asked.Lock{
		"/unlock": {}, " /unlock \r\nplease": {}, "/unlock\ninfra/net 1-2": {},
		"/unlock infra/net 1-2":            {Dir: "infra/net", ID: "1-2"},
		"/unlock infra/net/ 1-2\nthanks":   {Dir: "infra/net", ID: "1-2"},
		"/unlock\tinfra/net dev  1-2 \r\n": {Dir: "infra/net", Workspace: "dev", ID: "1-2"},
	} {
		c := asked.Comment{Body: body}
		if got := c.Lock(); got != want || !c.Unlocks() || !c.SaysUnlock() {
			t.Errorf("%q: %+v, want %+v", body, got, want)
		}
	}
	for body, says := range map[string]bool{ // whether it says it, in words that nobody understands
		"/unlock infra/net": true, "/unlock infra/net dev 1-2 please": true, "/unlock infra/net\n1-2": true,
		"/unlock infra/net\u00a01-2": true,
		"/unlocked":                  false, "/unlock-all": false, "please /unlock": false,
		"hello\n/unlock": false, "> /unlock": false, "/apply": false,
		"hello\n/unlock infra/net 1-2": false,
	} {
		c := asked.Comment{Body: body}
		if c.Unlocks() || c.Lock() != (asked.Lock{}) || c.SaysUnlock() != says {
			t.Errorf("%q asks for the lock %+v to be ended", body, c.Lock())
		}
	}
	var none *asked.Comment
	if none.SaysUnlock() {
		t.Error("no comment asks for something")
	}
}

// What names no root is said back as far as it can be read.
func TestRootsThatNobodyCanName(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]asked.Root{"./a//b/": {Dir: "a/b"}, "a/../b dev": {Dir: "b", Workspace: "dev"}} {
		if got, err := asked.ParseRoot(words); err != nil || got != want {
			t.Errorf("%q: %+v %v", words, got, err)
		}
	}
	for _, words := range []string{"", "a b c", "a b \u202e", strings.Repeat("a ", 9_000)} {
		_, err := asked.ParseRoot(words)
		if outcome.Code(err) != outcome.Usage || strings.Contains(err.Error(), "\u202e") || len(err.Error()) > 1_000 {
			t.Errorf("%.20q: %v", words, err)
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

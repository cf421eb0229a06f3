package layout_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// claim is a row of the table in docs/security.md: a promise, and the tests
// that attack it.
type claim struct {
	text  string
	tests []string
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	absolute = regexp.MustCompile(`(?i)\b(cannot|only|nothing|exactly|never|none|no)\b`)
)

// claims reads the rows of the tables below the heading Claims.
func claims(t *testing.T) []claim {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(data), "\n## Claims\n")
	if !found {
		t.Fatal("docs/security.md has no heading Claims")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	var list []claim
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 || strings.TrimSpace(cells[0]) == "Claim" {
			continue
		}
		c := claim{text: strings.TrimSpace(cells[0])}
		for _, m := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			c.tests = append(c.tests, m[1])
		}
		list = append(list, c)
	}
	return list
}

// Every claim names tests, and every test that it names is there.
func TestClaimsAreAttacked(t *testing.T) {
	t.Parallel()
	list := claims(t)
	if len(list) < 30 {
		t.Fatalf("only %d claims: is the table read?", len(list))
	}
	root := tooltest.Root(t)
	for _, c := range list {
		if len(c.tests) == 0 {
			t.Errorf("no test attacks the claim %q", c.text)
		}
		for _, name := range c.tests {
			if !testExists(t, root, name) {
				t.Errorf("the claim %q names %s, which is no test of this repository", c.text, name)
			}
		}
	}
}

// testExists reports whether PACKAGE.TestNAME or a script is there.
func testExists(t *testing.T, root, name string) bool {
	t.Helper()
	if strings.HasSuffix(name, ".txtar") {
		_, err := os.Stat(filepath.Join(root, "cmd", "waybill", "testdata", "script", name))
		return err == nil
	}
	dir, test, ok := strings.Cut(name, ".Test")
	if !ok {
		return false
	}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\nfunc Test"+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

func TestClaimsThatAreMadeUp(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	for name, want := range map[string]bool{
		"internal/layout.TestClaimsAreAttacked": true, "internal/layout.TestClaims": false, "internal/nowhere.TestX": false,
		"check_github.txtar": true, "check_gitlab.txtar": false, "words": false,
	} {
		if got := testExists(t, root, name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Every sentence of the README's first part that says cannot, only, nothing,
// exactly, never or no is a claim of the table, word for word.
func TestReadmePromisesNothingElse(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(tooltest.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	intro, _, found := strings.Cut(string(data), "\n## Put it to work\n")
	if !found {
		t.Fatal("README.md has no heading Put it to work")
	}
	var texts []string
	for _, c := range claims(t) {
		texts = append(texts, strings.TrimSuffix(c.text, "."))
	}
	sentences := 0
	for line := range strings.Lines(intro) {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		for sentence := range strings.SplitSeq(strings.NewReplacer("**", "", "- ", "", "\n", "").Replace(line), ". ") {
			sentence = strings.TrimSuffix(strings.TrimSpace(sentence), ".")
			if !absolute.MatchString(sentence) {
				continue
			}
			if sentences++; !slices.Contains(texts, sentence) {
				t.Errorf("README.md promises %q, which is no claim of docs/security.md", sentence)
			}
		}
	}
	if sentences < 5 {
		t.Errorf("only %d sentences looked at", sentences)
	}
}

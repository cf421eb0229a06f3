package layout_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// A link of the documentation leads to a file of the repository, and a link to
// a heading to one that is there.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	found := documents(t)
	if len(found) < 10 {
		t.Fatalf("only %d documents: are the patterns right?", len(found))
	}
	for document := range found {
		for _, problem := range deadLinks(t, document) {
			t.Errorf("%s: %s", document, problem)
		}
	}
}

var tested = regexp.MustCompile("`(internal/[a-z/]+\\.Test[A-Za-z0-9]+|[a-z_]+\\.txtar)`")

// Every test that a document names is there, and a document has no row of a table that a
// blank line cuts off: Markdown shows it as text.
func TestDocumentsAreWhole(t *testing.T) {
	t.Parallel()
	root, names := tooltest.Root(t), 0
	for document := range documents(t) {
		text := prose(t, document)
		for _, m := range tested.FindAllStringSubmatch(text, -1) {
			if names++; !testExists(t, root, m[1]) {
				t.Errorf("%s names %s, which is no test of this repository", document, m[1])
			}
		}
		for _, row := range cutOff(text) {
			t.Errorf("%s: a blank line cuts this row off its table: %s", document, row)
		}
	}
	if names < 30 {
		t.Errorf("only %d tests are named: is the pattern right?", names)
	}
}

// cutOff are the rows of tables that follow a blank line, and are no heading of a table.
func cutOff(text string) (rows []string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		begins := strings.HasPrefix(line, "|") && (i == 0 || strings.TrimSpace(lines[i-1]) == "")
		if begins && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "|--")) {
			rows = append(rows, line)
		}
	}
	return rows
}

func TestRowsThatAreCutOffAreFound(t *testing.T) {
	t.Parallel()
	if got := cutOff("| a |\n|---|\n| b |\n\n| c |\n| d |\n\ntext\n| e |\n"); !slices.Equal(got, []string{"| c |"}) {
		t.Errorf("%q", got)
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	t.Parallel()
	document := filepath.Join(t.TempDir(), "a.md")
	text := "# One, two `three`\n\n[a](missing.md) [b](a.md#nowhere) [c](#one-two-three) [d](https://example.com/x) " +
		"![e](e.svg) ![h](a-dark.png#gh-light-mode-only) ![i](a-dark.png#gh-dark-mode-only)\n" +
		"```\n[f](code.md)\n# not a heading\n```\n[g](#not-a-heading)\n"
	for _, file := range []string{document, filepath.Join(filepath.Dir(document), "a-dark.png")} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"missing.md does not exist", "a.md#nowhere: no such heading", "e.svg does not exist",
		"a-dark.png#gh-light-mode-only is a picture for the other colours", "#not-a-heading: no such heading",
	}
	if got := deadLinks(t, document); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+?)\s*$`)
	fence   = regexp.MustCompile("(?ms)^[ \t]*(```+|~~~+).*?^[ \t]*(```+|~~~+)[ \t]*$")
	// GitHub shows such a picture on light or dark pages alone, and so does the site.
	shownIn = regexp.MustCompile(`^gh-(light|dark)-mode-only$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	comment = regexp.MustCompile(` ?<!--.*?-->`) // nobody sees it
)

func deadLinks(t *testing.T, document string) (problems []string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(prose(t, document), -1) {
		target := m[1]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		name, anchor, _ := strings.Cut(target, "#")
		file := document
		if name != "" {
			file = filepath.Join(filepath.Dir(document), name)
		}
		if _, err := os.Stat(file); err != nil {
			problems = append(problems, target+" does not exist")
			continue
		}
		if scheme := shownIn.FindStringSubmatch(anchor); scheme != nil {
			if !strings.HasSuffix(name, "-"+scheme[1]+".png") {
				problems = append(problems, target+" is a picture for the other colours")
			}
			continue
		}
		if anchor != "" && !slices.Contains(anchors(t, file), anchor) {
			problems = append(problems, target+": no such heading")
		}
	}
	return problems
}

// prose is a document without its code blocks.
func prose(t *testing.T, document string) string {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return comment.ReplaceAllString(fence.ReplaceAllString(string(data), ""), "")
}

// anchors are the headings of a document as GitHub names them in addresses.
func anchors(t *testing.T, document string) (names []string) {
	t.Helper()
	for _, m := range heading.FindAllStringSubmatch(prose(t, document), -1) {
		names = append(names, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// A diagram is written from the text beside it: every label of the one stands
// in the other.
func TestDiagramsAreTheirText(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob(filepath.Join(tooltest.Root(t), "docs/diagrams/*.dot"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no diagrams: %v", err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := os.ReadFile(strings.TrimSuffix(source, ".dot") + ".svg")
		if err != nil {
			t.Errorf("%v: run `make diagrams`", err)
			continue
		}
		want, got := dotLabels(string(text)), svgTexts(t, picture)
		if len(want) == 0 || !slices.Equal(want, got) {
			t.Errorf("%s and its picture differ: run `make diagrams`\ntext:    %q\npicture: %q", source, want, got)
		}
	}
}

var label = regexp.MustCompile(`\blabel="((?:[^"\\]|\\.)*)"`)

// dotLabels are the lines of every label, sorted.
func dotLabels(text string) (lines []string) {
	for _, m := range label.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(m[1], `\n`)...)
	}
	slices.Sort(lines)
	return lines
}

// svgTexts are the texts of a picture, sorted.
func svgTexts(t *testing.T, picture []byte) (lines []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(picture))
	d.Strict, d.Entity = false, xml.HTMLEntity
	for inside := false; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inside = token.Name.Local == "text"
		case xml.EndElement:
			inside = false
		case xml.CharData:
			if inside {
				lines = append(lines, html.UnescapeString(string(token)))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// The site has every page of docs/, each once: one that no menu leads to is not found.
func TestTheSiteHasEveryPage(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	site, err := os.ReadFile(filepath.Join(root, "mkdocs.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, menu, found := strings.Cut(string(site), "\nnav:\n")
	if !found {
		t.Fatal("mkdocs.yml has no nav")
	}
	var named []string
	for _, m := range regexp.MustCompile(`(?m): ([a-z0-9/-]+\.md|README\.md)$`).FindAllStringSubmatch(menu, -1) {
		named = append(named, m[1])
	}
	var pages []string
	for file := range documents(t) {
		if page, err := filepath.Rel(filepath.Join(root, "docs"), file); err == nil && !strings.HasPrefix(page, "..") {
			pages = append(pages, filepath.ToSlash(page))
		}
	}
	slices.Sort(named)
	slices.Sort(pages)
	if !slices.Equal(named, pages) {
		t.Errorf("nav of mkdocs.yml and docs/ differ:\nnav:  %q\ndocs: %q", named, pages)
	}
}

// Pictures come in light and dark, and load quickly.
func TestScreenshotsAreSmall(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tooltest.Root(t), "docs", "screenshots")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal("there are no screenshots:", err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Size() > 100<<10 || !strings.HasSuffix(f.Name(), ".png") {
			t.Errorf("%s is no PNG of at most 100 KiB: %v", f.Name(), err)
		}
		if light, is := strings.CutSuffix(f.Name(), "-dark.png"); is {
			if _, err := os.Stat(filepath.Join(dir, light+"-light.png")); err != nil {
				t.Errorf("%s has no light one", f.Name())
			}
		}
	}
}

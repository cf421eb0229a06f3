package layout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// documents are the pages that people read, by their path in the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{
		"*.md", "docs/*.md", "docs/*/*.md", "examples/*/*.md", "examples/config/docs/*.md", "examples/config/docs/*/*.md",
		"examples/config/*/*.md", "terraform/*.md",
	} {
		found, err := filepath.Glob(filepath.Join(tooltest.Root(t), pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: nothing there, %v", pattern, err)
		}
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(data)
		}
	}
	return texts
}

var (
	codeLine  = regexp.MustCompile("(?m)^(?:    |\t)?(?:[A-Z_]+=\\S+ )*waybill ([a-z]+(?: .*)?)$|`waybill ([a-z][^`\n]*)`")
	flagName  = regexp.MustCompile(`(?:^|\s)--([a-z][a-z0-9-]*)`)
	quoted    = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	wordFirst = regexp.MustCompile(`^[a-z]+`)
)

// unknownInCommand says what of a command line, without the name of the program,
// Waybill would not take.
func unknownInCommand(line string) (unknown []string) {
	line, _, _ = strings.Cut(quoted.ReplaceAllString(line, "''"), " #")
	line, _, _ = strings.Cut(line, " | ")
	name := wordFirst.FindString(line)
	if slices.Contains([]string{"completion", "help"}, name) {
		return nil
	}
	command, found := contract.Lookup(name)
	if !found {
		return []string{"there is no command " + name}
	}
	flags := []string{"debug", "help", "quiet", "verbose"}
	for _, in := range command.Inputs {
		if !in.Positional && !in.Secret {
			flags = append(flags, in.Flag())
		}
	}
	for _, m := range flagName.FindAllStringSubmatch(line, -1) {
		if !slices.Contains(flags, m[1]) {
			unknown = append(unknown, fmt.Sprintf("%s has no --%s", name, m[1]))
		}
	}
	return unknown
}

// What a page tells people to type exists.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	seen := 0
	for file, text := range documents(t) {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, m := range codeLine.FindAllStringSubmatch(text, -1) {
			seen++
			for _, problem := range unknownInCommand(m[1] + m[2]) {
				t.Errorf("%s: waybill %s: %s", file, m[1]+m[2], problem)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d command lines: is the pattern right?", seen)
	}
}

func TestUnknownCommandsAreFound(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"bumb IMAGE": "[there is no command bumb]", "hold --apps x": "[hold has no --apps]",
		"hold --reason 'not --this' --lift # --nor this": "[]", "check": "[]", "completion bash": "[]",
		"status --repo acme/config | grep --count x": "[]",
	} {
		if got := fmt.Sprint(unknownInCommand(line)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// A page's piece of waybill.yaml is read as one, with the least around it.
func TestDocumentedConfigurationIsRead(t *testing.T) {
	t.Parallel()
	keys := []string{"apiVersion", "environments", "apps", "policy", "manifests", "notify", "terraform", "acknowledge"}
	seen := 0
	for file, text := range documents(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			var top map[string]yaml.Node
			if err := yaml.Unmarshal([]byte(m[1]), &top); err != nil {
				t.Errorf("%s: %v in\n%s", file, err, m[1])
				continue
			}
			mine := len(top) > 0
			for key := range top {
				mine = mine && slices.Contains(keys, key)
			}
			if !mine {
				continue
			}
			seen++
			if _, err := config.Parse("waybill.yaml", []byte(completed(m[1], top))); err != nil {
				t.Errorf("%s: %v in\n%s", file, err, m[1])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d pieces of waybill.yaml: is the pattern right?", seen)
	}
}

// completed adds what a piece of waybill.yaml lacks.
func completed(piece string, top map[string]yaml.Node) string {
	for key, value := range map[string]string{
		"apiVersion":   "waybill.dev/v1",
		"environments": "[{name: dev}, {name: staging}, {name: prod}]",
		"apps":         "{backend: {image: ghcr.io/acme/backend}, legacy: {image: ghcr.io/acme/legacy}}",
	} {
		if _, found := top[key]; !found {
			piece += fmt.Sprintf("\n%s: %s\n", key, value)
		}
	}
	return piece
}

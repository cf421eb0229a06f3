package examples_test

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var (
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	link       = regexp.MustCompile(`\]\(([^)#:]+)\)`)
)

// A runbook says when it is for and when it is over; what it says to run is
// shell; what it refers to is there.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	checkRunbooks(t, exampleTree(t))
}

func checkRunbooks(t *testing.T, files tree) {
	t.Helper()
	bash := tooltest.Find(t, "bash")
	runbooks := 0
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(file) != ".md" {
			continue
		}
		content := string(files[file])
		if path.Dir(file) == "docs/runbooks" && path.Base(file) != "README.md" {
			runbooks++
			for _, part := range []string{"**You see**", "```sh", "## Over when"} {
				if !strings.Contains(content, part) {
					t.Errorf("%s has no %q", file, part)
				}
			}
			if !strings.Contains(string(files["docs/runbooks/README.md"]), "("+path.Base(file)+")") {
				t.Errorf("docs/runbooks/README.md does not name %s", file)
			}
		}
		for _, match := range link.FindAllStringSubmatch(content, -1) {
			target := path.Join(path.Dir(file), match[1])
			if files[target] == nil && !slices.ContainsFunc(
				slices.Collect(maps.Keys(files)), func(name string) bool { return strings.HasPrefix(name, target+"/") },
			) {
				t.Errorf("%s refers to %s, which is not there", file, match[1])
			}
		}
		for _, block := range shellBlock.FindAllStringSubmatch(content, -1) {
			parse := process.Command{Path: bash, Args: []string{"-n"}, Stdin: strings.NewReader(block[1])}
			if err := parse.Run(t.Context()); err != nil {
				t.Errorf("%s: %v in:\n%s", file, err, block[1])
			}
		}
	}
	if runbooks < 6 {
		t.Errorf("only %d runbooks", runbooks)
	}
}

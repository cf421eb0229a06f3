package layout_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

var permissionRow = regexp.MustCompile("(?m)^\\| ((?:terraform )?`[a-z-]+`(?: / [a-z]+)?) \\| ([^|]+) \\|")

// docs/architecture.md lists the permissions of each job, as the README says: those that
// stand in the starter workflows, and no other.
func TestPermissionsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Permissions, job by job\n")
	documented := map[string]map[string]string{}
	for _, m := range permissionRow.FindAllStringSubmatch(table, -1) {
		documented[m[1]] = grants(m[2])
	}
	jobs := 0
	for name, w := range workflowFiles(t) {
		kind, _ := strings.CutPrefix(filepath.ToSlash(filepath.Dir(name)), "workflows/")
		if kind != "config" && kind != "infra" {
			continue
		}
		key := "`" + strings.TrimSuffix(filepath.Base(name), ".yml") + "`"
		if kind == "infra" {
			key = "terraform " + key
		}
		for id, job := range w.Jobs {
			row := key
			if len(w.Jobs) > 1 {
				row += " / " + id
			}
			jobs++
			if found, there := documented[row]; !there || job.Permissions == nil || !maps.Equal(found, *job.Permissions) {
				t.Errorf("docs/architecture.md says of %s %v, and the workflow %v", row, found, *job.Permissions)
			}
			delete(documented, row)
		}
	}
	if jobs < 30 || len(documented) > 0 {
		t.Errorf("%d jobs; rows of no job: %v", jobs, documented)
	}
}

// grants reads `a`, `b: read`, `c: write`, where a has the access of b.
func grants(cell string) map[string]string {
	found, waiting := map[string]string{}, []string{}
	for _, m := range regexp.MustCompile("`([a-z-]+)(?:: ([a-z]+))?`").FindAllStringSubmatch(cell, -1) {
		if waiting = append(waiting, m[1]); m[2] != "" {
			for _, scope := range waiting {
				found[scope] = m[2]
			}
			waiting = nil
		}
	}
	return found
}

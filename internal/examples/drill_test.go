package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// kubectl answers from files beside it, and keeps what it was told.
const kubectl = `#!/bin/bash
cd "$(dirname "$0")" || exit 1
case "$*" in
*"get backups.velero.io"*) cat backups ;;
*"get deployments,statefulsets,daemonsets"*) cat left ;;
*"get restores.velero.io"*phase*) cat phase ;;
*"get restores.velero.io"*itemsRestored*) echo 7 ;;
*"get deployments,statefulsets -o name"*) cat workloads ;;
create*) cat > created ;;
*"rollout status"*) exit "$(cat rollout)" ;;
*delete*) echo "$*" >> deleted ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
`

func TestRestoreDrill(t *testing.T) {
	t.Parallel()
	script := filepath.Join(tooltest.Root(t), "examples", "config", "platform", "backups", "restore-drill.sh")
	bash := tooltest.Find(t, "bash")
	for name, c := range map[string]struct {
		change map[string]string // of what kubectl answers
		limit  string
		want   string // in the output when it succeeds, in the error when it fails
		fails  bool
		clears bool // what it restored
	}{
		"restores the newest":   {want: "| Backup | `newest`", clears: true},
		"counts what came back": {want: "| Objects restored | 7 |", clears: true},
		"without a backup":      {change: map[string]string{"backups": ""}, want: "has no completed backup", fails: true},
		"into a namespace in use": {
			change: map[string]string{"left": "deployment.apps/other\n"}, want: "restore-drill is not empty", fails: true,
		},
		"a restore that fails": {
			change: map[string]string{"phase": "PartiallyFailed"}, want: "PartiallyFailed; velero restore logs", fails: true,
			clears: true,
		},
		"a restore that never ends": {
			change: map[string]string{"phase": "InProgress"}, limit: "0", want: "is InProgress after 0 s", fails: true,
			clears: true,
		},
		"nothing in the backup": {
			change: map[string]string{"workloads": ""}, want: "has no workload of production", fails: true, clears: true,
		},
		"a workload that fails": {
			change: map[string]string{"rollout": "1"}, want: "deployment.apps/backend does not run", fails: true, clears: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := map[string]string{
				"kubectl": kubectl, "backups": "older 2026-11-19T00:00:00Z\nnewest 2026-11-20T00:00:00Z\n", "left": "",
				"phase":     "Completed",
				"workloads": "deployment.apps/backend\n", "rollout": "0",
			}
			for file, content := range c.change {
				files[file] = content
			}
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			limit := c.limit
			if limit == "" {
				limit = "60"
			}
			drill := process.Command{Path: bash, Args: []string{script}, Env: []string{
				"PATH=" + dir + ":/usr/local/bin:/usr/bin:/bin", "NAMESPACE=production", "POLL_SECONDS=0", "LIMIT_SECONDS=" + limit,
			}}
			out, err := drill.Output(t.Context())
			said := string(out)
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != c.fails || !strings.Contains(said, c.want) {
				t.Errorf("got %q, want %q", said, c.want)
			}
			deleted, _ := os.ReadFile(filepath.Join(dir, "deleted"))
			if cleared := strings.Contains(string(deleted), "-n restore-drill delete deployments,"); cleared != c.clears {
				t.Errorf("cleared away: %v, want %v", cleared, c.clears)
			}
			if created, err := os.ReadFile(filepath.Join(dir, "created")); err == nil {
				for _, part := range []string{
					"backupName: newest", "namespaceMapping: {production: restore-drill}", "- ingresses.networking.k8s.io",
					"- httproutes.gateway.networking.k8s.io",
				} {
					if !strings.Contains(string(created), part) {
						t.Errorf("the restore has no %q:\n%s", part, created)
					}
				}
			} else if c.clears {
				t.Error("no restore was made")
			}
		})
	}
}

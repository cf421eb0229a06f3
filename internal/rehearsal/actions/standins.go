package actions

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// standIns stand for GitHub's own actions, whose code is not on this machine, with
// the inputs that workflows use.
//
//go:embed checkout.yml upload-artifact.yml download-artifact.yml
var standIns embed.FS

// writeStandIn writes what stands for one of GitHub's actions to dir, and says
// whether there is one. The artifacts of a run are kept in the directory run.
func writeStandIn(repository, dir, run string) (bool, error) {
	name, is := strings.CutPrefix(repository, "actions/")
	data, err := standIns.ReadFile(name + ".yml")
	if !is || err != nil {
		return false, nil
	}
	data = bytes.ReplaceAll(data, []byte(": RUN/"), []byte(": "+run+"/"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return true, fmt.Errorf("write the stand-in for %s: %w", repository, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "action.yml"), data, 0o644); err != nil {
		return true, fmt.Errorf("write the stand-in for %s: %w", repository, err)
	}
	return true, nil
}

package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// answer makes a file when it sees a word.
type answer struct {
	seen strings.Builder
	word string
	file string
}

func (a *answer) Write(p []byte) (int, error) {
	a.seen.Write(p)
	if strings.Contains(a.seen.String(), a.word) {
		if err := os.WriteFile(a.file, nil, 0o600); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// What a child says is heard while it runs, to the last word, and leaves
// nothing behind.
func TestRunFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	events := filepath.Join(dir, "events")
	a := &answer{word: "one", file: filepath.Join(dir, "go")}
	script := "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; echo three; exit 3"
	err := runFollowed(
		t.Context(),
		process.Command{Path: "sh", Args: []string{"-c", script}, Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}}, events, a,
	)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || a.seen.String() != "one\ntwo\nthree\n" {
		t.Errorf("heard %q, %v", a.seen.String(), err)
	}
	if left, err := os.ReadDir(events); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

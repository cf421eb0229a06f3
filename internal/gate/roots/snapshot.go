package roots

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// configurationFiles are those that say which roots there are, where they keep
// their states, and which providers they run.
var configurationFiles = []string{
	":(glob)**/*.tf", ":(glob)**/*.tf.json", ":(glob)**/*.tofu", ":(glob)**/*.tofu.json", ":(glob)**/.terraform.lock.hcl",
	":(top)waybill.yaml",
}

// Snapshot writes the configuration of a commit into an empty directory, and
// gives the directory that stands for the top of the repository.
func Snapshot(ctx context.Context, top, commit, dir string) (string, error) {
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if _, err := git.RunEnv(ctx, top, env, "read-tree", commit); err != nil {
		return "", fmt.Errorf("read commit %.7s: %w", commit, err)
	}
	names, err := git.Command{Dir: top, Env: env, Args: append([]string{"ls-files", "-z", "--"}, configurationFiles...)}.Output(ctx)
	if err != nil {
		return "", fmt.Errorf("list the configuration of commit %.7s: %w", commit, err)
	}
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(tree, 0o700); err != nil {
		return "", fmt.Errorf("make a directory for commit %.7s: %w", commit, err)
	}
	write := git.Command{
		Dir: top, Env: env, Args: []string{"checkout-index", "-z", "--stdin", "--prefix=" + tree + "/"},
		Stdin: strings.NewReader(string(names)),
	}
	if err := write.Run(ctx); err != nil {
		return "", fmt.Errorf("write the configuration of commit %.7s: %w", commit, err)
	}
	return tree, nil
}

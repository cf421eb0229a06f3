package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// Command is one call of git.
type Command struct {
	Dir   string   // where git runs; trusted whatever its owner, because the user named it
	Args  []string // no secrets
	Env   []string // added to the fixed environment: PATH, HOME, SSH_AUTH_SOCK, GIT_INDEX_FILE
	Stdin io.Reader
	// Stdout receives what git writes, for Run.
	Stdout io.Writer
	// UserConfig lets the user's and the system's configuration in, as pushing
	// with the user's credentials needs; without it they are ignored.
	UserConfig bool
	// Config are settings for this call, as KEY=VALUE.
	Config []string
}

// Run runs git.
func (c Command) Run(ctx context.Context) error {
	name := "git"
	if len(c.Args) > 0 {
		name += " " + c.Args[0]
	}
	err := process.Command{Path: "git", Args: c.Args, Dir: c.Dir, Env: c.environment(), Stdin: c.Stdin, Stdout: c.Stdout}.Run(ctx)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", name, c.Dir, err)
	}
	return nil
}

// Output runs git and returns what it wrote to stdout.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// Line runs git and returns its answer without the final line break.
func (c Command) Line(ctx context.Context) (string, error) {
	out, err := c.Output(ctx)
	return string(bytes.TrimSuffix(out, []byte("\n"))), err
}

// Exited reports whether err is git ending with the code, and what it wrote to
// stderr.
func Exited(err error, code int) bool {
	var e *process.Error
	return errors.As(err, &e) && e.Code == code
}

// Stderr is the end of what git wrote to stderr, or empty.
func Stderr(err error) string {
	var e *process.Error
	if errors.As(err, &e) {
		return e.Stderr
	}
	return ""
}

func (c Command) environment() []string {
	env := []string{"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat", "GIT_EDITOR=false", "GIT_ASKPASS="}
	if !c.UserConfig {
		env = append(env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	}
	config := append([]string{
		"safe.directory=*", "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotePath=false", "gc.auto=0",
		"maintenance.auto=false",
		"core.filesRefLockTimeout=10000", "core.packedRefsTimeout=10000", "advice.detachedHead=false",
	}, c.Config...)
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(config)))
	for i, entry := range config {
		key, value, _ := strings.Cut(entry, "=")
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, value))
	}
	return append(env, c.Env...)
}

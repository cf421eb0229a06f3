// Package git is the door to the git command line.
//
// git runs with an explicit environment: no hooks, no prompts, no user or
// system configuration unless asked for, so that what Waybill reads and writes
// does not depend on who runs it. The package runs git and reads its answers;
// it knows nothing of deployments.
package git

import (
	"context"
	"regexp"
)

// Run runs git in dir and returns its answer without the final line break.
func Run(ctx context.Context, dir string, args ...string) (string, error) {
	return RunEnv(ctx, dir, nil, args...)
}

// RunEnv is Run with variables added to the environment.
func RunEnv(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	return Command{Dir: dir, Env: env, Args: args}.Line(ctx)
}

var idForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// IsObjectID reports whether a text is the whole name of a commit or another object,
// which nobody can move.
func IsObjectID(text string) bool { return idForm.MatchString(text) }

package connect_test

import (
	"bytes"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/runner"
)

// The database is cached where other jobs of the runner cannot have written.
func TestCacheOfAJob(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"in Actions": {
			map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": "/job/temp", "HOME": "/home/runner"},
			"/job/temp/waybill-cache",
		},
		"where the runner's owner says": {
			map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": "/job/temp", "XDG_CACHE_HOME": "/cache"}, "/cache/waybill",
		},
		"on a laptop": {map[string]string{"HOME": "/home/ada"}, "/home/ada/.cache/waybill"},
	} {
		getenv := func(name string) string { return test.env[name] }
		call := &cli.Call{Runner: runner.New(getenv, new(bytes.Buffer)), Getenv: getenv}
		if got, err := connect.CacheDir(call); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", what, got, err, test.want)
		}
	}
}

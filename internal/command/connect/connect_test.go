package connect_test

import (
	"bytes"
	"maps"
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

// Layers are kept where no job that runs an application's code is the same user.
func TestLayerCache(t *testing.T) {
	t.Parallel()
	own := map[string]string{
		"GITHUB_ACTIONS": "true", "HOME": "/home/runner", "RUNNER_ENVIRONMENT": "self-hosted", "GITHUB_EVENT_NAME": "push",
		"WAYBILL_LAYER_CACHE": "true", "RUNNER_TEMP": "/job/temp",
	}
	with := func(env map[string]string, pairs ...string) map[string]string {
		env = maps.Clone(env)
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	laptop := map[string]string{"HOME": "/home/ada"}
	for what, test := range map[string]struct {
		env      map[string]string
		dir, key string
	}{
		"on a laptop":       {laptop, "/home/ada/.cache/waybill/layers", "/home/ada/.config/waybill/layers.key"},
		"in chosen places":  {with(laptop, "XDG_CACHE_HOME", "/c", "XDG_CONFIG_HOME", "/k"), "/c/waybill/layers", "/k/waybill/layers.key"},
		"switched off":      {with(laptop, "WAYBILL_LAYER_CACHE", "false"), "", ""},
		"without a home":    {map[string]string{"XDG_CACHE_HOME": "/c"}, "", ""},
		"an own runner":     {own, "/home/runner/.cache/waybill/layers", "/home/runner/.config/waybill/layers.key"},
		"not asked for":     {with(own, "WAYBILL_LAYER_CACHE", ""), "", ""},
		"GitHub's runner":   {with(own, "RUNNER_ENVIRONMENT", "github-hosted"), "", ""},
		"an unknown runner": {with(own, "RUNNER_ENVIRONMENT", ""), "", ""},
		"pull request":      {with(own, "GITHUB_EVENT_NAME", "pull_request"), "", ""},
		"request of a fork": {with(own, "GITHUB_EVENT_NAME", "pull_request_target"), "", ""},
		"a relative place": {
			with(laptop, "XDG_CACHE_HOME", "c"), "/home/ada/.cache/waybill/layers", "/home/ada/.config/waybill/layers.key",
		},
	} {
		getenv := func(name string) string { return test.env[name] }
		call := &cli.Call{Runner: runner.New(getenv, new(bytes.Buffer)), Getenv: getenv}
		if got := connect.LayerCache(call); got.Dir != test.dir || got.Key != test.key {
			t.Errorf("%s: %q and %q, want %q and %q", what, got.Dir, got.Key, test.dir, test.key)
		}
	}
}

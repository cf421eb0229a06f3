package connect

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
)

// CacheDir is where Waybill keeps what it can fetch again. In Actions that is
// the job's own directory: in the home of a runner that jobs share, a job that
// runs an application's code may have written.
func CacheDir(call *cli.Call) (string, error) {
	chosen := filepath.IsAbs(call.Env(contract.EnvCacheHome))
	if dir := call.Runner.Context().Temp; !chosen && call.Runner.Active() && filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill-cache"), nil
	}
	if dir := ofUser(call, contract.EnvCacheHome, ".cache"); dir != "" {
		return dir, nil
	}
	return "", errors.New("no place for the vulnerability database: set HOME or XDG_CACHE_HOME")
}

// LayerCache is where layers are kept for the next build; nowhere where a job that
// runs an application's code may be the same user.
func LayerCache(call *cli.Call) layercache.Options {
	wish, job := call.Env(contract.EnvLayerCache), call.Runner.Context()
	shared := wish != "true" || !job.OwnRunner || strings.HasPrefix(job.EventName, "pull_request")
	dir, keys := ofUser(call, contract.EnvCacheHome, ".cache"), ofUser(call, contract.EnvConfigHome, ".config")
	if wish == "false" || call.Runner.Active() && shared || dir == "" || keys == "" {
		return layercache.Options{}
	}
	return layercache.Options{
		Dir: filepath.Join(dir, "layers"), Key: filepath.Join(keys, "layers.key"),
		Warn: func(text string) {
			call.Sayf("warning: %s", text)
			_ = call.Runner.Annotate(runner.Annotation{Level: runner.Warning, Message: text})
		},
	}
}

// ofUser is Waybill's directory of a kind; empty if there is no home.
// https://specifications.freedesktop.org/basedir-spec/latest/
func ofUser(call *cli.Call, named contract.EnvVar, usual string) string {
	if dir := call.Env(named); filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill")
	}
	if home := call.Env(contract.EnvHome); home != "" {
		return filepath.Join(home, usual, "waybill")
	}
	return ""
}

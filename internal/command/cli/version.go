package cli

import (
	"runtime"
	"runtime/debug"
)

// Build says which Waybill this is.
type Build struct {
	Version  string `json:"version"`          // the release, or devel
	Commit   string `json:"commit,omitempty"` // missing in releases, whose bytes do not depend on it
	Go       string `json:"go"`               // version of the toolchain
	Platform string `json:"platform"`         // such as linux/amd64
}

// ThisBuild describes the running binary.
func ThisBuild() Build {
	b := Build{Version: Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}

// version is set by the linker; see the Makefile.
var version string

// Version is the release, else the module version, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Package compile compiles a Go package of an application for platforms, and
// executes none of its code.
//
// The toolchain alone runs, as a child that is handed no credential: with an
// empty GOFLAGS, without cgo, and with the end of the flags marked, so that
// neither a package's name nor the repository can name a program to run
// (-toolexec, -overlay, #cgo). What comes out are bytes that the caller hands
// on by digest.
package compile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request is what to compile.
type Request struct {
	Dir       string // working tree, in which the package is named
	Package   string // . or ./PATH
	App       string // name of the binary
	Platforms []Platform
	Go        string   // program
	Env       []string // of the toolchain: PATH, module proxy; no credential
	// SharedCache uses the build and module caches that Env names. The toolchain
	// believes what it finds there, so their writer may have chosen what
	// comes out. Without it the caches are made anew and removed.
	SharedCache bool
}

// Platform is an operating system and an architecture as Go names them.
type Platform struct{ OS, Architecture, Variant string }

// Binary is what was compiled for one platform.
type Binary struct {
	Name string // OS-ARCH/APP
	Data []byte
}

var (
	packageForm = regexp.MustCompile(`^\.(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
	appForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
	nameForm    = regexp.MustCompile(`^[a-z0-9]+-[a-z0-9]+/[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
)

// Check refuses names that could mean something else to a program: a flag, a
// path out of the working tree, another module.
func (r Request) Check() error {
	switch {
	case !packageForm.MatchString(r.Package):
		return outcome.Usagef(
			"--package: %q is not a package of this repository: write . or ./PATH, from letters, digits, _, . and -", r.Package,
		)
	case !appForm.MatchString(r.App):
		return outcome.Usagef("--app: %q is not a name for a binary: use lower-case letters, digits, ., _ and -, at most 63", r.App)
	case len(r.Platforms) == 0:
		return outcome.Usagef("--platform: no platform to compile for")
	}
	return nil
}

// outsideOfModule is what the go command says where there is no module.
var outsideOfModule = regexp.MustCompile(`go\.mod file not found|cannot find main module`)

// Run compiles the package for every platform.
func Run(ctx context.Context, r Request) ([]Binary, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	out, err := os.MkdirTemp("", "waybill-compile-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the binaries: %w", err)
	}
	defer os.RemoveAll(out)
	if !r.SharedCache {
		r.Env = append(r.Env, "GOCACHE="+filepath.Join(out, "cache"), "GOMODCACHE="+filepath.Join(out, "modules"))
	}
	var binaries []Binary
	for _, p := range r.Platforms {
		file := filepath.Join(out, "binary")
		if err := r.command(p, file).Run(ctx); err != nil {
			var failed *process.Error
			if errors.As(err, &failed) && outsideOfModule.MatchString(failed.Stderr) {
				return nil, outcome.Usagef("there is no go.mod in %s or above it: run this in the Go module of the application", r.Dir)
			}
			return nil, fmt.Errorf("compile %s for %s/%s: %w", r.Package, p.OS, p.Architecture, err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("compile %s for %s/%s: %w", r.Package, p.OS, p.Architecture, err)
		}
		if bytes.HasPrefix(data, []byte("!<arch>")) { // go build writes the archive of any other package
			return nil, outcome.Usagef("--package: %s is not a main package: name the one with func main", r.Package)
		}
		if err := os.Remove(file); err != nil {
			return nil, fmt.Errorf("compile %s: %w", r.Package, err)
		}
		binaries = append(binaries, Binary{Name: p.OS + "-" + p.Architecture + "/" + r.App, Data: data})
	}
	return binaries, nil
}

// noChild keeps the toolchain from starting a child that reports how often it was called.
// Such a child lives on after the toolchain has ended, and writes into the home directory
// meanwhile. With this value the toolchain takes itself for what a child has started
// (https://pkg.go.dev/golang.org/x/telemetry, start.go).
const noChild = "GO_TELEMETRY_CHILD=2"

// command is one call of the toolchain.
func (r Request) command(p Platform, file string) process.Command {
	env := append([]string{}, r.Env...)
	env = append(env, "GOFLAGS=-modcacherw", "GOENV=off", "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Architecture, noChild)
	if v, ok := strings.CutPrefix(p.Variant, "v"); ok && p.Architecture == "arm" {
		env = append(env, "GOARM="+v)
	}
	return process.Command{
		Path: r.Go, Dir: r.Dir, Env: env, Group: true,
		Args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s", "-o", file, "--", r.Package},
	}
}

// Place writes binaries into DIR/dist, where the Dockerfile expects them. Their
// names come from a document, so they are held to their form; nothing that is
// there is replaced, and no link leads out of dir.
func Place(dir string, binaries []Binary) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("place the binaries: %w", err)
	}
	defer root.Close()
	for _, b := range binaries {
		if !nameForm.MatchString(b.Name) {
			return fmt.Errorf("place the binaries: %q is not OS-ARCH/APP", b.Name)
		}
		name := filepath.Join("dist", filepath.FromSlash(b.Name))
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("place the binary %s: %w", b.Name, err)
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
		if err != nil {
			return fmt.Errorf("place the binary %s: the repository must not hold what is compiled: %w", b.Name, err)
		}
		_, err = f.Write(b.Data)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return fmt.Errorf("place the binary %s: %w", b.Name, err)
		}
	}
	return nil
}

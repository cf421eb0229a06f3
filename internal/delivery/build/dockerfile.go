package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// maxDockerfile is more than any Dockerfile: BuildKit's own limit.
const maxDockerfile = 2 << 20

// Dockerfile is a recipe that has been read and parsed.
type Dockerfile struct {
	Path   string // as it was given, for messages
	Data   []byte
	Digest string // sha256:HEX

	stages []instructions.Stage
	args   []instructions.ArgCommand
	escape rune
}

// ReadDockerfile reads and parses a Dockerfile. Errors name the line.
func ReadDockerfile(context, file string) (*Dockerfile, error) {
	if info, err := os.Stat(context); errors.Is(err, fs.ErrNotExist) {
		return nil, outcome.Usagef("build context %s: there is no such directory: name one with --context", context)
	} else if err != nil {
		return nil, fmt.Errorf("build context: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("build context %s is not a directory", context)
	}
	if file == "" {
		file = DefaultDockerfile(context)
	}
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no Dockerfile at %s: name it with --file", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxDockerfile {
		return nil, fmt.Errorf("%s is not a Dockerfile: want a file of at most %d bytes", file, maxDockerfile)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	return ParseDockerfile(file, data)
}

// DefaultDockerfile is the recipe of a context that names none: Dockerfile, else
// dockerfile, which BuildKit also takes, else Containerfile, which Podman does.
func DefaultDockerfile(context string) string {
	for _, name := range []string{"Dockerfile", "dockerfile", "Containerfile"} {
		if _, err := os.Stat(filepath.Join(context, name)); err == nil {
			return filepath.Join(context, name)
		}
	}
	return filepath.Join(context, "Dockerfile")
}

// ParseDockerfile parses the text of a Dockerfile; name is for messages.
func ParseDockerfile(name string, data []byte) (*Dockerfile, error) {
	d := &Dockerfile{Path: name, Data: data, Digest: imageref.DigestOf(data)}
	tree, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, d.locate(err)
	}
	d.escape = tree.EscapeToken
	if d.stages, d.args, err = instructions.Parse(tree.AST, nil); err != nil {
		return nil, d.locate(err)
	}
	if len(d.stages) == 0 {
		return nil, fmt.Errorf("%s is not a Dockerfile: it has no FROM", name)
	}
	return d, d.checkSources()
}

// locate puts path and line in front of an error of the parser.
func (d *Dockerfile) locate(err error) error {
	text := err.Error()
	line := 0
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		line = at.Locations[0][0].Start.Line
		text = at.Unwrap().Error()
	}
	text = strings.TrimPrefix(text, "dockerfile parse error on line "+strconv.Itoa(line)+": ")
	if line == 0 {
		return fmt.Errorf("%s: not a Dockerfile that can be built: %s", d.Path, text)
	}
	return fmt.Errorf("%s:%d: not a Dockerfile that can be built: %s", d.Path, line, text)
}

// Locate puts path and line in front of an error that BuildKit's libraries
// found in this Dockerfile.
func (d *Dockerfile) Locate(err error) error {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		return fmt.Errorf("%s:%d: %w", d.Path, at.Locations[0][0].Start.Line, at.Unwrap())
	}
	return fmt.Errorf("%s: %w", d.Path, err)
}

// Line is the text of a line, from 1, with the ones it continues on.
func (d *Dockerfile) Line(n int) string {
	lines := strings.Split(string(d.Data), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(lines[n-1]), string(d.escape)))
}

// checkSources refuses COPY and ADD of a path that leaves the build context.
// BuildKit would read such a path as one inside it.
func (d *Dockerfile) checkSources() error {
	for _, stage := range d.stages {
		for _, cmd := range stage.Commands {
			for _, s := range contextSources(cmd) {
				if clean := path.Clean(s); clean == ".." || strings.HasPrefix(clean, "../") {
					return fmt.Errorf(
						"%s:%d: %s leaves the build context: choose a context above it with --context", d.Path,
						LineOf(cmd.Location()), s,
					)
				}
			}
		}
	}
	return nil
}

// contextSources are the paths of the build context that a command copies.
func contextSources(cmd instructions.Command) []string {
	switch c := cmd.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			return c.SourcePaths
		}
	case *instructions.AddCommand:
		return c.SourcePaths
	}
	return nil
}

// Check reports a target stage that is not there, and a FROM without a name.
func (d *Dockerfile) Check(r Request) error {
	if err := d.checkTarget(r.Target); err != nil || d.Frontend(r.Args) != nil {
		return err
	}
	for _, p := range r.Platforms {
		env, err := d.globalArgs(p, r.Args)
		if err != nil {
			return err
		}
		for _, s := range d.stages {
			base, _, err := shell.NewLex(d.escape).ProcessWord(s.BaseName, shell.EnvsFromSlice(env))
			if name := variable.FindStringSubmatch(s.BaseName); err == nil && base == "" && name != nil &&
				!strings.HasPrefix(name[1], "BUILD") {
				return fmt.Errorf("%s:%d: FROM %s names no image, because the build argument %s has no value: give --build-arg %s=VALUE, "+
					"or a default in ARG %s before the first FROM", d.Path, LineOf(s.Location), s.BaseName, name[1], name[1], name[1])
			}
		}
	}
	return nil
}

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

func (d *Dockerfile) checkTarget(target string) error {
	if target == "" {
		return nil
	}
	if _, ok := d.stage(target); ok {
		return nil
	}
	var names []string
	for _, s := range d.stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no stage %q: no stage in it has a name (FROM … AS NAME)", d.Path, target)
	}
	return fmt.Errorf("%s has no stage %q: it has %s", d.Path, target, strings.Join(names, ", "))
}

func (d *Dockerfile) stage(name string) (int, bool) {
	for i := len(d.stages) - 1; i >= 0; i-- {
		if d.stages[i].Name != "" && strings.EqualFold(d.stages[i].Name, name) {
			return i, true
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(d.stages) {
		return i, true
	}
	return 0, false
}

// executes finds the first instruction, among the stages that the target
// needs, that only BuildKit can carry out.
func (d *Dockerfile) executes(target string, p Platform, args map[string]string) (*NeedsBuildKit, error) {
	if other := d.Frontend(args); other != nil {
		return other, nil
	}
	env, err := d.globalArgs(p, args)
	if err != nil {
		return nil, err
	}
	needed := map[int]bool{}
	var need func(i int) error
	need = func(i int) error {
		if needed[i] {
			return nil
		}
		needed[i] = true
		base, _, err := shell.NewLex(d.escape).ProcessWord(d.stages[i].BaseName, shell.EnvsFromSlice(env))
		if err != nil {
			return fmt.Errorf("%s:%d: %w", d.Path, LineOf(d.stages[i].Location), err)
		}
		if j, ok := d.stageBefore(base, i, false); ok {
			if err := need(j); err != nil {
				return err
			}
		}
		for _, cmd := range d.stages[i].Commands {
			if c, ok := cmd.(*instructions.CopyCommand); ok && c.From != "" {
				if j, ok := d.stageBefore(c.From, i, true); ok {
					if err := need(j); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	last := len(d.stages) - 1
	if target != "" {
		last, _ = d.stage(target)
	}
	if err := need(last); err != nil {
		return nil, err
	}
	for i, stage := range d.stages {
		if !needed[i] {
			continue
		}
		for _, cmd := range stage.Commands {
			if reason := needsBuildKit(cmd); reason != "" {
				return &NeedsBuildKit{Path: d.Path, Line: LineOf(cmd.Location()), What: d.Line(LineOf(cmd.Location())), Reason: reason}, nil
			}
		}
	}
	return nil, nil
}

// FirstExecution is the first instruction that only BuildKit can carry out, for
// any platform of the request; nil where there is none.
func (d *Dockerfile) FirstExecution(r Request) *NeedsBuildKit {
	for _, p := range r.Platforms {
		if first, err := d.executes(r.Target, p, r.Args); err == nil && first != nil {
			return first
		}
	}
	return nil
}

func (d *Dockerfile) stageBefore(name string, i int, byIndex bool) (int, bool) {
	for j := i - 1; j >= 0; j-- {
		if d.stages[j].Name != "" && strings.EqualFold(d.stages[j].Name, name) {
			return j, true
		}
	}
	if n, err := strconv.Atoi(name); byIndex && err == nil && n >= 0 && n < i {
		return n, true
	}
	return 0, false
}

func needsBuildKit(cmd instructions.Command) string {
	switch c := cmd.(type) {
	case *instructions.RunCommand:
		return "RUN executes a program"
	case *instructions.AddCommand:
		for _, s := range c.SourcePaths {
			if ref, isGit, err := dfgitutil.ParseGitRef(s); isGit && err == nil && !ref.IndistinguishableFromLocal {
				return "ADD clones " + s
			}
			if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
				return "ADD downloads " + s
			}
		}
	}
	return ""
}

// globalArgs are the variables that FROM may use.
func (d *Dockerfile) globalArgs(p Platform, args map[string]string) ([]string, error) {
	values := map[string]string{"TARGETPLATFORM": p.String(), "TARGETOS": p.OS, "TARGETARCH": p.Architecture, "TARGETVARIANT": p.Variant}
	list := func() (env []string) {
		for name, value := range values {
			env = append(env, name+"="+value)
		}
		return env
	}
	lex := shell.NewLex(d.escape)
	for _, cmd := range d.args {
		for _, arg := range cmd.Args {
			if value, given := args[arg.Key]; given {
				values[arg.Key] = value
			} else if arg.Value != nil {
				value, _, err := lex.ProcessWord(*arg.Value, shell.EnvsFromSlice(list()))
				if err != nil {
					return nil, fmt.Errorf("%s:%d: %w", d.Path, LineOf(cmd.Location()), err)
				}
				values[arg.Key] = value
			}
		}
	}
	return list(), nil
}

// LineOf is the first line of a place in a Dockerfile, 0 where it is unknown.
func LineOf(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

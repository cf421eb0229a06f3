package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/text"
)

// maxAnswer bounds what is read of the child's answer, which holds text that
// the image's author chose: 512 MiB.
const maxAnswer = 512 << 20

const childGrace = 5 * time.Second

// Program is the binary that scans, and the variables by which it gets the
// credentials of the image's registry.
const (
	Program          = "waybill-scan"
	RegistryUsername = "WAYBILL_REGISTRY_USERNAME"
	RegistryPassword = "WAYBILL_REGISTRY_PASSWORD"
	Registries       = "WAYBILL_REGISTRIES"
)

// Child is how waybill-scan is run.
type Child struct {
	Path    string                   // the program; see FindChild
	Getenv  func(name string) string // of this process
	Timeout time.Duration
	Words   io.Writer // gets the child's stderr

	// Username and Password are for the image's registry, where no config.json
	// has them. Reading is all the child does with them; a job that pushes
	// documents too gives it more than it needs.
	Username, Password string
}

// FindChild looks for waybill-scan beside this program, then on PATH.
func FindChild(executable string) (string, error) {
	if executable != "" {
		beside := filepath.Join(filepath.Dir(executable), Program)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	path, err := process.LookPath(Program)
	if err != nil {
		return "", fmt.Errorf(
			"%s is neither beside %s nor on PATH: it comes with the release and with the setup action; from the source, `make "+
				"build` makes it",
			Program, executable,
		)
	}
	return filepath.Abs(path)
}

// environment is all that the child gets to see. It parses layers that anybody
// may have written, so no job token, no identity and no write credential is in
// it; a temporary directory of its own is.
func (c Child) environment(temporary string) []string {
	env := []string{
		"TMPDIR=" + temporary, "PATH=" + c.Getenv("PATH"), // credential helpers are on PATH
		"GOGC=off", // until it sets its own limits: it starts in a fifth less time
	}
	for _, name := range []string{"HOME", "DOCKER_CONFIG", Registries} { // where the registry's credentials are, and how it is reached
		if value := c.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if c.Password != "" {
		env = append(env, RegistryUsername+"="+c.Username, RegistryPassword+"="+c.Password)
	}
	return env
}

// Run has the child answer the request. A child that ends in any other way than
// with a whole answer about exactly what was asked is an error.
func (c Child) Run(ctx context.Context, request exchange.Request) (exchange.Answer, error) {
	question, err := json.Marshal(request)
	if err != nil {
		return exchange.Answer{}, fmt.Errorf("write the request to %s: %w", Program, err)
	}
	temporary, err := os.MkdirTemp("", "waybill-scan-")
	if err != nil {
		return exchange.Answer{}, fmt.Errorf("make a directory for %s: %w", Program, err)
	}
	defer os.RemoveAll(temporary) // also what a child that died left behind
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("the scan took longer than %s", c.Timeout))
	defer cancel()
	out, in := io.Pipe()
	answered := make(chan reading, 1)
	go func() {
		answer, err := exchange.Read(out, maxAnswer)
		answered <- reading{answer, err}
		_, _ = io.Copy(io.Discard, out) // what is left, so that the child can end
	}()
	words := &quoted{out: c.Words}
	defer words.flush()
	err = process.Command{
		Path: c.Path, Env: c.environment(temporary), Dir: temporary, Stdin: bytes.NewReader(question),
		Stdout: in, Stderr: words, Grace: childGrace, Group: true,
	}.Run(ctx)
	in.Close()
	got := <-answered
	if cause := context.Cause(ctx); cause != nil {
		return exchange.Answer{}, fmt.Errorf("scan: %w", cause)
	}
	if err != nil && words.outOfMemory {
		return exchange.Answer{}, fmt.Errorf("scan: the image needs more than the %d MiB of memory that one scan may use, and so %s ended",
			request.Limits.MemoryBytes>>20, Program)
	}
	if err != nil && words.failure != "" {
		return exchange.Answer{}, errors.New(words.failure)
	}
	if err != nil {
		return exchange.Answer{}, fmt.Errorf("scan: %w", withoutOrders(err))
	}
	if err = got.err; err == nil {
		err = got.answer.Check(request)
	}
	if err != nil {
		return exchange.Answer{}, fmt.Errorf("scan: %s: %w", c.Path, err)
	}
	return got.answer, nil
}

// reading is what came of reading the child's output.
type reading struct {
	answer exchange.Answer
	err    error
}

// quoted passes on what the child says, a line at a time behind its name. Words
// of an image may be in it, and at the start of a line they could give the
// terminal or the Actions runner orders.
type quoted struct {
	out  io.Writer // nil drops
	line []byte

	failure     string // why the child says that it failed, which its error tells once
	outOfMemory bool   // whether Go's runtime said that there is no more; pages on where it was are dropped
}

const maxLine = 2000

// noMemory are the first words of Go's runtime where it gets no memory. Its collector
// does not look whether it got some, and so ends by a signal: a fault of the program
// itself begins with "panic:".
// https://github.com/golang/go/blob/master/src/runtime/malloc.go
// https://github.com/golang/go/blob/master/src/runtime/mem_linux.go
// https://github.com/golang/go/blob/master/src/runtime/mgcmark_greenteagc.go
var noMemory = []string{
	"runtime: out of memory", "fatal error: out of memory", "fatal error: runtime: out of memory",
	"fatal error: runtime: cannot allocate memory", "runtime: cannot allocate memory",
	"SIGSEGV: segmentation violation",
}

func (q *quoted) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || len(q.line) == maxLine {
			q.flush()
		}
		if b != '\n' {
			q.line = append(q.line, b)
		}
	}
	return len(p), nil
}

func (q *quoted) flush() {
	for _, words := range noMemory {
		q.outOfMemory = q.outOfMemory || strings.HasPrefix(string(q.line), words)
	}
	if q.outOfMemory {
		q.line = q.line[:0]
		return
	}
	line := text.OneLine(strings.ToValidUTF8(string(q.line), "?"))
	q.line = q.line[:0]
	if said, is := strings.CutPrefix(line, exchange.Failure); is {
		q.failure = said
	} else if q.out != nil && line != "" {
		fmt.Fprintf(q.out, "%s: %s\n", Program, line)
	}
}

// withoutOrders does the same to the end of the child's words that its error
// carries.
func withoutOrders(err error) error {
	var failed *process.Error
	if errors.As(err, &failed) {
		failed.Stderr = text.OneLine(strings.ToValidUTF8(strings.ReplaceAll(failed.Stderr, "\n", "; "), "?"))
	}
	return err
}

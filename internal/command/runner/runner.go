// Package runner is the only door to the Actions protocol: outputs, masks,
// annotations, log groups, the step summary, the event payload, the job's
// context and its OIDC token.
//
// Values that come from outside cannot break out of what they are written
// into: outputs use a delimiter drawn at random and checked against the value,
// commands are escaped, and the summary is cut before the runner would drop it
// whole. Outside Actions everything is a no-op, and Active says so.
//
// It builds on go-githubactions for commands, context and token. That library
// panics where a file or stream cannot be written, and writes outputs with a
// delimiter that anybody can put into a value; both stop here.
package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"

	"github.com/waybill-dev/waybill/internal/text"
)

// SummaryLimit is the largest step summary GitHub takes, in bytes; a larger
// one is refused whole.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const SummaryLimit = 1 << 20

const tokenTimeout = 30 * time.Second

const summaryCut = "\n\n_The rest did not fit into the summary._\n"

// Runner speaks to the Actions runner whose environment it was made from.
type Runner struct {
	getenv func(string) string
	out    io.Writer // where workflow commands go: the step's stdout
	action *githubactions.Action
}

// New reads the runner's environment. Workflow commands are written to out,
// which must be the standard output or error of the step.
func New(getenv func(string) string, out io.Writer) *Runner {
	return &Runner{getenv: getenv, out: out, action: githubactions.New(
		githubactions.WithWriter(out),
		githubactions.WithGetenv(getenv),
		githubactions.WithHTTPClient(&http.Client{Timeout: tokenTimeout}),
	)}
}

// Active reports whether this is a job of Actions (or act).
func (r *Runner) Active() bool { return r.getenv("GITHUB_ACTIONS") == "true" }

// SetOutput hands value to the steps after this one. Several lines are fine.
func (r *Runner) SetOutput(name, value string) error {
	return r.fileCommand("GITHUB_OUTPUT", name, value)
}

func (r *Runner) fileCommand(variable, name, value string) error {
	path := r.getenv(variable)
	if path == "" {
		return nil
	}
	if name == "" || strings.ContainsAny(name, "=<\r\n") {
		return fmt.Errorf("write %s: name %q cannot be written", variable, name)
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("write %s %s: %w", variable, name, err)
	}
	text, err := heredoc(name, value, "waybill_"+hex.EncodeToString(random[:]))
	if err != nil {
		return fmt.Errorf("write %s: %w", variable, err)
	}
	return appendFile(path, text)
}

func heredoc(name, value, delimiter string) (string, error) {
	if strings.Contains(name, delimiter) || strings.Contains(value, delimiter) {
		return "", fmt.Errorf("the value of %s contains the delimiter", name)
	}
	return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n", nil
}

func appendFile(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write to the runner: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write to the runner: %w", err)
	}
	return nil
}

// shortLine is the length from which a line of several is masked.
const shortLine = 4

// Mask hides a secret in the job's log, each line of it by itself: the runner
// compares line by line.
func (r *Runner) Mask(secret string) error {
	if !r.Active() {
		return nil
	}
	several := strings.Contains(strings.TrimSpace(secret), "\n")
	for line := range strings.SplitSeq(secret, "\n") {
		// A brace of JSON is no secret, and GitHub drops each output that has a masked text.
		if line = strings.TrimSpace(line); line == "" || several && len(line) < shortLine {
			continue
		}
		if err := guard("mask", func() { r.action.AddMask(line) }); err != nil {
			return err
		}
	}
	return nil
}

// Level of an annotation.
type Level string

// The levels of annotation that GitHub shows.
const (
	Notice  Level = "notice"
	Warning Level = "warning"
	Failure Level = "error"
)

// Annotation is a message, at a place in a file where File is set.
type Annotation struct {
	Level   Level
	File    string // relative to the repository's root
	Line    int    // from 1; 0 for the whole file
	Column  int    // from 1; 0 for the whole line
	Title   string
	Message string
}

// Annotate shows an annotation in the job's page and on the pull request.
func (r *Runner) Annotate(a Annotation) error {
	if !r.Active() {
		return nil
	}
	properties := githubactions.CommandProperties{}
	for _, part := range []*string{&a.File, &a.Title, &a.Message} { // line breaks are escaped below
		*part = text.NoCommand(*part)
	}
	if a.File != "" {
		properties["file"] = a.File
		if a.Line > 0 {
			properties["line"] = fmt.Sprint(a.Line)
		}
		if a.Line > 0 && a.Column > 0 {
			properties["col"] = fmt.Sprint(a.Column)
		}
	}
	if a.Title != "" {
		properties["title"] = a.Title
	}
	return guard("annotate", func() {
		r.action.IssueCommand(&githubactions.Command{Name: string(a.Level), Message: a.Message, Properties: properties})
	})
}

// Group folds what is logged until the returned function is called.
func (r *Runner) Group(title string) (end func()) {
	if !r.Active() {
		return func() {}
	}
	if guard("group", func() { r.action.Group(Plain(title)) }) != nil {
		return func() {}
	}
	return func() { _ = guard("end group", r.action.EndGroup) }
}

// Untrusted writes text from outside to the log with workflow commands turned
// off, so that a line such as "::add-mask::" in it stays a line.
func (r *Runner) Untrusted(text string) error {
	if !r.Active() {
		_, err := io.WriteString(r.out, text)
		return err
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	token := hex.EncodeToString(random[:])
	_, err := fmt.Fprintf(r.out, "::stop-commands::%s\n%s\n::%s::\n", token, strings.TrimSuffix(text, "\n"), token)
	return err
}

// Summary adds Markdown to the step's summary. What would take it over
// SummaryLimit is cut, at a line and a rune, and a note says so.
func (r *Runner) Summary(markdown string) error {
	path := r.getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	var written int
	if info, err := os.Stat(path); err == nil {
		written = int(info.Size())
	}
	room := SummaryLimit - written - 1
	if len(markdown) > room {
		room -= len(summaryCut)
		if room <= 0 {
			return nil
		}
		markdown = cut(markdown, room) + summaryCut
	}
	return appendFile(path, markdown+"\n")
}

func cut(text string, limit int) string {
	text = text[:limit]
	for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	if len(text) > 0 && !utf8.ValidString(text[len(text)-1:]) {
		text = text[:len(text)-1]
	}
	if i := strings.LastIndexByte(text, '\n'); i > limit/2 {
		text = text[:i]
	}
	return text
}

// ErrNoIdentity is reported where the job has no OIDC token to give.
var ErrNoIdentity = errors.New("this job has no OIDC identity: it needs `permissions: id-token: write`, and outside Actions there " +
	"is none; sign with --key there")

// HasIdentity reports whether the job can ask for an OIDC token.
func (r *Runner) HasIdentity() bool {
	return r.getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && r.getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != ""
}

// IDToken asks GitHub for an OIDC token of this job with the given audience.
func (r *Runner) IDToken(ctx context.Context, audience string) (string, error) {
	if !r.HasIdentity() {
		return "", ErrNoIdentity
	}
	var token string
	var err error
	if panicked := guard("ask for the OIDC token", func() { token, err = r.action.GetIDToken(ctx, audience) }); panicked != nil {
		return "", panicked
	}
	if err != nil {
		return "", fmt.Errorf("ask for the job's OIDC token: %w", err)
	}
	return token, r.Mask(token)
}

// guard turns a panic of go-githubactions into an error.
func guard(doing string, f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", doing, p)
		}
	}()
	f()
	return nil
}

// Package cli turns the contract into a command line: flags and help from the
// declarations, inputs from flags or a composite action's environment, exit
// codes from outcomes, one error printed once.
//
// A command's function sees its Call and nothing else of the process; it never
// reads the environment, prints errors or exits by itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Func runs one command.
type Func func(ctx context.Context, call *Call) error

// With is a command in two parts: step takes the inputs, a struct of
// internal/command/options, and returns the result; view renders it. A result
// that comes with an error is shown too, unless it is empty.
func With[Options, Result any](step func(context.Context, *Call, Options) (Result, error), view func(Options, Result) show.View) Func {
	return Each(func(ctx context.Context, call *Call, in Options, show func(Result) error) error {
		result, err := step(ctx, call, in)
		if err != nil && reflect.ValueOf(&result).Elem().IsZero() {
			return err
		}
		return outcome.Join(err, show(result))
	}, view)
}

// Each is With for a step that has several results, and calls show for each as
// soon as it is there.
func Each[Options, Result any](
	step func(ctx context.Context, call *Call, in Options, show func(Result) error) error, view func(Options, Result) show.View,
) Func {
	return func(ctx context.Context, call *Call) error {
		var in Options
		if err := call.In.Fill(&in); err != nil {
			return err
		}
		loud := *call
		loud.Stderr = call.errors
		to := show.To{
			Format: options.Format(call.In.Format()), Stdout: call.Stdout, Runner: call.Runner, Sayf: loud.Sayf, Output: call.Output,
			Quiet: call.quiet,
		}
		return step(ctx, call, in, func(result Result) error {
			v := view(in, result)
			return outcome.Join(v.Verdict, v.Show(result, to))
		})
	}
}

// Call is one invocation of a command, and its only way to the outside.
type Call struct {
	Command contract.Command
	In      contract.Values
	Stdin   io.Reader // nil where nobody answers
	Stdout  io.Writer // results alone
	Stderr  io.Writer // words; none with --quiet
	Runner  *runner.Runner
	Getenv  func(string) string // for Env alone

	errors io.Writer // what is found, and errors: Stderr but for --quiet
	quiet  bool
	debug  bool // whether Traced says requests
}

// Env reads a declared environment variable.
func (c *Call) Env(v contract.EnvVar) string { return c.Getenv(v.Name) }

// Sayf writes a line of words to stderr. Nothing in it is a command to the
// runner.
func (c *Call) Sayf(format string, args ...any) {
	fmt.Fprint(c.Stderr, runner.Plain(fmt.Sprintf(strings.TrimSuffix(format, "\n")+"\n", args...)))
}

// Output hands a declared output to the steps after this one.
func (c *Call) Output(name, value string) error {
	if !c.Command.HasOutput(name) {
		return fmt.Errorf("command %s sets output %q, which internal/command/contract does not declare", c.Command.Name, name)
	}
	return c.Runner.SetOutput(name, value)
}

// Program is a binary: its name, what it does, and its commands by name.
type Program struct {
	Name     string
	Short    string
	Commands map[string]Func
	Extra    []*cobra.Command // commands outside the contract, such as version
}

// Process is the part of the operating system that a program uses.
type Process struct {
	Args   []string // without the program's name
	Getenv func(string) string
	Stdin  io.Reader // of the commands that ask questions on a terminal
	Stdout io.Writer
	Stderr io.Writer

	commands io.Writer // Stderr as it is, for commands to the runner
	debug    *bool     // set when the flags are parsed
	quiet    *bool     // likewise
	watched  bool      // whether stderr is a terminal
}

// plain takes every command to the runner out of what is written in Actions:
// what a command reports can hold text from outside. The runner's own commands
// go by another way.
func (p Process) plain() Process {
	p.commands = p.Stderr
	if p.Getenv("GITHUB_ACTIONS") == "true" {
		p.Stdout, p.Stderr = &runner.PlainWriter{W: p.Stdout}, &runner.PlainWriter{W: p.Stderr}
	}
	return p
}

// stdout is where results go, in Actions as text or as a document in JSON.
func stdout(values contract.Values, proc Process) io.Writer {
	w, ok := proc.Stdout.(*runner.PlainWriter)
	if !ok || values.Format() != "json" {
		return proc.Stdout
	}
	return &runner.PlainWriter{W: w.W, JSON: true}
}

// Run parses and runs one command and returns the exit code.
func (p Program) Run(ctx context.Context, proc Process) int {
	proc.watched = isTerminal(proc.Stderr) && proc.Getenv("GITHUB_ACTIONS") == "" // act gives jobs a terminal
	proc.Stdout, proc.Stderr = coloured(proc.Stdout, proc.Getenv), coloured(proc.Stderr, proc.Getenv)
	proc = proc.plain()
	root := &cobra.Command{
		Use: p.Name, Short: p.Short, Version: Version(),
		SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true, // meant says them on one line
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(proc.Args)
	root.SetOut(proc.Stdout)
	root.SetErr(proc.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return outcome.Usagef("%w%s see %s --help", err, meant(cmd, err), cmd.CommandPath())
	})
	proc.debug = root.PersistentFlags().Bool("debug", false, debugDoc)
	root.PersistentFlags().BoolVar(proc.debug, "verbose", false, verboseDoc)
	proc.quiet = root.PersistentFlags().Bool("quiet", false, quietDoc)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if *proc.debug && *proc.quiet {
			return outcome.Usagef("--quiet and --debug exclude each other: give one of them")
		}
		return nil
	}
	root.SetHelpCommand(helpOf(root))
	started := false
	p.addCommands(root, proc, &started)
	namesAShell(root)
	root.AddCommand(p.Extra...)
	for _, extra := range p.Extra {
		if inner := extra.RunE; inner != nil {
			extra.RunE = func(cmd *cobra.Command, args []string) error { started = true; return inner(cmd, args) }
		}
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return outcome.Done
	}
	var known *outcome.Error
	if !started && !errors.As(err, &known) {
		err = outcome.Usagef("%w%s see %s --help", err, meant(root, err), p.Name) // cobra's own: unknown command or argument
	}
	report(err, proc)
	return outcome.Code(err)
}

// helpOf is cobra's help command, but for an unknown command, which is an error here.
func helpOf(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "Help about any command",
		ValidArgsFunction: func(_ *cobra.Command, before []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if len(before) == 0 && c.IsAvailableCommand() {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, _, err := root.Find(args)
			if err != nil {
				return err
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// namesAShell makes an unknown shell an error of cobra's command completion.
func namesAShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil || c == root {
		return // a program without commands has none
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		return outcome.Usagef("%w%s see %s --help", err, meant(cmd, err), cmd.CommandPath())
	}
}

// addCommands puts the commands below the headings of the help. A program of few
// commands has none.
func (p Program) addCommands(root *cobra.Command, proc Process, started *bool) {
	for _, section := range contract.Sections() {
		for _, c := range section.Commands {
			f, ok := p.Commands[c.Name]
			if !ok {
				continue
			}
			cmd := command(c, f, proc, started)
			if len(p.Commands) > len(section.Commands) {
				cmd.GroupID = section.Title
				if !root.ContainsGroup(section.Title) {
					root.AddGroup(&cobra.Group{ID: section.Title, Title: section.Title + ":"})
				}
			}
			root.AddCommand(cmd)
		}
	}
}

func command(c contract.Command, f Func, proc Process, started *bool) *cobra.Command {
	use := c.Name
	var positional []contract.Input
	for _, in := range c.Inputs {
		if in.Positional {
			positional = append(positional, in)
			use += " " + in.Placeholder
		}
	}
	cmd := &cobra.Command{Use: use, Short: c.Short, Long: wrap(c.FlagText(c.Long), lineEnd)}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > len(positional) && !takesRest(positional) {
			return outcome.Usagef("%s takes %d argument(s), got %q: see %s --help", c.Name, len(positional), args, cmd.CommandPath())
		}
		return nil
	}
	flags := newFlags(cmd, c)
	complete(cmd, c)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		*started = true
		if _, err := os.Getwd(); err != nil {
			return outcome.Usagef("the current directory does not exist any more: change to one that does")
		}
		given := flags.given(cmd)
		for i, arg := range args {
			in := positional[min(i, len(positional)-1)]
			given[in.Name] = append(given[in.Name], arg)
		}
		values, err := contract.Resolve(c, given, proc.Getenv)
		if err != nil {
			return err
		}
		call := &Call{
			Command: c, In: values, Stdin: proc.Stdin, Stdout: stdout(values, proc), Stderr: proc.Stderr,
			Runner: runner.New(proc.Getenv, proc.commands), Getenv: proc.Getenv, debug: *proc.debug, quiet: *proc.quiet,
			errors: proc.Stderr,
		}
		if call.quiet { // nobody would see a question
			call.Stdin, call.Stderr = nil, io.Discard
		}
		if err := maskSecrets(call); err != nil {
			return err
		}
		if proc.watched && !call.quiet {
			defer goesOn(c.Name, call.Sayf, time.After)()
		}
		return f(cmd.Context(), call)
	}
	return cmd
}

// takesRest reports whether the last argument can be given several times.
func takesRest(positional []contract.Input) bool {
	return len(positional) > 0 && positional[len(positional)-1].Type == contract.List
}

func maskSecrets(call *Call) error {
	for _, secret := range call.In.Secrets() {
		if err := call.Runner.Mask(secret); err != nil {
			return err
		}
	}
	for _, v := range contract.Environment() {
		if v.Sensitive {
			if err := call.Runner.Mask(call.Env(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// report prints the error once, and in Actions as an annotation too.
func report(err error, proc Process) {
	word := map[int]string{outcome.Refused: "refused", outcome.Pending: "pending"}[outcome.Code(err)]
	if word == "" {
		word = "error"
	}
	fmt.Fprint(proc.Stderr, runner.Plain(fmt.Sprintf("%s: %v\n", word, err)))
	r := runner.New(proc.Getenv, proc.commands)
	level := runner.Failure
	if outcome.Code(err) == outcome.Pending {
		level = runner.Notice
	}
	_ = r.Annotate(runner.Annotation{Level: level, Title: "waybill " + word, Message: err.Error()})
}

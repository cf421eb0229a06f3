// Command waybill carries container images by digest, with their evidence,
// from source to production.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/limit"
	_ "github.com/waybill-dev/waybill/internal/limit/early"
	"github.com/waybill-dev/waybill/internal/scratch"
)

func main() { os.Exit(run()) }

func run() int {
	limit.CollectLess(os.Getenv)
	log.SetOutput(io.Discard) // Helm logs values of charts through it, which can be secret
	if temp := scratch.OfJob(os.Getenv); temp != "" {
		_ = os.Setenv("TMPDIR", temp) // what a killed process leaves there goes with the job
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return program.Run(ctx, cli.Process{Args: os.Args[1:], Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
}

var program = cli.Program{
	Name:  "waybill",
	Short: "Carry container images by digest, with their evidence, from source to production",
	Commands: map[string]cli.Func{
		"changed":  cli.With(runChanged, views.Changed),
		"compile":  cli.With(runCompile, views.Compile),
		"build":    cli.With(runBuild, views.Build),
		"scan":     cli.With(runScan, views.Scan),
		"sign":     cli.With(runSign, views.Sign),
		"verify":   cli.With(runVerify, views.Verify),
		"tag":      cli.With(runTag, views.Tag),
		"bump":     bounded(cli.With(runBump, views.Bump)),
		"promote":  bounded(cli.With(runPromote, views.Promote)),
		"check":    bounded(cli.With(runCheck, views.Check)),
		"diff":     bounded(cli.With(runDiff, views.Diff)),
		"rollback": bounded(cli.With(runRollback, views.Rollback)),
		"hold":     bounded(cli.With(runHold, views.Hold)),
		"status":   bounded(cli.With(runStatus, views.Status)),
		"why":      bounded(cli.With(runWhy, views.Why)),
		"history":  bounded(cli.With(runHistory, views.History)),
		"report":   bounded(cli.With(runReport, views.Report)),
		"replay":   bounded(cli.With(runReplay, views.Replay)),
		"audit":    bounded(cli.With(runAudit, views.Audit)),
		"policy":   cli.With(runPolicy, views.Policy),
		"setup":    cli.With(runSetup, views.Setup),
		"doctor":   bounded(cli.With(runDoctor, views.Doctor)),
		"login":    cli.With(runLogin, views.Login),
		"plan":     cli.With(runPlan, views.Plan),
		"gate":     cli.With(runGate, views.Gate),
		"apply":    cli.Each(runApply, views.Apply),
		"drift":    cli.With(runDrift, views.Drift),
		"init":     cli.With(runInit, views.Init),
		"upgrade":  cli.With(runUpgrade, views.Upgrade),
		"schema":   runSchema,
		"version":  cli.With(runVersion, views.Version),
	},
}

// bounded is for commands that read what others wrote: they end within stated
// limits of memory, and soon after an interrupt, whatever they read.
func bounded(f cli.Func) cli.Func {
	return func(ctx context.Context, call *cli.Call) error {
		return limit.Command(ctx, func(ctx context.Context) error { return f(ctx, call) })
	}
}

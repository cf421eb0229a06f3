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
	"github.com/waybill-dev/waybill/internal/limit"
)

func main() { os.Exit(run()) }

func run() int {
	log.SetOutput(io.Discard) // Helm logs values of charts through it, which can be secret
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return program.Run(ctx, cli.Process{Args: os.Args[1:], Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
}

var program = cli.Program{
	Name:  "waybill",
	Short: "Carry container images by digest, with their evidence, from source to production",
	Commands: map[string]cli.Func{
		"compile":  runCompile,
		"build":    runBuild,
		"scan":     runScan,
		"sign":     runSign,
		"verify":   runVerify,
		"tag":      runTag,
		"bump":     bounded(runBump),
		"promote":  bounded(runPromote),
		"check":    bounded(runCheck),
		"diff":     bounded(runDiff),
		"rollback": bounded(runRollback),
		"hold":     bounded(runHold),
		"status":   bounded(runStatus),
		"login":    runLogin,
		"plan":     runPlan,
		"gate":     runGate,
		"apply":    runApply,
		"drift":    runDrift,
		"init":     runInit,
	},
}

// bounded is for commands that read what others wrote: however that is built,
// they end within stated limits of memory, and soon after an interrupt.
func bounded(f cli.Func) cli.Func {
	return func(ctx context.Context, call *cli.Call) error {
		return limit.Command(ctx, func(ctx context.Context) error { return f(ctx, call) })
	}
}

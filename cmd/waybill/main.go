// Command waybill carries container images by digest, with their evidence,
// from source to production.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/waybill-dev/waybill/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
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
		"bump":     runBump,
		"promote":  runPromote,
		"check":    runCheck,
		"diff":     runDiff,
		"rollback": runRollback,
		"status":   runStatus,
		"login":    runLogin,
		"plan":     runPlan,
		"gate":     runGate,
		"apply":    runApply,
		"drift":    runDrift,
		"init":     runInit,
	},
}

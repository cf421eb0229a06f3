// Command waybill-sandbox is the rehearsal: a registry, a stand-in for GitHub
// that runs workflows with act, and an OIDC issuer, on loopback.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	program := cli.Program{
		Name:  "waybill-sandbox",
		Short: "Rehearse deliveries on this machine: a registry, a stand-in for GitHub that runs workflows, an OIDC issuer",
		Extra: append([]*cobra.Command{serve(), rehearse()}, visits(os.Getenv("REHEARSAL"))...),
	}
	return program.Run(ctx, cli.Process{Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr})
}

func serve() *cobra.Command {
	var dir, act, root, binaries string
	var local, env []string
	var keep, delivery bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve until interrupted; print the addresses as JSON", Args: cobra.NoArgs,
		Long: "Serves a registry, a stand-in for GitHub and an OIDC issuer. With --delivery also a Sigstore and a vulnerability " +
			"database; then repositories, App and merges of a rehearsal are made by the commands beside this one, which find it by " +
			"--dir or the variable REHEARSAL.",
		Example: "  waybill-sandbox serve --dir /tmp/rehearsal --delivery\n  waybill-sandbox serve --dir /tmp/rehearsal --local " +
			"waybill-dev/waybill=.",
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "directory of repositories, blobs, runs and logs; made where it is missing")
	flags.StringVar(&act, "act", "", "program that runs workflows; empty looks on PATH, none runs none")
	flags.StringArrayVar(&local, "local", nil, "OWNER/NAME=DIR: directory that stands for a repository of actions, at every ref")
	flags.StringVar(&binaries, "binaries", "", "directory of Waybill's binaries that the actions install; empty downloads or builds them")
	flags.StringArrayVar(&env, "env", nil, "NAME=VALUE: variable that every job sees")
	flags.BoolVar(&keep, "keep", false, "leave the clones of finished runs")
	flags.BoolVar(&delivery, "delivery", false, "serve everything that a delivery needs, and write DIR/env to source")
	flags.StringVar(&root, "root", ".", "checkout of Waybill, with make build tools-demo done; for --delivery")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if dir == "" {
			return outcome.Usagef("serve needs --dir")
		}
		o := rehearsal.Options{
			Dir: dir, Act: act, Env: append(rehearsal.Environment(os.Getenv), env...), Local: map[string]string{},
			Binaries: binaries, Keep: keep,
		}
		for _, l := range local {
			name, path, ok := strings.Cut(l, "=")
			if !ok {
				return outcome.Usagef("--local %s is not of the form OWNER/NAME=DIR", l)
			}
			o.Local[name] = path
		}
		o.Logf = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
		if delivery {
			if act != "" || len(local) > 0 {
				return outcome.Usagef("--delivery brings its own --act and --local")
			}
			return serveDelivery(cmd, root, o)
		}
		s, err := rehearsal.Start(cmd.Context(), o)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(s.URLs()); err != nil {
			return fmt.Errorf("print the addresses: %w", err)
		}
		<-cmd.Context().Done()
		return nil
	}
	return cmd
}

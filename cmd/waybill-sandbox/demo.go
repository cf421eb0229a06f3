package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/demo"
)

func rehearse() *cobra.Command {
	var root, dir, tools string
	var verbose bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Deliver two example applications for real, and print what happened", Args: cobra.NoArgs,
		Example: "  make demo",
	}
	flags := cmd.Flags()
	flags.StringVar(&root, "root", ".", "checkout of Waybill, with bin/ built")
	flags.StringVar(&dir, "dir", "", "directory for everything the demo makes; made anew; empty is .demo in the checkout")
	flags.StringVar(
		&tools, "tools", "",
		"directory of act, buildkitd, fulcio, rekor-server and timestamp-server; empty is bin/tools in the checkout",
	)
	flags.BoolVarP(&verbose, "verbose", "v", false, "tell when each workflow run starts and ends")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		top, err := filepath.Abs(root)
		if err != nil {
			return err
		}
		o := demo.Options{Root: top, Dir: dir, Tools: tools, Env: rehearsal.Environment(os.Getenv), Out: cmd.OutOrStdout()}
		if o.Dir == "" {
			o.Dir = filepath.Join(top, ".demo")
		}
		if o.Tools == "" {
			o.Tools = filepath.Join(top, "bin", "tools")
		}
		for _, need := range []string{
			filepath.Join(top, "bin", "waybill"), filepath.Join(top, "bin", "waybill-scan"), filepath.Join(o.Tools, "act"),
		} {
			if _, err := os.Stat(need); err != nil {
				return outcome.Usagef("%s is not there: run make demo, which builds it", need)
			}
		}
		if verbose {
			o.Logf = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
		}
		_, err = demo.Run(cmd.Context(), o)
		return err
	}
	return cmd
}

package cli

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
)

var unknown = regexp.MustCompile(`^unknown (?:flag: (--)|command ")([^"]+)`)

// meant names the command or flag that is nearest to the unknown one of an
// error, as the middle of the message. The distance is the one by which cobra compares commands.
func meant(cmd *cobra.Command, err error) string {
	m := unknown.FindStringSubmatch(err.Error())
	if m == nil {
		return ":"
	}
	names := cmd
	if m[1] != "" {
		names = &cobra.Command{}
		for _, flag := range flagNames(cmd.Name()) {
			names.AddCommand(&cobra.Command{Use: flag, Run: func(*cobra.Command, []string) {}})
		}
	}
	names.SuggestionsMinimumDistance = 2
	if near := names.SuggestionsFor(m[2]); len(near) > 0 {
		return ". Did you mean " + m[1] + near[0] + "? Otherwise"
	}
	return ":"
}

func flagNames(command string) []string {
	names := []string{"debug", "help", "quiet", "verbose"}
	c, _ := contract.Lookup(command) // the root has none of its own
	for _, in := range c.Inputs {
		if isFlag(in) {
			names = append(names, in.Flag())
		}
	}
	return names
}

// complete lets shells complete the values that are known: choices, and the
// environments and applications of waybill.yaml.
func complete(cmd *cobra.Command, c contract.Command) {
	var arguments []contract.Input
	for _, in := range c.Inputs {
		if in.Positional {
			arguments = append(arguments, in)
		}
		if cmd.Flags().Lookup(in.Flag()) == nil {
			continue
		}
		// The flag is there, and has none yet.
		_ = cmd.RegisterFlagCompletionFunc(in.Flag(), func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return known(cmd, in)
		})
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, before []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(before) >= len(arguments) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return known(cmd, arguments[len(before)])
	}
}

// known are the values of an input, as far as they can be listed. The shell
// completes others by the names of files.
func known(cmd *cobra.Command, in contract.Input) ([]string, cobra.ShellCompDirective) {
	switch {
	case in.Type == contract.Choice:
		return in.Values, cobra.ShellCompDirectiveNoFileComp
	case in.Placeholder == "ENV":
		return ofConfig(cmd, (*config.Config).EnvironmentNames), cobra.ShellCompDirectiveNoFileComp
	case in.Placeholder == "APP":
		return ofConfig(cmd, (*config.Config).AppNames), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// ofConfig reads names from waybill.yaml in --dir or the working directory. A
// file that cannot be read completes nothing.
func ofConfig(cmd *cobra.Command, names func(*config.Config) []string) []string {
	dir := "."
	if flag := cmd.Flags().Lookup("dir"); flag != nil && flag.Changed {
		dir = flag.Value.String()
	}
	data, err := os.ReadFile(filepath.Join(dir, config.FileName))
	if err != nil {
		return nil
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return nil
	}
	return names(cfg)
}

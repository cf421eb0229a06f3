package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

// flags are the cobra flags of a command, all read as text: the contract
// validates flags and environment in one place.
type flags struct{ command contract.Command }

func newFlags(cmd *cobra.Command, c contract.Command) flags {
	for _, in := range c.Inputs {
		switch {
		case in.Positional || in.Secret:
		case in.Type == contract.Bool:
			cmd.Flags().Bool(in.Flag(), in.Default == "true", "")
		case in.Type == contract.List:
			cmd.Flags().StringArray(in.Flag(), nil, "")
		default:
			cmd.Flags().String(in.Flag(), in.Default, "")
		}
	}
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.OutOrStderr(), usage(cmd.UseLine(), c))
		return err
	})
	return flags{command: c}
}

func (f flags) given(cmd *cobra.Command) map[string][]string {
	given := make(map[string][]string)
	for _, in := range f.command.Inputs {
		flag := cmd.Flags().Lookup(in.Flag())
		if flag == nil || !flag.Changed {
			continue
		}
		if in.Type == contract.List {
			given[in.Name], _ = cmd.Flags().GetStringArray(in.Flag())
			continue
		}
		given[in.Name] = []string{flag.Value.String()}
	}
	return given
}

// The columns of the help: where descriptions begin, and where lines end.
const (
	docColumn = 28
	lineEnd   = 100
)

// The help of the flags that every command has.
const (
	debugDoc   = "Say every request to GitHub and registries, without secrets, on stderr."
	verboseDoc = "The same as --debug."
	quietDoc   = "Print results, findings and errors alone."
)

// usage is the help below the description: first the flags that are the
// command's own, the required ones before the others, then those of each group,
// then what comes by environment.
func usage(line string, c contract.Command) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Usage:\n  %s\n\nExample:\n  %s\n", line, c.Example)
	section(&out, c, "Arguments", func(in contract.Input) bool { return in.Positional })
	section(&out, c, "Flags", func(in contract.Input) bool { return isFlag(in) && in.Group == "" })
	for _, g := range contract.Groups() {
		section(&out, c, string(g)+" flags", func(in contract.Input) bool { return isFlag(in) && in.Group == g })
	}
	section(&out, c, "Secrets, by environment", func(in contract.Input) bool { return in.Secret })
	out.WriteString("\nCommon flags:\n")
	for _, flag := range [][2]string{{"--quiet", quietDoc}, {"--debug", debugDoc}, {"--verbose", verboseDoc}} {
		fmt.Fprintf(&out, "  %-*s%s\n", docColumn-2, flag[0], flag[1])
	}
	return out.String()
}

func isFlag(in contract.Input) bool { return !in.Positional && !in.Secret }

func section(out *strings.Builder, c contract.Command, title string, belongs func(contract.Input) bool) {
	inputs := slices.DeleteFunc(slices.Clone(c.Inputs), func(in contract.Input) bool { return !belongs(in) })
	if len(inputs) == 0 {
		return
	}
	slices.SortStableFunc(inputs, func(a, b contract.Input) int {
		return map[bool]int{true: 0, false: 1}[a.Required] - map[bool]int{true: 0, false: 1}[b.Required]
	})
	fmt.Fprintf(out, "\n%s:\n", title)
	for _, in := range inputs {
		name := in.Label()
		if value := in.Value(); isFlag(in) && value != "" {
			name += " " + value
		}
		doc := strings.ReplaceAll(wrap(c.FlagDoc(in), lineEnd-docColumn), "\n", "\n"+strings.Repeat(" ", docColumn))
		if utf8.RuneCountInString(name) > docColumn-4 {
			name += "\n" + strings.Repeat(" ", docColumn)
		}
		fmt.Fprintf(out, "  %-*s%s\n", docColumn-2, name, doc)
	}
}

// wrap breaks prose into lines of at most width characters.
func wrap(text string, width int) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+length > width:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += length
	}
	return out.String()
}

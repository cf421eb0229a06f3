package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

// flags are the cobra flags of a command, all read as text: the contract
// validates flags and environment in one place.
type flags struct{ command contract.Command }

func newFlags(cmd *cobra.Command, c contract.Command) flags {
	for _, in := range c.Inputs {
		if in.Positional || in.Secret {
			continue
		}
		doc := wrap(in.Doc)
		if in.Type == contract.Choice {
			doc = strings.Join(in.Values, "|") + ": " + doc
		}
		switch in.Type {
		case contract.Bool:
			cmd.Flags().Bool(in.Flag(), in.Default == "true", doc)
		case contract.List:
			cmd.Flags().StringArray(in.Flag(), nil, usage(in, doc))
		default:
			cmd.Flags().String(in.Flag(), in.Default, usage(in, doc))
		}
	}
	return flags{command: c}
}

// usage names the flag's value: pflag takes it from between back quotes.
func usage(in contract.Input, doc string) string {
	doc = strings.ReplaceAll(doc, "`", "")
	if in.Placeholder == "" {
		return doc
	}
	if i := strings.Index(doc, in.Placeholder); i >= 0 {
		return doc[:i] + "`" + in.Placeholder + "`" + doc[i+len(in.Placeholder):]
	}
	return doc + " (`" + in.Placeholder + "`)"
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

// wrap breaks prose at 90 columns for the help text.
func wrap(text string) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > 90:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

package main

import (
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

// commandTable has a line a command, with the permissions of a job that runs it.
func commandTable() string {
	var out strings.Builder
	out.WriteString("\n| Command and action | What it does | Permissions of its job |\n|---|---|---|\n")
	for _, c := range contract.Commands() {
		fmt.Fprintf(&out, "| [`%s`](#%s) | %s | %s |\n", c.Name, c.Name, cell(c.Short), cell(permissions(c, ", ")))
	}
	return out.String()
}

func permissions(c contract.Command, separator string) string {
	var list []string
	for _, p := range c.Permissions {
		list = append(list, fmt.Sprintf("`%s: %s`", p.Scope, p.Access))
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, separator)
}

// commandReference is docs/commands.md.
func commandReference() []byte {
	var out strings.Builder
	out.WriteString("<!-- Written by make generate from internal/command/contract. Do not edit. -->\n\n# Commands and actions\n\n" +
		"Every command has a composite action of the same name (`actions/<command>`), with the inputs and outputs below. " +
		"On the command line an input is a flag with dashes instead of underscores, and a list is the flag several times, " +
		"or values separated by commas where the list says so. With `--format json` the result is a document, [described here](json.md). " +
		"Inputs marked *secret* have no flag: they come by environment. " +
		"Exit codes: 0 done, 1 broken, 2 wrong usage, 3 refused by policy, 4 pending.\n" + commandTable())
	for _, c := range contract.Commands() {
		fmt.Fprintf(&out, "\n## %s\n\n%s. %s\n\n```\n%s\n```\n", c.Name, c.Short, c.ActionText(c.Long), c.Example)
		out.WriteString("\n| Input | Default | What it is |\n|---|---|---|\n")
		for _, in := range c.Inputs {
			fmt.Fprintf(&out, "| `%s`%s | %s | %s |\n", in.Name, marks(in), code(in.Default), cell(c.ActionDoc(in)))
		}
		if len(c.Outputs) > 0 {
			out.WriteString("\n| Output | What it is |\n|---|---|\n")
			for _, o := range c.Outputs {
				fmt.Fprintf(&out, "| `%s` | %s |\n", o.Name, cell(o.Doc))
			}
		}
		if len(c.Permissions) > 0 {
			out.WriteString("\nPermissions of the job:\n\n")
			for _, p := range c.Permissions {
				fmt.Fprintf(&out, "- `%s: %s` %s\n", p.Scope, p.Access, p.Why)
			}
		}
	}
	out.WriteString("\n## Environment\n\n| Variable | What it is |\n|---|---|\n")
	for _, v := range contract.Environment() {
		secret := ""
		if v.Sensitive {
			secret = " *secret*"
		}
		fmt.Fprintf(&out, "| `%s`%s | %s |\n", v.Name, secret, cell(v.Doc))
	}
	return []byte(out.String())
}

func marks(in contract.Input) string {
	var marks []string
	if in.Required {
		marks = append(marks, "required")
	}
	if in.Positional {
		marks = append(marks, "argument")
	}
	if in.Secret {
		marks = append(marks, "secret, `"+in.EnvVar()+"`")
	}
	if in.LocalOnly {
		marks = append(marks, "command line only")
	}
	if len(marks) == 0 {
		return ""
	}
	return " *" + strings.Join(marks, ", ") + "*"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.Join(strings.Split(s, "\n"), "`, `") + "`"
}

package contract

import (
	"regexp"
	"strings"
)

// reference is how a text names an input: {oci_layout} of the same command,
// {scan.report} of another one, {via: deployment} with a value. Double braces
// are text.
var reference = regexp.MustCompile(`\{\{[^}]*\}\}|\{(?:([a-z]+)\.)?([a-z_]+)(?:: ([^}]+))?\}`)

// spell replaces each reference to an input. command is empty for an input of c.
func (c Command) spell(text string, name func(in Input, command, value string) string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		m, of := reference.FindStringSubmatch(found), c
		if m[1] != "" {
			of, _ = Lookup(m[1])
		}
		in, declared := of.Input(m[2])
		if !declared {
			return found
		}
		return name(in, m[1], m[3])
	})
}

// FlagText spells the inputs that a text names as the command line does.
func (c Command) FlagText(text string) string {
	return c.spell(text, func(in Input, command, value string) string {
		switch {
		case command != "":
			return "waybill " + command + " " + in.Label()
		case value == "":
			return in.Label()
		case in.Type == Bool:
			return in.Label() + "=" + value
		}
		return in.Label() + " " + value
	})
}

// ActionText spells the inputs that a text names as action.yml does.
func (c Command) ActionText(text string) string {
	return c.spell(text, func(in Input, command, value string) string {
		if value != "" {
			value = ": " + value
		}
		if command != "" {
			command = " of `" + command + "`"
		}
		return "`" + in.Name + value + "`" + command
	})
}

// FlagDoc describes an input on the command line.
func (c Command) FlagDoc(in Input) string {
	doc := c.FlagText(in.Doc)
	switch {
	case in.Commas:
		doc += " Repeat the flag for several, or separate them by commas."
	case in.Type == List:
		doc += " Repeat the flag for several."
	}
	if in.Default != "" && in.Default != "false" {
		doc += " (default " + strings.ReplaceAll(in.Default, "\n", ",") + ")"
	}
	if in.Required {
		doc += " (required)"
	}
	return doc
}

// ActionDoc describes an input of the action.
func (c Command) ActionDoc(in Input) string {
	doc := c.ActionText(in.Doc)
	switch {
	case in.Type == Choice:
		doc += " One of: " + strings.Join(in.Values, ", ") + "."
	case in.Commas:
		doc += " One per line, or separated by commas."
	case in.Type == List:
		doc += " One per line."
	}
	return doc
}

// Value is how the help shows the value of a flag; empty for one that is on or
// off.
func (i Input) Value() string {
	switch {
	case i.Type == Bool:
		return ""
	case i.Placeholder != "":
		return i.Placeholder
	case i.Type == Choice:
		return strings.Join(i.Values, "|")
	}
	return string(i.Type)
}

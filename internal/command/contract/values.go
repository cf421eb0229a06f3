package contract

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Values are the inputs of one call, validated against their declaration.
type Values struct {
	command Command
	given   map[string][]string
}

// Resolve reads each input from the flags that were given, else from its
// environment variable, else from its default, and reports every value that is
// missing or malformed in one usage error. An empty environment variable is an
// input that was not given: a composite action cannot tell the two apart.
func Resolve(c Command, flags map[string][]string, getenv func(string) string) (Values, error) {
	v := Values{command: c, given: make(map[string][]string)}
	var problems []error
	for _, in := range c.Inputs {
		values, given := flags[in.Name]
		if given && in.Commas {
			values = split(in, strings.Join(values, "\n"))
		}
		if !given {
			if text := getenv(in.EnvVar()); text != "" {
				values, given = split(in, text), true
			}
		}
		if !given && in.Default != "" {
			values, given = split(in, in.Default), true
		}
		if in.Required && (!given || len(values) == 0 || values[0] == "") {
			about := firstSentence(c.FlagText(in.Doc))
			if len(in.Values) > 0 {
				about += ": one of " + strings.Join(in.Values, ", ")
			}
			problems = append(problems, fmt.Errorf("%s is missing: %s", in.Label(), about))
			continue
		}
		if !given {
			continue
		}
		for _, value := range values {
			if err := in.validate(value); err != nil {
				problems = append(problems, err)
			}
		}
		v.given[in.Name] = values
	}
	if len(problems) > 0 {
		return Values{}, outcome.Usagef("%w", outcome.Join(problems...))
	}
	return v, nil
}

// split reads the values of an input from text: of a List one per line, and
// where no value can hold a comma, one per comma too.
func split(in Input, text string) []string {
	if in.Type != List {
		return []string{strings.TrimRight(text, "\r\n")}
	}
	if in.Commas {
		text = strings.ReplaceAll(text, ",", "\n")
	}
	var values []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			values = append(values, line)
		}
	}
	return values
}

// Label is how a person on the command line gives the input: a flag, an argument
// or, for a secret, a variable.
func (i Input) Label() string {
	switch {
	case i.Positional:
		return strings.ToUpper(i.Name)
	case i.Secret:
		return i.EnvVar()
	default:
		return "--" + i.Flag()
	}
}

func (i Input) validate(value string) error {
	switch i.Type {
	case Bool:
		if value != "true" && value != "false" {
			return fmt.Errorf("%s: %q is neither true nor false", i.Label(), value)
		}
	case Int:
		if n, err := strconv.Atoi(value); err != nil || n < 0 {
			return fmt.Errorf("%s: %q is not a whole number", i.Label(), value)
		}
	case Duration:
		if _, err := text.ParseDuration(value); err != nil {
			return fmt.Errorf("%s: %w", i.Label(), err)
		}
	case Choice:
		if !slices.Contains(i.Values, value) && value != "" {
			return fmt.Errorf("%s: %q is not one of %s", i.Label(), value, strings.Join(i.Values, ", "))
		}
	}
	return nil
}

// Fill sets the fields of options, a pointer to a struct of
// internal/command/options, by their tags. An embedded struct is a group, of
// which a command may declare a part; any other field must be declared.
func (v Values) Fill(options any) error {
	return v.fill(reflect.ValueOf(options).Elem(), false)
}

func (v Values) fill(s reflect.Value, group bool) error {
	for i := range s.NumField() {
		field := s.Type().Field(i)
		if field.Anonymous {
			if err := v.fill(s.Field(i), true); err != nil {
				return err
			}
			continue
		}
		name := field.Tag.Get("input")
		if _, declared := v.command.Input(name); !declared {
			if group {
				continue
			}
			return fmt.Errorf("command %s reads input %q, which internal/command/contract does not declare", v.command.Name, name)
		}
		switch to := s.Field(i).Addr().Interface().(type) {
		case *bool:
			*to = v.value(name) == "true"
		case *int:
			*to, _ = strconv.Atoi(v.value(name)) // validated by Resolve
		case *[]string:
			*to = v.given[name]
		case *time.Duration:
			*to, _ = text.ParseDuration(v.value(name)) // validated by Resolve
		default: // text, and the types of choices
			s.Field(i).SetString(v.value(name))
		}
	}
	return nil
}

// Format is the form in which the result is printed; empty if the command takes
// no such input.
func (v Values) Format() string { return v.value("format") }

// Secrets are the values that must not appear in a log.
func (v Values) Secrets() (values []string) {
	for _, in := range v.command.Inputs {
		if in.Secret {
			values = append(values, v.value(in.Name))
		}
	}
	return values
}

// value is the input's text, or empty.
func (v Values) value(name string) string {
	if values := v.given[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func firstSentence(doc string) string {
	if sentence, _, found := strings.Cut(doc, ". "); found {
		return sentence
	}
	return strings.TrimSuffix(doc, ".")
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// terminal is where answers come from; nil where nobody sits.
func terminal(call *cli.Call) io.Reader {
	f, ok := call.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || call.Runner.Active() || call.Env(contract.EnvCI) != "" {
		return nil
	}
	return f
}

// ask asks for what no flag has said. An empty answer takes what is shown, one
// that cannot be is refused and asked for again.
func ask(call *cli.Call, answers io.Reader, kind string, n *starter.Names) error {
	lines := bufio.NewScanner(answers)
	for _, q := range questions(kind, n) {
		if call.In.Has(q.input) || q.input == "owner" && call.In.String("config_repo") != "" {
			continue
		}
		for before := *n; ; *n = before {
			shown := q.now()
			fmt.Fprintf(call.Stderr, "%s [%s]: ", q.text, shown)
			if !lines.Scan() {
				return outcome.Join(errors.New("the answers ended early: nothing was written"), lines.Err())
			}
			answer := strings.TrimSpace(lines.Text())
			if answer == "" {
				answer = shown
			}
			q.set(answer)
			err := n.Check(kind)
			if err == nil || !strings.HasPrefix(err.Error(), "--"+strings.ReplaceAll(q.input, "_", "-")) {
				break
			}
			call.Sayf("%v", err)
		}
	}
	return nil
}

type question struct {
	input, text string
	now         func() string // what an empty answer means
	set         func(string)
}

// questions are in the order in which answers become defaults of later ones.
func questions(kind string, n *starter.Names) []question {
	about := func(input, text string, field func(*starter.Names) *string) question {
		return question{input, text, func() string {
			if n.Owner == "" && input != "app" {
				return ""
			}
			d := n.Default()
			return *field(&d)
		}, func(answer string) { *field(n) = answer }}
	}
	owner := about("owner", "Organisation or user on GitHub", func(n *starter.Names) *string { return &n.Owner })
	repo := about("config_repo", "The config repository", func(n *starter.Names) *string { return &n.ConfigRepo })
	registry := about("registry", "Where images are", func(n *starter.Names) *string { return &n.Registry })
	environments := question{"environments", "Environments, in order", func() string { return strings.Join(n.Default().Environments, ",") },
		func(answer string) { n.Environments = environmentNames(answer) }}
	cloud := []question{
		about("cloud_account", "AWS account", func(n *starter.Names) *string { return &n.Account }),
		about("region", "AWS region", func(n *starter.Names) *string { return &n.Region }),
		about("domain", "Domain", func(n *starter.Names) *string { return &n.Domain }),
	}
	switch kind {
	case starter.App:
		return []question{owner, repo, about("app", "Name of the application", func(n *starter.Names) *string { return &n.App }), registry}
	case starter.Infra:
		if n.Platform == starter.None {
			return []question{owner}
		}
		return append([]question{owner, environments}, cloud...)
	}
	list := []question{owner, repo, registry, environments}
	if n.Platform == starter.None {
		return list
	}
	return append(list, cloud...)
}

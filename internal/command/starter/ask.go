package starter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Terminal is where a person is asked.
type Terminal struct {
	Answers   io.Reader
	Questions io.Writer
}

// Ask asks for every name that said does not hold. An empty answer takes what is
// shown. An answer that cannot be is refused, and the question is asked again.
func (t Terminal) Ask(kind string, said Names, n *Names) error {
	lines := bufio.NewScanner(t.Answers)
	for _, q := range questions(kind, n) {
		if q.said(&said) {
			continue
		}
		for before := *n; ; *n = before {
			shown := q.now()
			fmt.Fprintf(t.Questions, "%s [%s]: ", q.text, shown)
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
			fmt.Fprintln(t.Questions, err)
		}
	}
	return nil
}

// Confirm asks a question that only yes answers well.
func (t Terminal) Confirm(question string) error {
	fmt.Fprintf(t.Questions, "%s? [y/N]: ", question)
	lines := bufio.NewScanner(t.Answers)
	if lines.Scan() && slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(lines.Text()))) {
		return nil
	}
	return outcome.Join(outcome.Refusedf("nothing was changed: the answer was not yes"), lines.Err())
}

type question struct {
	input, text string
	said        func(*Names) bool
	now         func() string // what an empty answer means
	set         func(string)
}

// questions are in the order in which answers become defaults of later ones.
func questions(kind string, n *Names) []question {
	about := func(input, text string, field func(*Names) *string) question {
		return question{
			input: input, text: text,
			said: func(said *Names) bool { return *field(said) != "" },
			now: func() string {
				if n.Owner == "" && input != "app" {
					return ""
				}
				d := n.Default()
				return *field(&d)
			},
			set: func(answer string) { *field(n) = answer },
		}
	}
	owner := about("owner", "Organisation or user on GitHub", func(n *Names) *string { return &n.Owner })
	owner.said = func(said *Names) bool { return said.Owner != "" || said.ConfigRepo != "" }
	repo := about("config_repo", "The config repository", func(n *Names) *string { return &n.ConfigRepo })
	registry := about("registry", "Where images are", func(n *Names) *string { return &n.Registry })
	environments := question{
		input: "environments", text: "Environments, in order",
		said: func(said *Names) bool { return len(said.Environments) > 0 },
		now:  func() string { return strings.Join(n.Default().Environments, ",") },
		set: func(answer string) {
			n.Environments = strings.Split(answer, ",")
			for i, name := range n.Environments {
				n.Environments[i] = strings.TrimSpace(name)
			}
		},
	}
	cloud := []question{
		about("cloud_account", "AWS account", func(n *Names) *string { return &n.Account }),
		about("region", "AWS region", func(n *Names) *string { return &n.Region }),
		about("domain", "Domain", func(n *Names) *string { return &n.Domain }),
	}
	switch kind {
	case App:
		return []question{owner, repo, about("app", "Name of the application", func(n *Names) *string { return &n.App }), registry}
	case Infra:
		if !n.onAWS() {
			return []question{owner}
		}
		return append([]question{owner, environments}, cloud...)
	}
	list := []question{owner, repo, registry, environments}
	if n.Platform == None {
		return list
	}
	if !n.onAWS() {
		cloud = cloud[2:] // the domain
	}
	return append(list, cloud...)
}

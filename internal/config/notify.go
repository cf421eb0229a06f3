package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Events that somebody can be told of.
const (
	EventDeployed   = "deployed"
	EventRefused    = "refused"
	EventWaiting    = "waiting"
	EventRolledBack = "rolled-back"
)

// Forms of a notification.
const (
	NotifyJSON  = "json"
	NotifySlack = "slack"
)

// Notify says whom to tell of what. Address and key are names of environment
// variables: this file holds no secret.
type Notify struct {
	Webhook      string   // variable that holds the address
	Secret       string   // variable that holds the key of the signature; empty signs nothing
	Format       string   // NotifyJSON or NotifySlack
	Events       []string // empty is all
	Environments []string // empty is all
}

// Wants reports whether the entry is about an event in an environment. A refused pull
// request is of no single environment, and concerns everybody.
func (n Notify) Wants(event, env string) bool {
	return (len(n.Events) == 0 || slices.Contains(n.Events, event)) &&
		(env == "" || len(n.Environments) == 0 || slices.Contains(n.Environments, env))
}

type notifyDocument struct {
	Webhook      string   `yaml:"webhook"`
	Secret       string   `yaml:"secret"`
	Format       string   `yaml:"format"`
	Events       []string `yaml:"events"`
	Environments []string `yaml:"environments"`
}

func (p *parser) notify(c *Config, root *yaml.Node, list []notifyDocument) {
	for i, d := range list {
		n := Notify{
			Webhook: strings.TrimPrefix(d.Webhook, "env:"), Secret: strings.TrimPrefix(d.Secret, "env:"),
			Format: d.Format, Events: d.Events, Environments: d.Environments,
		}
		if n.Format == "" {
			n.Format = NotifyJSON
		}
		for _, env := range n.Environments {
			if _, err := c.Environment(env); err != nil {
				p.problem(locate(root, []string{"notify", fmt.Sprint(i), "environments"}), "notify.%d.environments: %v", i, err)
			}
		}
		c.Notify = append(c.Notify, n)
	}
}

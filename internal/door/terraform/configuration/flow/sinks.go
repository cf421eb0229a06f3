package flow

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// writeOnly ends the names of arguments that are written and never read, by the rule for
// providers, so that no plan and no state shows them:
// https://developer.hashicorp.com/terraform/plugin/framework/resources/write-only-arguments
const writeOnly = "_wo"

// programs are the blocks by which terraform itself connects to something and runs
// something there.
var programs = map[string]bool{"connection": true, "provisioner": true}

// own are the arguments of a resource that are terraform's own.
var own = map[string]bool{"provider": true, "depends_on": true, "count": true, "for_each": true}

// sinks finds what is reached in a module.
func (m *module) sinks() {
	for _, b := range m.blocks {
		at := place{each: m.of(place{}, b.attributes["for_each"]...)}
		name := strings.Join(append([]string{b.kind}, b.labels...), " ")
		switch b.kind {
		case "provider", "ephemeral":
			m.setting(name, m.all(at, b.body))
		case "terraform":
			for _, inner := range b.blocks {
				if inner.kind == "provider_meta" {
					m.setting("provider_meta "+strings.Join(inner.labels, " "), m.all(at, inner.body))
				}
			}
			m.setting("provider_meta", m.of(at, b.attributes["provider_meta"]...))
		case "output":
			m.conditions(name, at, b.body)
			if m.key == "" {
				m.answers("output."+b.labels[0], "value", m.of(at, b.attributes["value"]...))
			}
		case "action":
			m.unseen(name, m.all(at, b.body))
		case "check", "variable":
			m.check(name, at, b)
		case "removed":
			m.resource(name, at, b)
		case "resource", "data":
			m.resource(strings.Join(b.labels, "."), at, b)
		}
	}
}

// check finds the conditions, and the data source that a check has of its own.
func (m *module) check(name string, at place, b block) {
	for _, inner := range b.blocks {
		if inner.kind == "assert" || inner.kind == "validation" {
			m.unseen("a condition of "+name, m.block(at, inner))
		}
	}
	for _, kind := range []string{"assert", "validation"} {
		m.unseen("a condition of "+name, m.of(at, b.attributes[kind]...))
	}
}

// resource finds what is reached in a resource or data source.
func (m *module) resource(name string, at place, b block) {
	for argument, e := range b.attributes {
		switch {
		case programs[argument]:
			m.setting(argument+" of "+name, m.of(at, e...))
		case argument == "lifecycle":
			m.unseen("a condition of "+name, m.of(at, e...))
		case !own[argument]:
			m.argument(name, argument, m.of(at, e...), writes(argument, e...))
		}
	}
	for _, inner := range b.blocks {
		switch {
		case programs[inner.kind]:
			m.setting(inner.kind+" of "+name, m.all(at, inner.body))
		case inner.kind == "lifecycle":
			m.conditions(name, at, inner.body)
		case inner.kind == "dynamic" && len(inner.labels) > 0:
			m.argument(name, inner.labels[0], m.block(at, inner), writesIn(inner.blocks))
		default:
			m.argument(name, inner.kind, m.block(at, inner), writesIn([]block{inner}))
		}
	}
}

// writesIn reports whether one of the arguments, however deep, is written and never read.
func writesIn(blocks []block) bool {
	for _, b := range blocks {
		for argument, e := range b.attributes {
			if writes(argument, e...) {
				return true
			}
		}
		if writesIn(b.blocks) {
			return true
		}
	}
	return false
}

func writes(argument string, values ...hcl.Expression) bool {
	if strings.HasSuffix(argument, writeOnly) {
		return true
	}
	for _, e := range values {
		if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
			for _, pair := range pairs {
				if writes(configuration.KeyOf(pair.Key), pair.Value) {
					return true
				}
			}
		} else if items, diagnostics := hcl.ExprList(e); !diagnostics.HasErrors() && writes("", items...) {
			return true
		}
	}
	return false
}

func (m *module) argument(name, argument string, depends mask, written bool) {
	if written {
		m.unseen(argument+" of "+name, depends)
	}
	m.answers(name, argument, depends)
}

func (m *module) conditions(name string, at place, b body) {
	for _, inner := range b.blocks {
		if inner.kind == "precondition" || inner.kind == "postcondition" {
			m.unseen("a condition of "+name, m.all(at, inner.body))
		}
	}
	var json []hcl.Expression
	for _, kind := range []string{"precondition", "postcondition"} {
		json = append(json, b.attributes[kind]...)
	}
	m.unseen("a condition of "+name, m.of(at, json...))
}

// setting is one that decides where something connects to, or what it starts.
func (m *module) setting(name string, depends mask) {
	if depends != 0 {
		m.find.found.Settings = append(m.find.found.Settings, m.name(name))
	}
}

// unseen is one whose value no plan shows.
func (m *module) unseen(name string, depends mask) {
	if depends&answer != 0 {
		m.find.found.Settings = append(m.find.found.Settings, m.name(name))
	}
}

// answers is one whose value a plan shows, where it is known and not sensitive.
func (m *module) answers(name, argument string, depends mask) {
	if depends&answer != 0 {
		m.find.found.Answers[name] = append(m.find.found.Answers[name], argument)
	}
}

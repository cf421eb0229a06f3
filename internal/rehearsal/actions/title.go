package actions

import (
	"fmt"
	"regexp"
	"strings"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// title is a run's display title: run-name, or what GitHub takes without one.
func title(event sandbox.Event, w *sandbox.Workflow) string {
	if w.RunName != "" {
		if text := strings.TrimSpace(evaluate(w.RunName, event, w)); text != "" {
			return text
		}
	}
	switch event.Name {
	case "push":
		message, _, _ := strings.Cut(fmt.Sprint(lookup(event.Payload, "head_commit.message")), "\n")
		return message
	case "issue_comment":
		return fmt.Sprint(lookup(event.Payload, "issue.title"))
	case "pull_request", "pull_request_target", "pull_request_review":
		return fmt.Sprint(lookup(event.Payload, "pull_request.title"))
	case "repository_dispatch":
		return event.Action
	case "deployment", "deployment_status":
		return fmt.Sprint(lookup(event.Payload, "deployment.task"))
	}
	return w.Name
}

var expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// evaluate fills in the expressions of run-name and concurrency as far as names,
// literals and || go; act knows neither of the two.
func evaluate(text string, event sandbox.Event, w *sandbox.Workflow) string {
	return expression.ReplaceAllStringFunc(text, func(match string) string {
		for _, part := range strings.Split(expression.FindStringSubmatch(match)[1], "||") {
			if value := term(strings.TrimSpace(part), event, w); value != "" && value != "false" {
				return value
			}
		}
		return ""
	})
}

func term(name string, event sandbox.Event, w *sandbox.Workflow) string {
	if len(name) > 1 && strings.HasPrefix(name, "'") && strings.HasSuffix(name, "'") {
		return strings.ReplaceAll(name[1:len(name)-1], "''", "'")
	}
	if input, ok := strings.CutPrefix(name, "inputs."); ok {
		return event.Inputs[input]
	}
	if path, ok := strings.CutPrefix(name, "github.event."); ok {
		if value := lookup(event.Payload, path); value != nil {
			return fmt.Sprint(value)
		}
		return ""
	}
	return map[string]string{
		"github.ref": event.Ref, "github.sha": event.SHA, "github.actor": event.Actor, "github.event_name": event.Name,
		"github.repository": event.Repository, "github.workflow": w.Name,
		"github.head_ref": event.HeadRef, "github.base_ref": event.BaseRef,
		"github.ref_name": strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(event.Ref, "refs/heads/"), "refs/tags/"), "refs/pull/"),
	}[name]
}

// lookup follows a dotted path through a payload.
func lookup(value any, path string) any {
	for _, key := range strings.Split(path, ".") {
		switch m := value.(type) {
		case map[string]any:
			value = m[key]
		case map[string]string:
			s, ok := m[key]
			if !ok {
				return nil
			}
			value = s
		default:
			return nil
		}
	}
	return value
}

package terraform

import (
	"bytes"
	"encoding/json"
)

// Event is a line of what terraform says while it applies.
// https://developer.hashicorp.com/terraform/internals/machine-readable-ui
type Event struct {
	Type    string // apply_start, apply_complete, apply_errored, diagnostic, change_summary, …
	Level   string // info, warn, error
	Message string // may quote values
	Address string // of the resource, where it is about one
	Action  string // create, update, delete, …
	Detail  string // of a diagnostic
}

type eventWriter struct {
	see    func(Event)
	rest   []byte
	errors []string
}

const maxEvent = 16 << 20

func (w *eventWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			break
		}
		w.line(w.rest[:i])
		w.rest = w.rest[i+1:]
	}
	if len(w.rest) > maxEvent {
		w.rest = nil
	}
	return len(p), nil
}

func (w *eventWriter) flush() {
	if len(w.rest) > 0 {
		w.line(w.rest)
		w.rest = nil
	}
}

func (w *eventWriter) line(line []byte) {
	var in struct {
		Level   string `json:"@level"`
		Message string `json:"@message"`
		Type    string `json:"type"`
		Hook    struct {
			Resource struct {
				Addr string `json:"addr"`
			} `json:"resource"`
			Action string `json:"action"`
		} `json:"hook"`
		Diagnostic struct {
			Severity string `json:"severity"`
			Summary  string `json:"summary"`
			Detail   string `json:"detail"`
			Address  string `json:"address"`
		} `json:"diagnostic"`
	}
	if json.Unmarshal(line, &in) != nil {
		return // not an event: a provider that writes to the standard output
	}
	e := Event{
		Type: in.Type, Level: in.Level, Message: in.Message, Address: in.Hook.Resource.Addr, Action: in.Hook.Action,
		Detail: in.Diagnostic.Detail,
	}
	if in.Type == "diagnostic" {
		e.Address = in.Diagnostic.Address
		if in.Diagnostic.Severity == "error" {
			text := "Error: " + in.Diagnostic.Summary
			if in.Diagnostic.Detail != "" {
				text += "\n\n" + in.Diagnostic.Detail
			}
			w.errors = append(w.errors, text)
		}
	}
	if w.see != nil {
		w.see(e)
	}
}

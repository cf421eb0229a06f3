package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/text"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// readWaivers reads a YAML list of waivers, each with id, reason and expires, and
// optionally package. Everything that is wrong is reported at once, by line.
func readWaivers(path string) ([]evidence.Waiver, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--waivers %s: no such file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read waivers: %w", err)
	}
	return parseWaivers(path, data)
}

func parseWaivers(path string, data []byte) ([]evidence.Waiver, error) {
	if err := limit.YAML(path, data); limit.TooMuch(err) {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	list := document.Content[0]
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf(
			"%s:%d: want a list of waivers: - {id: CVE-…, package: NAME, reason: TEXT, expires: YYYY-MM-DD}", path, list.Line,
		)
	}
	var waivers []evidence.Waiver
	var problems []error
	for _, node := range list.Content {
		w, err := parseWaiver(path, node)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		waivers = append(waivers, w)
	}
	return waivers, outcome.Join(problems...)
}

func parseWaiver(path string, node *yaml.Node) (evidence.Waiver, error) {
	if node.Kind != yaml.MappingNode {
		return evidence.Waiver{}, fmt.Errorf("%s:%d: want a waiver with id, reason and expires", path, node.Line)
	}
	var w evidence.Waiver
	var problems []error
	problem := func(at *yaml.Node, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s:%d: %w", path, at.Line, fmt.Errorf(format, args...)))
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind != yaml.ScalarNode {
			problem(value, "%s: want one value", key.Value)
			continue
		}
		switch key.Value {
		case "id":
			w.ID = value.Value
		case "package":
			if w.Package = value.Value; !text.Shows(w.Package) {
				problem(value, "package: %q names none: leave it out to mean any", value.Value)
			}
		case "reason":
			w.Reason = value.Value
		case "expires":
			var err error
			if w.Expires, err = parseExpiry(value.Value); err != nil {
				problem(value, "expires: %w", err)
			}
		default:
			problem(key, "unknown key %q: a waiver has id, package, reason and expires", key.Value)
		}
	}
	if len(problems) == 0 {
		switch {
		case w.ID == "":
			problem(node, "the waiver has no id")
		case !text.Shows(w.Reason):
			problem(node, "the waiver of %s has no reason that people can see", w.ID)
		case w.Expires.IsZero():
			problem(node, "the waiver of %s has no expiry: expires: YYYY-MM-DD", w.ID)
		}
	}
	return w, outcome.Join(problems...)
}

// parseExpiry reads a day, from whose start in UTC the waiver is over, or an
// instant.
func parseExpiry(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a day (2026-12-31) nor an instant (2026-12-31T12:00:00Z)", text)
}

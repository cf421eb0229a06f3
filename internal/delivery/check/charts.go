package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// RuleChart is about what a chart makes of who renders it.
const RuleChart = "chart"

var (
	action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	// unsteady are what differs between Waybill's rendering and the cluster's.
	unsteady = regexp.MustCompile(`\b(?:now|ago|lookup|rand[A-Za-z]+|uuidv4|shuffle|` +
		`gen(?:CA|SelfSignedCert|SignedCert|PrivateKey)\w*|htpasswd|bcrypt|getHostByName)\b|` +
		`\.Capabilities\b|\.Release\.(?:IsUpgrade|IsInstall|Revision)\b`)
	quoted = regexp.MustCompile(`(?s)/\*.*?\*/|"(?:[^"\\]|\\.)*"`)
)

// charts notes what a chart that the change touches asks of who renders it: it
// can make something else in the cluster than what is judged here. What newly asks
// takes protection away.
func (s *session) charts() {
	seen := make(map[string]bool)
	each(s.cfg, func(app config.App, env config.Environment) {
		dir := app.Helm(env.Name).Chart
		s.newlyUnsteady(place{app: app, env: env})
		if dir == "" || seen[dir] {
			return
		}
		seen[dir] = true
		if !slices.ContainsFunc(s.changed(), func(file string) bool { return strings.HasPrefix(file, dir+"/") }) {
			return
		}
		if file, calls := s.unsteady(dir); file != "" {
			s.note(Finding{File: file, Rule: RuleChart, Message: fmt.Sprintf("the chart asks who renders it (%s): "+
				"the cluster can get something else than what is judged here. Take that out, or compare with what runs",
				render.Visible(calls))})
		}
	})
}

// newlyUnsteady reports files of a place's chart, and its values, which a chart can
// take for templates, that newly ask who renders them.
func (s *session) newlyUnsteady(p place) {
	for _, file := range s.changed() {
		if p.reads(file) {
			s.newlyAsks(file)
		}
	}
}

// newlyAsks reports a file of a chart that newly asks who renders it.
func (s *session) newlyAsks(file string) {
	was := unsteadyCalls(string(s.was[file]))
	calls := slices.DeleteFunc(unsteadyCalls(string(s.head.Files[file])), func(call string) bool { return slices.Contains(was, call) })
	if len(calls) > 0 {
		s.once(file, render.Visible(fmt.Sprintf("%s newly asks who renders it (%s), so that a cluster can get what nobody judged",
			file, strings.Join(calls, ", "))))
	}
}

// unsteady names the first template of a chart that differs with who renders
// it, and what it calls.
func (s *session) unsteady(dir string) (file, calls string) {
	var first string
	for name, data := range s.head.Files {
		if !strings.HasPrefix(name, dir+"/") || !strings.Contains(name, "/templates/") || first != "" && name > first {
			continue
		}
		if found := unsteadyCalls(string(data)); len(found) > 0 {
			first, calls = name, path.Base(name)+": "+strings.Join(found, ", ")
		}
	}
	return first, calls
}

func unsteadyCalls(text string) []string {
	var found []string
	for _, a := range action.FindAllString(text, -1) {
		for _, call := range unsteady.FindAllString(quoted.ReplaceAllString(a, ""), -1) {
			if !slices.Contains(found, call) {
				found = append(found, call)
			}
		}
	}
	return found
}

package examples_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// query is a PromQL expression, and where it stands.
type query struct{ where, expr string }

// variables are those of Grafana, as some value that they may have.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$namespace", "production")

func (s state) queries() []query {
	var all []query
	s.objects("PrometheusRule", func(u unit, o render.Object) {
		for _, g := range list(o.Content, "spec", "groups") {
			for _, r := range list(g, "rules") {
				all = append(all, query{fmt.Sprintf("%s: alert %s", u.name, text(r, "alert")), text(r, "expr")})
			}
		}
	})
	s.objects("ConfigMap", func(u unit, o render.Object) {
		if text(o.Content, "metadata", "labels", "grafana_dashboard") != "1" {
			return
		}
		for name, data := range asMap(o.Content["data"]) {
			var dashboard map[string]any
			if json.Unmarshal([]byte(data.(string)), &dashboard) != nil {
				continue // the checklist says so
			}
			for _, panel := range list(dashboard, "panels") {
				for _, target := range list(panel, "targets") {
					if text(target, "datasource", "type") == "prometheus" {
						all = append(all, query{
							fmt.Sprintf("%s: %s: panel %s", u.name, name, text(panel, "title")),
							variables.Replace(text(target, "expr")),
						})
					}
				}
			}
		}
	})
	return all
}

// unparsable asks Prometheus' own parser.
func unparsable(t *testing.T, queries []query) []string {
	t.Helper()
	var input strings.Builder
	for _, q := range queries {
		line, err := json.Marshal(q.expr)
		if err != nil {
			t.Fatal(err)
		}
		input.Write(append(line, '\n'))
	}
	out, err := process.Command{Path: tooltest.Find(t, "promql"), Stdin: strings.NewReader(input.String())}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(answers) != len(queries) {
		t.Fatalf("%d answers to %d queries", len(answers), len(queries))
	}
	var problems []string
	for i, answer := range answers {
		if answer != "ok" {
			problems = append(problems, queries[i].where+": "+answer)
		}
	}
	return problems
}

func TestQueriesParse(t *testing.T) {
	t.Parallel()
	s := exampleState(t)
	queries := s.queries()
	for _, p := range unparsable(t, queries) {
		t.Error(p)
	}
	if len(queries) < 100 {
		t.Errorf("only %d queries were found", len(queries))
	}
	for name, m := range map[string]mutation{
		"an alert": {
			file: "platform/observability/alerts-nodes.yaml", old: "avg by (instance) (rate(", new: "avg by (instance (rate(",
			want: "alert NodeCPUAbove70Percent: 1:",
		},
		"a panel": {
			file: "platform/observability/dashboards/delivery.json", old: "histogram_quantile(0.95, ", new: "histogram_quantile(",
			want: "expected 2 argument(s)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := s.files.with(t, m.file, m.old, m.new)
			problems := unparsable(t, state{changed, changed.renderChanged(t, s.units, m.file)}.queries())
			if len(problems) == 0 || !strings.Contains(problems[0], m.want) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}

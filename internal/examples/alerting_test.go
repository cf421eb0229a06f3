package examples_test

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

const (
	monitoringValues = "platform/monitoring/values.yaml"
	receivers        = "platform/monitoring/receivers/"
)

// readFromSecret is a file that a receiver reads; told is what docs/secrets.md says of
// the keys of that secret.
var (
	readFromSecret = regexp.MustCompile(`_file: /etc/alertmanager/secrets/alertmanager-receivers/([a-z-]+)`)
	told           = regexp.MustCompile("(?m)^\\| `[^`]*alertmanager[^`]*` \\|.*$")
)

// Alerts reach somebody by each of the receivers that a cluster can name, and so does
// their end: the alert that always fires goes out too.
func TestAlertsReachSomebody(t *testing.T) {
	t.Parallel()
	for _, secrets := range starter.Secrets() {
		for _, problem := range unheard(treeOf(t, starter.Names{Secrets: secrets})) {
			t.Errorf("%s: %s", secrets, problem)
		}
	}
	files := exampleTree(t)
	for name, m := range map[string]struct{ file, old, new, want string }{
		"a receiver that is gone":    {receivers + "mail.yaml", "name: on-call", "name: night", "the route on-call leads to no receiver"},
		"a key that nobody is told":  {receivers + "slack.yaml", "receivers/team", "receivers/chat", "does not have the key chat"},
		"nobody hears the silence":   {monitoringValues, "receiver: dead-mans-switch", "receiver: nobody", "Watchdog goes to nobody"},
		"it is heard too seldom":     {monitoringValues, "repeat_interval: 5m", "repeat_interval: 5h", "Watchdog is repeated every 5h"},
		"critical alerts go nowhere": {monitoringValues, `severity = "critical"`, `severity = "page"`, "no route has severity = critical"},
		"no file of receivers":       {"clusters/base/platform/monitoring.yaml", "webhook.yaml", "no.yaml", "names no file of receivers"},
	} {
		if got := strings.Join(unheard(files.with(t, m.file, m.old, m.new)), "\n"); !strings.Contains(got, m.want) {
			t.Errorf("%s: got %q, want %q", name, got, m.want)
		}
	}
}

// unheard says which alerts reach nobody.
func unheard(files tree) (problems []string) {
	route := dig(parsed(files[monitoringValues]), "alertmanager", "config", "route")
	routed := map[string]bool{text(route, "receiver"): true}
	critical := false
	for _, r := range list(route, "routes") {
		to := text(r, "receiver")
		routed[to] = true
		matchers := fmt.Sprint(list(r, "matchers"))
		critical = critical || strings.Contains(matchers, `severity = "critical"`) && to != "nobody"
		if strings.Contains(matchers, "Watchdog") {
			if to == "nobody" {
				problems = append(problems, "Watchdog goes to nobody")
			} else if every := text(r, "repeat_interval"); every != "5m" {
				problems = append(problems, "Watchdog is repeated every "+every+": the switch waits ten minutes")
			}
		}
	}
	if !critical {
		problems = append(problems, "no route has severity = critical")
	}
	keys := told.FindString(string(files["docs/secrets.md"]))
	named := false
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, receivers) {
			continue
		}
		named = named || strings.Contains(string(files["clusters/base/platform/monitoring.yaml"]), "$values/"+name+"\n")
		made := make(map[string]bool)
		for _, r := range list(parsed(files[name]), "alertmanager", "config", "receivers") {
			made[text(r, "name")] = true
		}
		for _, to := range slices.Sorted(maps.Keys(routed)) {
			if !made[to] {
				problems = append(problems, path.Base(name)+": the route "+to+" leads to no receiver")
			}
		}
		for _, m := range readFromSecret.FindAllSubmatch(files[name], -1) {
			if !strings.Contains(keys, "`"+string(m[1])+"`") {
				problems = append(problems, path.Base(name)+": docs/secrets.md does not have the key "+string(m[1]))
			}
		}
	}
	if !named {
		problems = append(problems, "clusters/base/platform/monitoring.yaml names no file of receivers")
	}
	return problems
}

func parsed(data []byte) (content any) {
	if err := yaml.Unmarshal(data, &content); err != nil {
		return nil
	}
	return content
}

// A cluster that names central-metrics also writes to a central Prometheus, as the
// operator understands it.
func TestCentralMetrics(t *testing.T) {
	t.Parallel()
	files := exampleTree(t).with(t, "clusters/dev/kustomization.yaml", "  # - ../central-metrics #", "  - ../central-metrics #")
	objects, err := render.New(files).Kustomize("clusters/dev")
	if err != nil {
		t.Fatal(err)
	}
	app, ok := find(objects, "Application", func(o render.Object) bool { return o.Name == "monitoring" })
	if values := fmt.Sprint(list(sources(app)[0], "helm", "valueFiles")); !ok || !strings.Contains(values, "/central.yaml") {
		t.Errorf("monitoring has the values %s", values)
	}
	prometheus := func(content any) render.Object {
		spec := map[string]any{"remoteWrite": list(content, "prometheus", "prometheusSpec", "remoteWrite")}
		return render.Object{
			APIVersion: "monitoring.coreos.com/v1", Kind: "Prometheus", Name: "monitoring", Namespace: "monitoring",
			Content: map[string]any{
				"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
				"metadata": map[string]any{"name": "monitoring", "namespace": "monitoring"}, "spec": spec,
			},
		}
	}
	const central = "platform/monitoring/central.yaml"
	known := definitions(t, []unit{{objects: []render.Object{{Kind: "Prometheus"}}}})
	if problems := known.Problems(prometheus(parsed(files[central]))); len(problems) > 0 {
		t.Error(problems)
	}
	wrong := prometheus(parsed(files.with(t, central, "sourceLabels", "source_labels")[central]))
	if problems := fmt.Sprint(known.Problems(wrong)); !strings.Contains(problems, "source_labels") {
		t.Errorf("got %s", problems)
	}
}

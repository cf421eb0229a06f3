package examples_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var update = flag.Bool("update", false, "write testdata/chart-values.txt from the charts in the directory that CHARTS names")

const chartValues = "testdata/chart-values.txt"

// A key that the chart does not know is found, and so are a version whose keys nobody
// has taken, and a key that nothing sets any more.
func TestValuesAreHeldToTheChart(t *testing.T) {
	t.Parallel()
	known := []string{"loki 18.11.0 loki/storage", "reloader 2.2.16 reloader/reloadStrategy"}
	used := map[string]value{
		"loki 18.11.0 loki/storage/type": {}, "reloader 2.2.16 reloader/reloadStrategies": {file: "values.yaml"}, "tempo 2.2.4 tempo": {},
	}
	got := strings.Join(unknownValues(used, known), "\n")
	if want := `values.yaml: reloader 2.2.16 has no key reloader/reloadStrategies
tempo 2.2.4: the chart's values are not known: run TestChoices with -update, and CHARTS set
reloader 2.2.16 reloader/reloadStrategy is not used any more`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// holdToCharts says which values the charts do not know. Helm says nothing about a key
// that no template reads. testdata/chart-values.txt has the keys that are read, taken
// from the charts; with -update it is taken anew.
func holdToCharts(t *testing.T, used map[string]value) []string {
	t.Helper()
	if *update {
		writeValues(t, used)
	}
	data, err := os.ReadFile(chartValues)
	if err != nil {
		t.Fatal(err)
	}
	return unknownValues(used, strings.Split(strings.TrimSpace(string(data)), "\n"))
}

// unknownValues lists what is used and not known, and what is known and not used.
func unknownValues(used map[string]value, known []string) (problems []string) {
	read := make(map[string]bool)
	for _, key := range slices.Sorted(maps.Keys(used)) {
		at := slices.IndexFunc(known, func(k string) bool { return key == k || strings.HasPrefix(key, k+"/") })
		if at >= 0 {
			read[known[at]] = true
			continue
		}
		chart, path := key[:strings.LastIndex(key, " ")], key[strings.LastIndex(key, " ")+1:]
		if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, chart+" ") }) {
			problems = append(problems, chart+": the chart's values are not known: run TestChoices with -update, and CHARTS set")
			continue
		}
		problems = append(problems, fmt.Sprintf("%s: %s has no key %s", used[key].file, chart, path))
	}
	for _, k := range known {
		if !read[k] {
			problems = append(problems, k+" is not used any more")
		}
	}
	return problems
}

// chartVersion is how an Application names a chart of a Helm repository; what stands in
// its place for another choice stands behind a mark.
var chartVersion = regexp.MustCompile(`(?m)^ +chart: (\S+)\n +targetRevision: (\S+)$`)

// check holds custom objects against the definitions of the charts that are written, at
// exactly their versions: of every chart that it knows, and in every choice.
func TestDefinitionsAreOfTheCharts(t *testing.T) {
	t.Parallel()
	known, used := make(map[string]string), make(map[string]bool)
	for _, chart := range schema.Charts() {
		name, version, _ := strings.Cut(chart, "@")
		known[name] = version
	}
	for _, n := range choices() {
		for file, data := range treeOf(t, n) {
			if !strings.HasPrefix(file, "clusters/") {
				continue
			}
			for _, m := range chartVersion.FindAllSubmatch(data, -1) {
				name, version := string(m[1]), string(m[2])
				used[name] = true
				if want, ok := known[name]; ok && version != want {
					t.Errorf("%s: %s %s is written, and check has the definitions of %s: correct internal/tools/crds/modules.txt, run "+
						"make tools, then go test ./internal/delivery/schema -run TestChartsAreCurrent -update", file, name, version, want)
				}
			}
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("check has the definitions of %s, which no choice writes", name)
		}
	}
	if len(used) < 18 || len(known) < 9 {
		t.Errorf("only %d charts are written, and %d are known", len(used), len(known))
	}
}

// value is what a file sets of a chart's values.
type value struct {
	file string
	with [][]byte // the files of the same chart
	path []string
}

// addValues adds to used, by CHART VERSION PATH, each value that the clusters of a
// choice set.
func (s state) addValues(t *testing.T, used map[string]value) {
	t.Helper()
	s.objects("Application", func(_ unit, app render.Object) {
		for _, source := range sources(app) {
			chart := text(source, "chart") + " " + text(source, "targetRevision") + " "
			var files []string
			var with [][]byte
			for _, v := range list(source, "helm", "valueFiles") {
				if file, ofRepository := strings.CutPrefix(fmt.Sprint(v), "$values/"); ofRepository {
					files, with = append(files, file), append(with, s.files[file])
				}
			}
			for _, file := range files {
				var values any
				if err := yaml.Unmarshal(s.files[file], &values); err != nil {
					t.Fatal(err)
				}
				leaves(nil, values, func(path []string) { used[chart+strings.Join(path, "/")] = value{file, with, path} })
			}
		}
	})
}

// leaves calls f with the path of each value that is no map.
func leaves(path []string, value any, f func(path []string)) {
	m, ok := value.(map[string]any)
	if (!ok || len(m) == 0) && len(path) > 0 {
		f(path)
	}
	for key, v := range m {
		leaves(append(slices.Clone(path), key), v, f)
	}
}

// writeValues takes the used keys from the charts themselves. Below what a chart
// leaves empty, everything is the user's. A key that stands in no default has to change
// what Helm makes.
func writeValues(t *testing.T, used map[string]value) {
	t.Helper()
	known := make(map[string]bool)
	defaults := make(map[string]any)
	for key, u := range used {
		fields := strings.Fields(key)
		dir := filepath.Join(os.Getenv("CHARTS"), fields[0])
		if defaults[fields[0]] == nil {
			defaults[fields[0]] = chartDefaults(t, dir)
		}
		path, at := u.path, defaults[fields[0]]
		for i, part := range u.path {
			m, ok := at.(map[string]any)
			if !ok || len(m) == 0 {
				path = u.path[:i]
				break
			}
			if next, there := m[part]; there {
				at = next
				continue
			}
			if !readByChart(t, dir, u) {
				t.Errorf("%s: %s does not read %s", u.file, fields[0], strings.Join(u.path, "/"))
			}
			break
		}
		known[fields[0]+" "+fields[1]+" "+strings.Join(path, "/")] = true
	}
	list := slices.Sorted(maps.Keys(known))
	list = slices.DeleteFunc(list, func(k string) bool { // what is below another
		for at := strings.LastIndex(k, "/"); at > 0; at = strings.LastIndex(k[:at], "/") {
			if known[k[:at]] {
				return true
			}
		}
		return false
	})
	data := []byte(strings.Join(list, "\n") + "\n")
	if err := os.WriteFile(chartValues, data, 0o644); err != nil { //nolint:gosec // a file of the repository
		t.Fatal(err)
	}
}

// readByChart reports whether another value makes Helm render something else.
func readByChart(t *testing.T, dir string, u value) bool {
	t.Helper()
	var probe any = "probe-of-waybill"
	for _, part := range slices.Backward(u.path) {
		probe = map[string]any{part: probe}
	}
	data, err := yaml.Marshal(probe)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	args := []string{"template", "x", dir, "--kube-version", "1.36.0", "--api-versions", "monitoring.coreos.com/v1"}
	for i, content := range append(slices.Clone(u.with), data) {
		name := fmt.Sprintf("values-%d.yaml", i)
		if err := os.WriteFile(filepath.Join(work, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--values="+name)
	}
	rendered := func(args []string) string {
		helm := process.Command{Path: tooltest.Find(t, "helm"), Args: args, Dir: work, Env: []string{"HOME=" + work}}
		out, err := helm.Output(t.Context())
		return fmt.Sprint(string(out), err)
	}
	return rendered(args[:len(args)-1]) != rendered(args)
}

// chartDefaults are a chart's values, with those of the charts in it.
func chartDefaults(t *testing.T, dir string) map[string]any {
	t.Helper()
	values := make(map[string]any)
	data, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err == nil {
		err = yaml.Unmarshal(data, &values)
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	inner, err := filepath.Glob(filepath.Join(dir, "charts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range inner {
		name := filepath.Base(chart)
		own, _ := values[name].(map[string]any)
		values[name] = merged(chartDefaults(t, chart), own)
	}
	return values
}

func merged(below, above map[string]any) map[string]any {
	for key, v := range above {
		a, ok := v.(map[string]any)
		b, both := below[key].(map[string]any)
		if ok && both {
			v = merged(b, a)
		}
		below[key] = v
	}
	return below
}

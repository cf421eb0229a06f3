package schema_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var update = flag.Bool("update", false, "write charts.gz from bin/tools/crds.yaml")

const packed = "charts.gz"

// What travels with Waybill is what the charts' projects define: run with -update after
// a change of modules.txt or newer.txt.
func TestChartsAreCurrent(t *testing.T) {
	t.Parallel()
	want := packedCharts(t)
	if *update {
		var file bytes.Buffer
		w, _ := gzip.NewWriterLevel(&file, gzip.BestCompression)
		if _, err := w.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(packed, file.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what bin/tools/crds.yaml and testdata/newer.txt give (%d bytes, want %d): "+
			"run make tools, then go test -run TestChartsAreCurrent -update", packed, len(got), len(want))
	}
	if len(data) > 400<<10 {
		t.Errorf("%s has %d bytes: every binary carries them", packed, len(data))
	}
}

var chartOf = regexp.MustCompile(`(?m)^# \S+ chart (\S+)$`)

// packedCharts makes the text of charts.gz.
func packedCharts(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(tooltest.File(t, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	newer := newerPaths(t)
	used := make(map[string]bool)
	var lines []string
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		chart := chartOf.FindSubmatch(document)
		if chart == nil {
			t.Fatal("crds.yaml does not name the charts: run make tools")
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(document, &crd); err != nil {
			t.Fatal(err)
		}
		if _, left := newer[crd.Spec.Group]; left {
			used[crd.Spec.Group] = true
			continue
		}
		lines = append(lines, string(chart[1])+"\t"+packedKind(t, crd, newer[crd.Spec.Names.Kind], used))
	}
	for kind, paths := range newer {
		for _, path := range append(paths, kind) {
			if !used[path] && !used[kind+path] && (len(paths) == 0 || path != kind) {
				t.Errorf("newer.txt: no definition has %s %s", kind, path)
			}
		}
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n") + "\n")
}

func packedKind(t *testing.T, crd apiextensionsv1.CustomResourceDefinition, newer []string, used map[string]bool) string {
	t.Helper()
	type version struct {
		Name   string                           `json:"name"`
		Served bool                             `json:"served,omitempty"`
		Schema *apiextensionsv1.JSONSchemaProps `json:"schema"`
	}
	kind := struct {
		Group    string    `json:"group"`
		Kind     string    `json:"kind"`
		Cluster  bool      `json:"cluster,omitempty"`
		Versions []version `json:"versions"`
	}{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind, Cluster: crd.Spec.Scope == apiextensionsv1.ClusterScoped}
	for _, v := range crd.Spec.Versions {
		if !v.Served {
			kind.Versions = append(kind.Versions, version{Name: v.Name})
			continue
		}
		s := v.Schema.OpenAPIV3Schema
		strip(s)
		for _, path := range newer {
			if loosen(s, strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")[1:]) {
				used[kind.Kind+path] = true
			}
		}
		kind.Versions = append(kind.Versions, version{v.Name, true, s})
	}
	data, err := json.Marshal(kind)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// strip drops what people read.
func strip(s *apiextensionsv1.JSONSchemaProps) {
	if s == nil {
		return
	}
	s.Description, s.Title, s.Example, s.ExternalDocs = "", "", nil, nil
	for _, of := range []map[string]apiextensionsv1.JSONSchemaProps{s.Properties, s.PatternProperties} {
		for name, p := range maps.All(maps.Clone(of)) {
			strip(&p)
			of[name] = p
		}
	}
	for _, of := range [][]apiextensionsv1.JSONSchemaProps{s.AllOf, s.AnyOf, s.OneOf} {
		for i := range of {
			strip(&of[i])
		}
	}
	strip(s.Not)
	if s.Items != nil {
		strip(s.Items.Schema)
	}
	if s.AdditionalProperties != nil {
		strip(s.AdditionalProperties.Schema)
	}
}

// loosen lets a schema take anything at a path, and reports whether there is the path but
// for its last step.
func loosen(s *apiextensionsv1.JSONSchemaProps, path []string) bool {
	if path[0] == "[]" {
		return s.Items != nil && s.Items.Schema != nil && loosen(s.Items.Schema, path[1:])
	}
	if len(path) == 1 {
		yes := true
		s.Properties[path[0]] = apiextensionsv1.JSONSchemaProps{XPreserveUnknownFields: &yes}
		return true
	}
	p, ok := s.Properties[path[0]]
	if !ok || !loosen(&p, path[1:]) {
		return false
	}
	s.Properties[path[0]] = p
	return true
}

// newerPaths reads testdata/newer.txt: paths by kind, and groups without any.
func newerPaths(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/newer.txt")
	if err != nil {
		t.Fatal(err)
	}
	paths := make(map[string][]string)
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#") || len(fields) == 0:
		case len(fields) == 1:
			paths[fields[0]] = nil
		default:
			paths[fields[0]] = append(paths[fields[0]], fields[1])
		}
	}
	return paths
}

// The definitions of a chart count for its own version alone, and never against one that
// the repository has itself.
func TestCharts(t *testing.T) {
	t.Parallel()
	issuer := func(rest string) string {
		return "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: x}\nspec: " + rest
	}
	const secret = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: "
	version := ""
	for _, chart := range schema.Charts() {
		if v, ok := strings.CutPrefix(chart, "cert-manager@"); ok {
			version = v
		}
	}
	own := strings.NewReplacer("acme.dev", "cert-manager.io", "Mesh", "ClusterIssuer").Replace(definition)
	for what, test := range map[string]struct{ objects, chart, text, want string }{
		"what fits": {"", "cert-manager@" + version, issuer("{selfSigned: {}}"), ""},
		"an unknown field": {
			"", "cert-manager@" + version, issuer("{selfSign: {}}"),
			`unknown field "spec.selfSign" (as the chart cert-manager@` + version + ` defines it)`,
		},
		"a namespace": {
			"", "cert-manager@" + version, strings.Replace(issuer("{selfSigned: {}}"), "x}", "x, namespace: shop}", 1),
			"belongs to the cluster",
		},
		"another version":     {"", "cert-manager@v0.0.1", issuer("{selfSign: {}}"), ""},
		"another chart":       {"", "kyverno@" + version, issuer("{selfSign: {}}"), ""},
		"the repository's":    {own, "cert-manager@" + version, issuer("{peers: 1}"), ""},
		"not fitting the own": {own, "cert-manager@" + version, issuer("{selfSigned: {}}"), `unknown field "spec.selfSigned"`},
		"what newer ones take": {
			"", "external-secrets@2.9.0",
			secret + "{syncWindows: [any], target: {creationPolicy: CreateOrMerge}}", "",
		},
		"what they do not take": {
			"", "external-secrets@2.9.0",
			secret + "{target: {creationPolice: Owner}}",
			`unknown field "spec.target.creationPolice"`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			known, err := schema.New(objects(t, test.objects)).WithCharts(test.chart)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(known.Problems(objects(t, test.text)[0]), "; ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if defined := test.chart == "cert-manager@"+version; test.objects == "" && known.Defines("cert-manager") != defined {
				t.Errorf("Defines says %t", !defined)
			}
		})
	}
}

// Every schema that travels can be used: a cluster took it.
func TestEverySchemaOfChartsCompiles(t *testing.T) {
	t.Parallel()
	known, err := schema.New(nil).WithCharts(schema.Charts()...)
	if err != nil {
		t.Fatal(err)
	}
	if n := known.Compile(t.Errorf); n < 80 {
		t.Errorf("only %d versions of kinds are known", n)
	}
}

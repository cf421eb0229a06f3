package render

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// kustomization is every field of a kustomization that names a file or
// directory. Kustomize fetches what it does not find, so each must be there.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
type kustomization struct {
	Resources             []string    `yaml:"resources"`
	Bases                 []string    `yaml:"bases"`
	Components            []string    `yaml:"components"`
	CRDs                  []string    `yaml:"crds"`
	Configurations        []string    `yaml:"configurations"`
	Generators            []string    `yaml:"generators"`
	Transformers          []string    `yaml:"transformers"`
	Validators            []string    `yaml:"validators"`
	PatchesStrategicMerge []string    `yaml:"patchesStrategicMerge"`
	Patches               []reference `yaml:"patches"`
	PatchesJSON6902       []reference `yaml:"patchesJson6902"`
	Replacements          []reference `yaml:"replacements"`
	OpenAPI               reference   `yaml:"openapi"`
	ConfigMapGenerator    []generator `yaml:"configMapGenerator"`
	SecretGenerator       []generator `yaml:"secretGenerator"`
	HelmCharts            []any       `yaml:"helmCharts"`
	HelmInflation         []any       `yaml:"helmChartInflationGenerator"`
}

type reference struct {
	Path string `yaml:"path"`
}

type generator struct {
	Files []string `yaml:"files"`
	Env   string   `yaml:"env"`
	Envs  []string `yaml:"envs"`
}

// local refuses a kustomization that refers, itself or through what it refers
// to, to anything outside the commit.
func (r *Renderer) local(dir string) error {
	r.mu.Lock()
	err, known := r.checked[dir]
	if !known {
		r.checked[dir] = nil // a cycle is Kustomize's to report
	}
	r.mu.Unlock()
	if known {
		return err
	}
	err = r.checkDir(dir)
	r.mu.Lock()
	r.checked[dir] = err
	r.mu.Unlock()
	return err
}

func (r *Renderer) checkDir(dir string) error {
	file := ""
	for _, base := range kustomizationNames {
		if _, ok := r.files[path.Join(dir, base)]; ok {
			file = path.Join(dir, base)
			break
		}
	}
	if file == "" {
		return fmt.Errorf("%s: no kustomization there: looked for %s", dir, strings.Join(kustomizationNames, ", "))
	}
	var k kustomization
	if err := yaml.Unmarshal(r.files[file], &k); err != nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(k.HelmCharts)+len(k.HelmInflation) > 0 {
		return fmt.Errorf("%s: helmCharts fetches and runs helm; put the chart under the application's chart directory and its values in the overlay instead", file)
	}
	for _, entry := range slices.Concat(k.Resources, k.Bases, k.Components) {
		if err := r.checkEntry(file, dir, entry, true); err != nil {
			return err
		}
	}
	names := slices.Concat(k.CRDs, k.Configurations, k.PatchesStrategicMerge, []string{k.OpenAPI.Path})
	for _, list := range [][]reference{k.Patches, k.PatchesJSON6902, k.Replacements} {
		for _, entry := range list {
			names = append(names, entry.Path)
		}
	}
	for _, g := range slices.Concat(k.ConfigMapGenerator, k.SecretGenerator) {
		names = append(names, g.Env)
		names = append(names, g.Envs...)
		for _, f := range g.Files {
			if _, after, ok := strings.Cut(f, "="); ok {
				f = after
			}
			names = append(names, f)
		}
	}
	for _, entry := range names {
		if err := r.checkEntry(file, dir, entry, false); err != nil {
			return err
		}
	}
	for _, entry := range slices.Concat(k.Generators, k.Transformers, k.Validators) {
		if err := r.checkPlugin(file, dir, entry); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry wants a file of the commit, or, where directories are allowed, a
// directory whose own references are local too. Inline YAML is neither.
func (r *Renderer) checkEntry(file, dir, entry string, directories bool) error {
	if entry == "" || strings.Contains(entry, "\n") {
		return nil
	}
	at := path.Join(dir, entry)
	if _, ok := r.files[at]; ok && !path.IsAbs(entry) {
		return nil
	}
	if directories && !path.IsAbs(entry) && at != ".." && !strings.HasPrefix(at, "../") && r.fs.IsDir("/"+at) {
		return r.local(at)
	}
	return fmt.Errorf("%s: %q is not in this repository: only what is committed here is rendered, because anything else can change without a commit. Correct the path, or copy it in", file, entry)
}

var remote = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:(//|:)|git@|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/[^ ]*(\?ref=|\.git))`)

// checkPlugin looks into the configuration of a generator, transformer or
// validator, which can name files of its own.
func (r *Renderer) checkPlugin(file, dir, entry string) error {
	text := entry
	if !strings.Contains(entry, "\n") {
		if err := r.checkEntry(file, dir, entry, true); err != nil {
			return err
		}
		text = string(r.files[path.Join(dir, entry)])
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return fmt.Errorf("%s: %s: %w", file, entry, err)
	}
	var walk func(*yaml.Node) error
	walk = func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode && remote.MatchString(n.Value) {
			return fmt.Errorf("%s: %q is outside this repository: only what is committed here is rendered", file, n.Value)
		}
		for _, c := range n.Content {
			if err := walk(c); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(&root)
}

package render

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/limit"
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
	Path    string `yaml:"path"`
	Patch   string `yaml:"patch"`
	Version string `yaml:"version"` // of openapi
}

type generator struct {
	Files []string `yaml:"files"`
	Env   string   `yaml:"env"`
	Envs  []string `yaml:"envs"`
}

// Bounds of what one rendering loads, each file as often as it is referred to.
const (
	maxLoads     = 10_000
	maxLoadBytes = 64 << 20
)

// visit is what was found out about a directory.
type visit struct {
	err          error
	loads, bytes int  // of everything below, as often as it is referred to
	schema       bool // it, or something below, sets the schema that patches are merged by
}

// Local refuses a kustomization that refers, itself or through what it refers
// to, to anything outside the commit, to itself, or to more than can be loaded.
func (r *Renderer) Local(dir string) error {
	w := walk{Renderer: r, open: make(map[string]bool)}
	return w.dir(dir).err
}

// walk follows the references of kustomizations.
type walk struct {
	*Renderer
	open map[string]bool // directories that are being looked at
}

func (w walk) dir(dir string) visit {
	if w.open[dir] {
		return visit{err: fmt.Errorf("%s: the kustomizations refer to each other in a circle", dir)}
	}
	w.mu.Lock()
	v, known := w.checked[dir]
	w.mu.Unlock()
	if known {
		return v
	}
	w.open[dir] = true
	v.err = w.checkDir(dir, &v)
	delete(w.open, dir)
	w.mu.Lock()
	w.checked[dir] = v
	w.mu.Unlock()
	return v
}

// load counts what a reference brings, and refuses too much.
func (v *visit) load(file string, loads, bytes int) error {
	v.loads, v.bytes = v.loads+loads, v.bytes+bytes
	if v.loads > maxLoads || v.bytes > maxLoadBytes {
		return fmt.Errorf(
			"%s: rendering it loads more than %d files or %d MiB, each file as often as something refers to it: refer to each "+
				"directory once",
			file, maxLoads, maxLoadBytes>>20,
		)
	}
	return nil
}

func (w walk) checkDir(dir string, v *visit) error {
	file, k, err := w.kustomization(dir)
	if err != nil {
		return err
	}
	if len(k.HelmCharts)+len(k.HelmInflation) > 0 {
		return fmt.Errorf(
			"%s: helmCharts fetches and runs helm; put the chart under the application's chart directory and its values in the "+
				"overlay instead",
			file,
		)
	}
	if err := v.load(file, 1, len(w.files[file])); err != nil {
		return err
	}
	v.schema = k.OpenAPI.Path+k.OpenAPI.Version != ""
	for _, entry := range slices.Concat(k.Resources, k.Bases, k.Components) {
		if err := w.checkEntry(file, dir, entry, v, directories|manifests); err != nil {
			return err
		}
	}
	for _, entry := range k.manifestNames() {
		if err := w.checkEntry(file, dir, entry, v, manifests); err != nil {
			return err
		}
	}
	for _, entry := range k.fileNames() {
		if err := w.checkEntry(file, dir, entry, v, 0); err != nil {
			return err
		}
	}
	for _, entry := range slices.Concat(k.Generators, k.Transformers, k.Validators) {
		if err := w.checkPlugin(file, dir, entry, v); err != nil {
			return err
		}
	}
	return nil
}

// kustomization reads the kustomization of a directory.
func (w walk) kustomization(dir string) (file string, k kustomization, err error) {
	for _, base := range kustomizationNames {
		if _, ok := w.files[path.Join(dir, base)]; ok {
			file = path.Join(dir, base)
			break
		}
	}
	if file == "" {
		return "", k, fmt.Errorf("%s: no kustomization there: looked for %s", dir, strings.Join(kustomizationNames, ", "))
	}
	if err := limit.YAML(file, w.files[file]); err != nil {
		return "", k, err
	}
	if err := yaml.Unmarshal(w.files[file], &k); err != nil {
		return "", k, w.reason(file, err, string(w.files[file]))
	}
	return file, k, nil
}

// manifestNames lists the files of YAML that a kustomization names beside its
// resources, and the YAML that it holds itself.
func (k kustomization) manifestNames() []string {
	names := slices.Concat(k.CRDs, k.Configurations, k.PatchesStrategicMerge, []string{k.OpenAPI.Path})
	for _, list := range [][]reference{k.Patches, k.PatchesJSON6902, k.Replacements} {
		for _, entry := range list {
			names = append(names, entry.Path)
			if entry.Patch != "" {
				names = append(names, entry.Patch+"\n")
			}
		}
	}
	return names
}

// fileNames lists the files of any content that a kustomization names.
func (k kustomization) fileNames() []string {
	var names []string
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
	return names
}

// What an entry of a kustomization may be.
const (
	directories = 1 << iota // a directory with a kustomization of its own
	manifests               // YAML, in a file or inline
)

// checkEntry wants a file of the commit, or, where directories are allowed, a
// directory whose own references are local too. Inline YAML is neither.
func (w walk) checkEntry(file, dir, entry string, v *visit, what int) error {
	if entry == "" {
		return nil
	}
	if strings.Contains(entry, "\n") {
		return limit.YAML(file+": an inline patch", []byte(entry))
	}
	at := path.Join(dir, entry)
	if data, ok := w.files[at]; ok && !path.IsAbs(entry) {
		if what&manifests != 0 {
			if err := limit.YAML(at, data); err != nil {
				return err
			}
		}
		return v.load(file, 1, len(data))
	}
	if what&directories != 0 && !path.IsAbs(entry) && at != ".." && !strings.HasPrefix(at, "../") && w.fs.IsDir("/"+at) {
		below := w.dir(at)
		if below.err != nil {
			return below.err
		}
		v.schema = v.schema || below.schema
		return v.load(file, below.loads, below.bytes)
	}
	if at == ".." || strings.HasPrefix(at, "../") {
		return fmt.Errorf("%s: %q leads out of the config repository: nothing outside of it is read or judged. Copy it in; where the "+
			"config repository is a directory (--path), move %s below that, or name a directory above both", file, entry, path.Base(entry))
	}
	return fmt.Errorf(
		"%s: %q is not in this repository: only what is committed here is rendered, because anything else can change without a "+
			"commit. Correct the path, or copy it in",
		file, entry,
	)
}

var remote = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:(//|:)|git@|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/[^ ]*(\?ref=|\.git))`)

// checkPlugin looks into the configuration of a generator, transformer or
// validator, which can name files of its own.
func (w walk) checkPlugin(file, dir, entry string, v *visit) error {
	text, at := entry, file
	if !strings.Contains(entry, "\n") {
		if err := w.checkEntry(file, dir, entry, v, directories|manifests); err != nil {
			return err
		}
		at = path.Join(dir, entry)
		text = string(w.files[at])
	}
	documents, err := limit.Documents(at, []byte(text))
	if err != nil {
		return err
	}
	var look func(*yaml.Node) error
	look = func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode && remote.MatchString(n.Value) {
			return fmt.Errorf("%s: %q is outside this repository: only what is committed here is rendered", file, n.Value)
		}
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "\n") && strings.Contains(n.Value, "*") { // a patch, say
			if err := limit.YAML(at, []byte(n.Value)); err != nil && limit.TooMuch(err) {
				return err
			}
		}
		for _, c := range n.Content {
			if err := look(c); err != nil {
				return err
			}
		}
		return nil
	}
	for _, d := range documents {
		if err := look(d); err != nil {
			return err
		}
	}
	return nil
}

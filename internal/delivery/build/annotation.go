package build

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Levels of annotations: where they are written.
// https://docs.docker.com/build/metadata/annotations/#specify-annotation-level
const (
	LevelManifest           = "manifest"
	LevelIndex              = "index"
	LevelManifestDescriptor = "manifest-descriptor" // beside a manifest in the index
	LevelIndexDescriptor    = "index-descriptor"    // beside the index in an OCI layout
)

var levels = []string{LevelManifest, LevelIndex, LevelManifestDescriptor, LevelIndexDescriptor}

// Annotation is one annotation at one level.
type Annotation struct {
	Level    string
	Platform Platform // of the manifest; the zero one is every
	Key      string
	Value    string
}

// Annotations are in the order in which they apply: of two with the same key
// for the same place, the later one stays.
type Annotations []Annotation

// Everywhere gives annotations for the index and for each manifest, which is
// where tools look for them.
func Everywhere(values map[string]string) Annotations {
	var list Annotations
	for key, value := range values {
		list = append(list, Annotation{Level: LevelManifest, Key: key, Value: value}, Annotation{Level: LevelIndex, Key: key, Value: value})
	}
	return list
}

var levelForm = regexp.MustCompile(`^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$`)

// ParseAnnotation reads [LEVEL[PLATFORM],…:]KEY=VALUE as buildx does. Without a
// level the annotation goes to the index and to each manifest.
func ParseAnnotation(text string) (Annotations, error) {
	name, value, found := strings.Cut(text, "=")
	at, key, leveled := strings.Cut(name, ":")
	if !leveled {
		key = at
	}
	if key = strings.TrimSpace(key); !found || key == "" {
		return nil, fmt.Errorf("%q is not [LEVEL:]NAME=VALUE", text)
	}
	if !leveled {
		return Everywhere(map[string]string{key: value}), nil
	}
	var list Annotations
	for level := range strings.SplitSeq(at, ",") {
		m := levelForm.FindStringSubmatch(strings.TrimSpace(level))
		if m == nil || !slices.Contains(levels, m[1]) {
			return nil, fmt.Errorf("%q: unknown level %q: want %s", text, level, strings.Join(levels, ", "))
		}
		a := Annotation{Level: m[1], Key: key, Value: value}
		if m[2] != "" {
			if strings.HasPrefix(m[1], LevelIndex) {
				return nil, fmt.Errorf("%q: an index is of all platforms: leave [%s] out, or take the level manifest-descriptor", text, m[2])
			}
			var err error
			if a.Platform, err = ParsePlatform(m[2]); err != nil {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// Of gives what is written at a level, nil where there is nothing.
func (list Annotations) Of(level string, p Platform) map[string]string {
	var values map[string]string
	for _, a := range list {
		if a.Level != level || (a.Platform != Platform{} && a.Platform != p) {
			continue
		}
		if values == nil {
			values = map[string]string{}
		}
		values[a.Key] = a.Value
	}
	return values
}

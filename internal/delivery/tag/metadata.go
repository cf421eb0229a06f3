package tag

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Flavor is what all tags of an entry in metadata-action's form have in common.
// https://github.com/docker/metadata-action#flavor-input
type Flavor struct {
	Latest         string // auto, true or false
	Prefix, Suffix string
}

// ParseFlavor reads latest=auto|true|false, prefix=TEXT and suffix=TEXT.
func ParseFlavor(lines []string) (Flavor, error) {
	f := Flavor{Latest: "auto"}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "latest":
			if !slices.Contains([]string{"auto", "true", "false"}, value) {
				return f, fmt.Errorf("%q: latest is auto, true or false", line)
			}
			f.Latest = value
		case "prefix":
			f.Prefix = value
		case "suffix":
			f.Suffix = value
		default:
			return f, fmt.Errorf("%q: want latest=auto, prefix=TEXT or suffix=TEXT", line)
		}
	}
	return f, nil
}

// entry is one type, as expand reads it, and what is put around its tag.
type entry struct {
	text           string
	prefix, suffix string
	alone          bool // the tag is latest, of what has prefix and suffix
}

// entries reads the types of metadata-action, type=NAME,KEY=VALUE, and the word
// semver for all tags of a version. What is in Waybill's own form stays as it is,
// and takes no part in the flavor.
func entries(types []string, flavor Flavor, facts Facts) (list []entry, err error) {
	released := false
	for _, text := range types {
		switch {
		case text == "semver":
			released = true
			patterns := []string{"semver:{{version}}", "semver:{{major}}.{{minor}}"}
			// Before 1.0 every minor version may break.
			if !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(facts.Ref, "refs/tags/"), "v"), "0.") {
				patterns = append(patterns, "semver:{{major}}")
			}
			for _, p := range patterns {
				list = append(list, entry{p, flavor.Prefix, flavor.Suffix, false})
			}
		case strings.HasPrefix(text, "type="):
			own, prefix, suffix, err := translate(text)
			if err != nil {
				return nil, fmt.Errorf("--tags %s: %w", text, err)
			}
			if own == "" { // not enabled
				continue
			}
			released = released || strings.HasPrefix(own, "semver:")
			list = append(list, entry{own, flavor.Prefix + prefix, flavor.Suffix + suffix, false})
		default:
			list = append(list, entry{text: text})
		}
	}
	if flavor.Latest == "true" || flavor.Latest == "auto" && released {
		kind := "latest"
		if flavor.Latest == "true" && !released {
			kind = "raw:latest"
		}
		list = append(list, entry{kind, flavor.Prefix, flavor.Suffix, true})
	}
	return list, nil
}

// translate writes an entry of metadata-action in Waybill's form; empty if it is
// not enabled.
func translate(text string) (own, prefix, suffix string, err error) {
	values := map[string]string{}
	for _, part := range strings.Split(text, ",") {
		key, value, found := strings.Cut(part, "=")
		if !found || !slices.Contains([]string{"type", "enable", "priority", "prefix", "suffix", "pattern", "value", "event"}, key) {
			return "", "", "", fmt.Errorf("%q is unknown here: want type, pattern, value, event, prefix, suffix, enable", part)
		}
		values[key] = value
	}
	switch values["enable"] {
	case "", "true":
	case "false":
		return "", "", "", nil
	default:
		return "", "", "", fmt.Errorf("enable=%s is neither true nor false", values["enable"])
	}
	switch kind := values["type"]; kind {
	case "raw", "semver":
		own = kind + ":" + values[map[string]string{"raw": "value", "semver": "pattern"}[kind]]
		if kind == "semver" && values["value"] != "" {
			return "", "", "", errors.New("the version is that of the tag that started the run: value cannot be given")
		}
	case "sha":
		own = "sha"
		if p, given := values["prefix"]; given && p != "sha-" {
			return "", "", "", errors.New("the tag of a commit is sha-1234567, by which Waybill finds it again: prefix cannot be given")
		}
		delete(values, "prefix")
	case "ref":
		// event=branch, tag or pr: Waybill's own type takes what the ref is.
		own = "ref:" + values["event"]
		if !slices.Contains([]string{"branch", "tag", "pr"}, values["event"]) {
			return "", "", "", errors.New("want event=branch, event=tag or event=pr")
		}
	default:
		return "", "", "", fmt.Errorf("type=%s is unknown here: want semver, raw, ref or sha", kind)
	}
	return own, values["prefix"], values["suffix"], nil
}

// bare are the tags that have the prefix and the suffix, without them.
func (e entry) bare(tags []string) (list []string) {
	for _, t := range tags {
		inner, begins := strings.CutPrefix(t, e.prefix)
		if inner, ends := strings.CutSuffix(inner, e.suffix); begins && ends {
			list = append(list, inner)
		}
	}
	return list
}

// newer is a version among the tags that a shorter form of this one belongs to:
// 1.2.4 has the tag 1.2, so 1.2.3 does not get it. Empty if there is none.
func newer(name string, m []string, pattern string, existing []string) string {
	mine := canonical(m)
	for _, tag := range existing {
		other := version.FindStringSubmatch(tag)
		if other == nil || other[4] != "" || semver.Compare(canonical(other), mine) <= 0 || tag == name {
			continue
		}
		if strings.Contains(pattern, "{{major}}") && other[1] != m[1] || strings.Contains(pattern, "{{minor}}") && other[2] != m[2] {
			continue
		}
		return tag
	}
	return ""
}

func canonical(m []string) string { return "v" + m[1] + "." + m[2] + "." + m[3] }

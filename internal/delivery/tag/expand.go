package tag

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Facts are what tags are made from.
type Facts struct {
	Commit    string // that the image was built from; 40 hexadecimal digits
	Ref       string // refs/heads/main, refs/tags/v1.2.3, refs/pull/7/merge
	RunNumber int    // 0 outside Actions
	Now       time.Time
	Existing  []string // tags that the repository has
}

// maxTag is the longest tag that registries take.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
const maxTag = 128

// Expand turns tag types into tags, each once, in the order given. What does
// not apply, such as a version where the ref is a branch, is left out with a
// note; what can never apply is an error.
//
// The types and the way they clean up names are those of
// https://github.com/docker/metadata-action.
func Expand(types []string, flavor Flavor, facts Facts) (tags, notes []string, err error) {
	list, err := entries(types, flavor, facts)
	if err != nil {
		return nil, nil, err
	}
	var problems []error
	for _, e := range list {
		tag, note, err := expand(e, facts)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("--tags %s: %w", e.text, err))
		case note != "":
			notes = append(notes, e.text+": "+note)
		case !slices.Contains(tags, tag):
			tags = append(tags, tag)
		}
	}
	return tags, notes, outcome.Join(problems...)
}

func expand(e entry, facts Facts) (tag, note string, err error) {
	kind, value, hasValue := strings.Cut(e.text, ":")
	facts.Existing = e.bare(facts.Existing)
	if takesValue := slices.Contains([]string{"raw", "semver", "schedule"}, kind); takesValue != hasValue || takesValue && value == "" {
		if takesValue {
			return "", "", fmt.Errorf("%s needs a value: %s:VALUE", kind, kind)
		}
		if slices.Contains([]string{"sha", "run", "latest"}, kind) {
			return "", "", fmt.Errorf("%s takes no value", kind)
		}
	}
	switch kind {
	case "raw":
		tag, err = literal(value)
	case "sha":
		if len(facts.Commit) < 7 {
			return "", "", errors.New("the commit is not known: neither the evidence, the job nor git names one")
		}
		tag = "sha-" + facts.Commit[:7]
	case "ref":
		tag, note, err = fromRef(facts.Ref, value)
	case "semver":
		tag, note, err = fromVersion(value, facts)
	case "latest":
		if tag, note, err = fromVersion("{{version}}", facts); err == nil && note == "" {
			tag, note = "latest", newest(facts)
		}
	case "run":
		if facts.RunNumber == 0 {
			return "", "", errors.New("there is no run number outside GitHub Actions")
		}
		tag = strconv.Itoa(facts.RunNumber)
	case "schedule":
		tag, err = literal(facts.Now.UTC().Format(value))
	default:
		return "", "", errors.New("unknown type: want raw:VALUE, sha, ref, semver, semver:PATTERN, latest, run, schedule:LAYOUT, " +
			"or type=… as metadata-action has it")
	}
	if err != nil || note != "" {
		return "", note, err
	}
	if around := e.prefix + e.suffix; notInTag.MatchString(around) {
		return "", "", fmt.Errorf("prefix or suffix %.200q has what cannot stand in a tag: letters, digits, \".\", \"_\" and \"-\" can", around)
	}
	if !e.alone {
		tag = e.prefix + tag + e.suffix
	}
	clean := sanitize(tag)
	if clean == "" {
		return "", "", fmt.Errorf("nothing of %q can stand in a tag", tag)
	}
	if reserved.MatchString(clean) {
		return "", "", fmt.Errorf(
			"the tag %s is reserved: signatures and attestations of an image are kept under tags of this form, and it could replace "+
				"them. Give another name",
			clean,
		)
	}
	return clean, "", nil
}

// literal takes a tag as it is given, or not at all: names of branches and versions
// are cleaned up, and what somebody wrote as a tag is not written as another one.
func literal(tag string) (string, error) {
	if clean := sanitize(tag); clean != tag && !reserved.MatchString(clean) {
		err := fmt.Errorf("%.200q is no tag: a tag has letters, digits, \".\", \"_\" and \"-\", at most %d of them, and does not begin "+
			"with \".\" or \"-\"", tag, maxTag)
		if clean != "" {
			err = fmt.Errorf("%w: such as %s", err, clean)
		}
		return "", err
	}
	return tag, nil
}

// reserved are the tags under which evidence is kept: an algorithm, a dash and
// at least 64 digits, with whatever suffix (.sig, .att, .sbom). The digits of a
// longer algorithm are cut to 64 there, and to maxTag here.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
var reserved = regexp.MustCompile(`(?i)^(?:sha|blake)[a-z0-9._-]*-[0-9a-f]{64}`)

var pullRequest = regexp.MustCompile(`^refs/pull/([0-9]+)/(?:merge|head)$`)

// fromRef names a ref. event, if not empty, is the one kind that counts: branch,
// tag or pr.
func fromRef(ref, event string) (tag, note string, err error) {
	kind := ""
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		kind, tag = "branch", branch
	} else if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		kind, tag = "tag", name
	} else if m := pullRequest.FindStringSubmatch(ref); m != nil {
		kind, tag = "pr", "pr-"+m[1]
	}
	switch {
	case ref == "":
		return "", "", errors.New("the ref is not known: neither the job nor git names one")
	case kind == "":
		return "", "", fmt.Errorf("%q is no branch, tag or pull request", ref)
	case event != "" && event != kind:
		return "", "left out, " + ref + " is of another kind", nil
	}
	return tag, "", nil
}

// version is https://semver.org with an optional v in front.
var version = regexp.MustCompile(`^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

var placeholder = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// fromVersion fills in a pattern. A prerelease is no release: it never takes
// the tag 1.2 or latest-like shorter forms from one.
func fromVersion(pattern string, facts Facts) (tag, note string, err error) {
	known := map[string]int{"{{version}}": 0, "{{raw}}": 0, "{{major}}": 1, "{{minor}}": 2, "{{patch}}": 3}
	found := placeholder.FindAllString(pattern, -1)
	if len(found) == 0 {
		return "", "", errors.New("the pattern has none of {{version}}, {{raw}}, {{major}}, {{minor}}, {{patch}}")
	}
	whole := false
	for _, p := range found {
		if _, ok := known[p]; !ok {
			return "", "", fmt.Errorf("unknown %s: want {{version}}, {{raw}}, {{major}}, {{minor}} or {{patch}}", p)
		}
		whole = whole || p == "{{version}}" || p == "{{raw}}"
	}
	name, isTag := strings.CutPrefix(facts.Ref, "refs/tags/")
	if !isTag {
		return "", "left out, the ref is no tag", nil
	}
	m := version.FindStringSubmatch(name)
	if m == nil {
		return "", fmt.Sprintf("left out, the tag %q is no version such as v1.2.3", name), nil
	}
	if m[4] != "" && !whole {
		return "", fmt.Sprintf("left out, %s is a prerelease", name), nil
	}
	if !whole {
		if note := superseded(pattern, facts); note != "" {
			return "", note, nil
		}
	}
	return placeholder.ReplaceAllStringFunc(pattern, func(p string) string {
		switch p {
		case "{{version}}":
			return strings.TrimPrefix(name, "v")
		case "{{raw}}":
			return name
		default:
			return m[known[p]]
		}
	}), "", nil
}

// newest says why the run's version is not the latest release; empty if it is.
func newest(facts Facts) string {
	name := strings.TrimPrefix(facts.Ref, "refs/tags/")
	if m := version.FindStringSubmatch(name); m != nil && m[4] != "" {
		return fmt.Sprintf("left out, %s is a prerelease", name)
	}
	return superseded("", facts)
}

// superseded says that a newer version has what a shorter form of the run's
// version would take from it; empty if none has.
func superseded(pattern string, facts Facts) string {
	name := strings.TrimPrefix(facts.Ref, "refs/tags/")
	m := version.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	if other := newer(name, m, pattern, facts.Existing); other != "" {
		return fmt.Sprintf("left out, the newer version %s has it", other)
	}
	return ""
}

var notInTag = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// sanitize makes a valid tag: [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.
func sanitize(text string) string {
	text = strings.TrimLeft(notInTag.ReplaceAllString(text, "-"), ".-")
	if len(text) > maxTag {
		text = text[:maxTag]
	}
	return text
}

package tag

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const (
	commit = "4be1f7a0123456789012345678901234567890ab"
	other  = "d03c9e20123456789012345678901234567890ab"
)

var at = time.Date(2026, 11, 20, 6, 12, 0, 0, time.FixedZone("", 3600*9))

func TestExpand(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200)
	for name, test := range map[string]struct {
		types string
		facts Facts
		want  string
		note  string
	}{
		"raw":                  {"raw:latest", Facts{}, "latest", ""},
		"raw, the longest":     {"raw:" + long[:128], Facts{}, long[:128], ""},
		"branch, cut":          {"ref", Facts{Ref: "refs/heads/" + long}, long[:128], ""},
		"sha":                  {"sha", Facts{Commit: commit}, "sha-4be1f7a", ""},
		"branch":               {"ref", Facts{Ref: "refs/heads/feat/a b"}, "feat-a-b", ""},
		"tag":                  {"ref", Facts{Ref: "refs/tags/v1.2.3"}, "v1.2.3", ""},
		"pull request":         {"ref", Facts{Ref: "refs/pull/12/merge"}, "pr-12", ""},
		"run":                  {"run", Facts{RunNumber: 7781}, "7781", ""},
		"schedule in UTC":      {"schedule:20060102", Facts{Now: at}, "20261119", ""},
		"version":              {"semver:{{version}}", Facts{Ref: "refs/tags/v1.2.3"}, "1.2.3", ""},
		"version as it stands": {"semver:{{raw}}", Facts{Ref: "refs/tags/v1.2.3"}, "v1.2.3", ""},
		"version without v":    {"semver:{{version}}", Facts{Ref: "refs/tags/1.2.3"}, "1.2.3", ""},
		"version with build":   {"semver:{{version}}", Facts{Ref: "refs/tags/v1.2.3+linux.1"}, "1.2.3-linux.1", ""},
		"minor":                {"semver:{{major}}.{{minor}}", Facts{Ref: "refs/tags/v1.2.3"}, "1.2", ""},
		"major with a prefix":  {"semver:v{{major}}", Facts{Ref: "refs/tags/v1.2.3"}, "v1", ""},
		"patch":                {"semver:{{patch}}", Facts{Ref: "refs/tags/v1.2.3"}, "3", ""},
		"prerelease":           {"semver:{{version}}", Facts{Ref: "refs/tags/v1.2.3-rc.1"}, "1.2.3-rc.1", ""},
		"prerelease takes no minor": {
			"semver:{{major}}.{{minor}}", Facts{Ref: "refs/tags/v1.2.3-rc.1"}, "", "left out, v1.2.3-rc.1 is a prerelease",
		},
		"prerelease takes no major": {"semver:{{major}}", Facts{Ref: "refs/tags/v1.2.3-rc.1"}, "", "left out, v1.2.3-rc.1 is a prerelease"},
		"version on a branch":       {"semver:{{version}}", Facts{Ref: "refs/heads/v1.2.3"}, "", "left out, the ref is no tag"},
		"version of another tag": {
			"semver:{{version}}", Facts{Ref: "refs/tags/nightly"}, "", `left out, the tag "nightly" is no version`,
		},
		"version with leading zero": {"semver:{{version}}", Facts{Ref: "refs/tags/v1.02.3"}, "", "is no version"},
		"twice the same":            {"raw:1.2 semver:{{major}}.{{minor}} raw:x", Facts{Ref: "refs/tags/v1.2.3"}, "1.2 x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			types := strings.Fields(test.types)
			tags, notes, err := Expand(types, Flavor{}, test.facts)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(tags, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := strings.Join(notes, "\n"); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
				t.Errorf("notes %q, want %q", got, test.note)
			}
		})
	}
}

func TestExpandRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"newest":                      "--tags newest: unknown type: want raw:VALUE, sha, ref",
		"latest:x":                    "latest takes no value",
		"type=sha,prefix=x-":          "prefix cannot be given",
		"type=ref":                    "want event=branch, event=tag or event=pr",
		"type=edge":                   "type=edge is unknown here: want semver, raw, ref or sha",
		"type=raw,colour=red":         `"colour=red" is unknown here`,
		"type=raw,value=x,enable=yes": "enable=yes is neither true nor false",
		"type=semver,pattern={{version}},value=1.0.0": "the version is that of the tag that started the run",
		"type=semver": "semver needs a value",
		"raw":         "raw needs a value",
		"raw:":        "raw needs a value",
		"raw:…":       `"…" is no tag: a tag has letters, digits`,
		"raw:a:b": `"a:b" is no tag: a tag has letters, digits, ".", "_" and "-", at most 128 of them, and does not begin with ` +
			`"." or "-": such as a-b`,
		"raw:a b":                         `"a b" is no tag`,
		"raw:.a":                          `".a" is no tag`,
		"raw:../a":                        `"../a" is no tag`,
		"raw:-a":                          `"-a" is no tag`,
		"raw:ö":                           `"ö" is no tag`,
		"type=raw,value=a/b":              `"a/b" is no tag`,
		"type=raw,value=a,prefix=x y":     `prefix or suffix "x y" has what cannot stand in a tag`,
		"schedule:2006/01/02":             `is no tag`,
		"raw:" + strings.Repeat("x", 129): "at most 128 of them",
		"sha:long":                        "sha takes no value",
		"sha":                             "the commit is not known",
		"ref":                             "the ref is not known",
		"run":                             "there is no run number outside GitHub Actions",
		"semver:":                         "semver needs a value",
		"semver:1.2":                      "the pattern has none of {{version}}",
		"semver:{{ver}}":                  "unknown {{ver}}",
		"schedule":                        "schedule needs a value",
	} {
		if _, _, err := Expand([]string{"raw:ok", text}, Flavor{}, Facts{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	for _, test := range []struct {
		text  string
		facts Facts
		want  string
	}{
		{"ref", Facts{Ref: "refs/heads/--.--"}, `--tags ref: nothing of "--.--" can stand in a tag`},
		{"ref", Facts{Ref: "refs/tags/äöü"}, `nothing of "äöü" can stand in a tag`},
		{"type=raw,value=x,prefix=.", Facts{}, ""}, // what begins with a dot is cut, as metadata-action does
		{"sha", Facts{Commit: commit[:6]}, "the commit is not known"},
		{"ref", Facts{Ref: "refs/pull/7/evil"}, `"refs/pull/7/evil" is no branch, tag or pull request`},
		{"ref", Facts{Ref: "refs/notes/x"}, `"refs/notes/x" is no branch, tag or pull request`},
		{"type=ref,event=branch", Facts{Ref: "refs/notes/x"}, `"refs/notes/x" is no branch, tag or pull request`},
		{"ref", Facts{Ref: "main"}, `"main" is no branch, tag or pull request`},
		{"semver", Facts{}, ""}, // outside of a run nothing is a version
	} {
		tags, _, err := Expand([]string{test.text}, Flavor{}, test.facts)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %+v: got %q, %v, want %q", test.text, test.facts, tags, err, test.want)
		}
	}
	long := strings.Repeat("/", 5_000)
	for text, most := range map[string]int{"raw:" + long: len(long) + 300, "type=raw,value=x,prefix=" + long: 300} {
		if _, _, err := Expand([]string{text}, Flavor{}, Facts{}); err == nil || strings.Count(err.Error(), "/") > most {
			t.Errorf("%.20s: the error says all of it again", text)
		}
	}
}

// Tags under which evidence is kept are refused for every type that can make one.
func TestEvidenceTagsAreReserved(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0a", 32)
	for name, test := range map[string]struct {
		text  string
		facts Facts
	}{
		"the referrers tag":    {"raw:sha256-" + hex, Facts{}},
		"the digest itself":    {"raw:sha256:" + hex, Facts{}},
		"cleaned up":           {"raw:.-/sha256-" + hex, Facts{}},
		"a signature":          {"raw:sha256-" + hex + ".sig", Facts{}},
		"an attestation":       {"raw:sha256-" + hex + ".att", Facts{}},
		"any suffix":           {"raw:sha256-" + hex + "-x", Facts{}},
		"upper case":           {"raw:SHA256-" + strings.ToUpper(hex), Facts{}},
		"a longer algorithm":   {"raw:sha512-" + hex + hex, Facts{}},
		"its cut form":         {"raw:sha512-" + hex, Facts{}},
		"another algorithm":    {"raw:blake3-" + hex, Facts{}},
		"the name of a branch": {"ref", Facts{Ref: "refs/heads/sha256-" + hex + ".att"}},
		"the name of a tag":    {"ref", Facts{Ref: "refs/tags/sha256-" + hex + ".sbom"}},
		"a version":            {"semver:sha256-" + hex[:63] + "{{patch}}", Facts{Ref: "refs/tags/v1.2.3"}},
		"a schedule":           {"schedule:sha256-" + strings.Repeat("a", 64), Facts{Now: at}},
	} {
		_, _, err := Plan(evidence.Waybill{}, []string{test.text}, Flavor{}, test.facts)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "is reserved: signatures and attestations") {
			t.Errorf("%s: got %v, want a refusal of the reserved tag", name, err)
		}
	}
	for _, text := range []string{"raw:sha256-" + hex[:63], "raw:sha256", "raw:v1-" + hex} {
		if _, _, err := Expand([]string{text}, Flavor{}, Facts{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func waybill(t *testing.T, source string, state evidence.State) evidence.Waybill {
	t.Helper()
	ref, err := imageref.Parse("registry.example/acme/app@sha256:" + strings.Repeat("1", 64))
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Waybill{
		Image: ref, Source: evidence.Source{Commit: source},
		Decision: evidence.Decide(evidence.Reason{Rule: "signature", State: state, Detail: "no signature record"}),
	}
}

func TestPlanTakesTheProvenCommit(t *testing.T) {
	t.Parallel()
	facts := Facts{Commit: other, Ref: "refs/tags/v1.2.3"}
	tags, _, err := Plan(waybill(t, commit, evidence.Met), []string{"sha"}, Flavor{}, facts)
	if err != nil || !cmp.Equal(tags, []string{"sha-4be1f7a"}) {
		t.Errorf("got %q, %v, want the commit that the evidence proves", tags, err)
	}
	for _, types := range [][]string{{"ref"}, {"raw:x", "semver:{{version}}"}} {
		_, _, err := Plan(waybill(t, commit, evidence.Met), types, Flavor{}, facts)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(
			err.Error(), "was built from commit 4be1f7a, this run is about d03c9e2",
		) {
			t.Errorf("%q for another commit: %v", types, err)
		}
	}
	facts.Commit = commit
	tags, _, err = Plan(waybill(t, commit, evidence.Met), []string{"ref", "semver:{{version}}"}, Flavor{}, facts)
	if err != nil || len(tags) != 2 {
		t.Errorf("got %q, %v", tags, err)
	}
	tags, _, err = Plan(waybill(t, "", evidence.Met), []string{"sha"}, Flavor{}, facts)
	if err != nil || !cmp.Equal(tags, []string{"sha-4be1f7a"}) {
		t.Errorf("without proof: got %q, %v", tags, err)
	}
	if _, _, err := Plan(waybill(t, commit, evidence.Met), []string{"nonsense"}, Flavor{}, facts); outcome.Code(err) != outcome.Usage {
		t.Errorf("got %v, want wrong usage", err)
	}
}

type tagged struct {
	tags []string
	fail string
}

func (r *tagged) Tag(_ context.Context, _ imageref.Ref, tag string) error {
	if tag == r.fail {
		return errors.New("registry registry.example: tag: 503")
	}
	r.tags = append(r.tags, tag)
	return nil
}

func TestApply(t *testing.T) {
	t.Parallel()
	for state, code := range map[evidence.State]int{evidence.Refused: outcome.Refused, evidence.Pending: outcome.Pending} {
		r := new(tagged)
		written, err := Apply(t.Context(), r, waybill(t, commit, state), []string{"latest"})
		if outcome.Code(err) != code || len(written) != 0 || len(r.tags) != 0 || !strings.Contains(err.Error(), "no signature record") {
			t.Errorf("%s: %v, wrote %q", state, err, r.tags)
		}
	}
	r := new(tagged)
	written, err := Apply(t.Context(), r, waybill(t, commit, evidence.Met), []string{"1.2.3", "latest"})
	if err != nil || !cmp.Equal(written, []string{"registry.example/acme/app:1.2.3", "registry.example/acme/app:latest"}) ||
		!cmp.Equal(r.tags, []string{"1.2.3", "latest"}) {
		t.Errorf("wrote %q, %v", written, err)
	}
	r = &tagged{fail: "latest"}
	written, err = Apply(t.Context(), r, waybill(t, commit, evidence.Met), []string{"1.2.3", "latest"})
	if err == nil || outcome.Code(err) != outcome.Broken || len(written) != 1 || !strings.Contains(err.Error(), "1 of 2 tags are written") {
		t.Errorf("wrote %q, %v", written, err)
	}
}

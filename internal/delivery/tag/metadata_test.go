package tag

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Versions give the tags that users of metadata-action expect, and none that a
// newer version has.
func TestVersions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		types, flavor, ref, existing, want, note string
	}{
		"a release":      {"semver", "", "v1.2.3", "1.2.2 1.2 1 latest", "1.2.3 1.2 1 latest", ""},
		"before 1.0":     {"semver", "", "v0.4.0", "", "0.4.0 0.4 latest", ""},
		"a prerelease":   {"semver", "", "v1.2.3-rc.1", "", "1.2.3-rc.1", "latest: left out, v1.2.3-rc.1 is a prerelease"},
		"an older patch": {"semver", "", "v1.2.3", "1.2.10", "1.2.3", "{{major}}.{{minor}}: left out, the newer version 1.2.10 has it"},
		"an older minor": {"semver", "", "v1.2.3", "v1.3.0", "1.2.3 1.2", "{{major}}: left out, the newer version v1.3.0 has it"},
		"an older major": {
			"semver", "", "v1.2.3", "2.0.0 3.0.0-rc.1", "1.2.3 1.2 1", "latest: left out, the newer version 2.0.0 has it",
		},
		"a newer prerelease": {"semver", "", "v1.2.3", "1.2.4-rc.1 2.0.0-rc.1", "1.2.3 1.2 1 latest", ""},
		"no latest":          {"semver", "latest=false", "v1.2.3", "", "1.2.3 1.2 1", ""},
		"around":             {"semver", "prefix=a- suffix=-z", "v1.2.3", "", "a-1.2.3-z a-1.2-z a-1-z latest", ""},
		"around, an older": {
			"semver", "suffix=-z", "v1.2.3", "1.9.0 1.2.9-z", "1.2.3-z", "latest: left out, the newer version 1.2.9 has it",
		},
		"a branch":            {"semver", "", "", "", "", "left out, the ref is no tag"},
		"latest of a branch":  {"type=raw,value=edge", "latest=true", "", "", "edge latest", ""},
		"by itself":           {"latest", "", "v1.2.3", "1.2.2", "latest", ""},
		"metadata-action's":   {"type=semver,pattern={{version}} type=semver,pattern={{major}}", "", "v1.2.3", "", "1.2.3 1 latest", ""},
		"with affixes":        {"type=raw,value=x,prefix=p-,suffix=-s", "prefix=f-", "", "", "f-p-x-s", ""},
		"disabled":            {"type=raw,value=x,enable=false type=raw,value=y,enable=true", "", "", "", "y", ""},
		"of the branch alone": {"type=ref,event=branch", "", "v1.2.3", "", "", "left out, refs/tags/v1.2.3 is of another kind"},
		"of the branch":       {"type=ref,event=branch", "", "", "", "main", ""},
		"the commit":          {"type=sha", "prefix=p-", "", "", "p-sha-4be1f7a", ""},
		"Waybill's own forms": {"sha semver:{{version}}", "prefix=p-", "v1.2.3", "", "sha-4be1f7a 1.2.3", ""},
	} {
		flavor, err := ParseFlavor(strings.Fields(test.flavor))
		if err != nil {
			t.Fatal(err)
		}
		facts := Facts{Commit: commit, Ref: "refs/heads/main", Existing: strings.Fields(test.existing)}
		if test.ref != "" {
			facts.Ref = "refs/tags/" + test.ref
		}
		tags, notes, err := Expand(strings.Fields(test.types), flavor, facts)
		if got := strings.Join(tags, " "); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
		if got := strings.Join(notes, "\n"); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
			t.Errorf("%s: notes %q, want %q", name, got, test.note)
		}
	}
	for text, want := range map[string]string{
		"latest=yes": "latest is auto, true or false",
		"size=9":     "want latest=auto, prefix=TEXT or suffix=TEXT",
	} {
		if _, err := ParseFlavor([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// shelf is a registry whose tags name images of two commits.
type shelf struct {
	tagged
	existing []string
	now      imageref.Ref
	created  map[string]time.Time
	trouble  error
	unread   error // where an image's time is asked for
}

func (s *shelf) Tags(context.Context, name.Repository) ([]string, error) {
	return s.existing, s.trouble
}

func (s *shelf) Resolve(context.Context, string) (imageref.Ref, error) { return s.now, nil }

func (s *shelf) Created(_ context.Context, ref imageref.Ref) (time.Time, error) {
	return s.created[ref.Digest()], s.unread
}

// A tag that names an image of a newer commit stays there, and the note says so.
func TestTagsMoveForward(t *testing.T) {
	t.Parallel()
	w := waybill(t, commit, evidence.Met)
	now, err := w.Image.At("sha256:" + strings.Repeat("2", 64))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		now, this time.Time
		older     bool
		want      string
	}{
		"newer there": {at.Add(time.Hour), at, false, "fresh"}, "older there": {at.Add(-time.Hour), at, false, "fresh main"},
		"asked for": {at.Add(time.Hour), at, true, "fresh main"}, "unknown": {time.Time{}, at, false, "fresh main"},
		"this one unknown": {at, time.Time{}, false, "fresh main"},
	} {
		s := &shelf{existing: []string{"main"}, now: now}
		s.created = map[string]time.Time{now.Digest(): test.now, w.Image.Digest(): test.this}
		r, err := Run(t.Context(), s, Request{
			Waybill: w, Types: []string{"raw:fresh", "raw:main"}, AllowOlder: test.older, Facts: Facts{Commit: commit},
		})
		left := test.want == "fresh"
		unknown := !test.older && (test.now.IsZero() || test.this.IsZero())
		said := strings.Contains(strings.Join(r.Notes, ""), "main: moved from sha256:222222222222, and nobody can tell")
		if said != unknown {
			t.Errorf("%s: notes %q", what, r.Notes)
		}
		if got := strings.Join(s.tags, " "); err != nil || got != test.want || left != strings.Contains(strings.Join(r.Notes, ""),
			"main: left out, it names sha256:222222222222 of a newer commit") {
			t.Errorf("%s: wrote %q, %q, %v", what, got, r.Notes, err)
		}
	}
	again, err := Run(t.Context(), &shelf{existing: []string{"main"}, now: w.Image}, Request{
		Waybill: w, Types: []string{"raw:main"}, Facts: Facts{Commit: commit},
	})
	if err != nil || len(again.Notes) > 0 {
		t.Errorf("the image that has the tag: %q, %v", again.Notes, err)
	}
	trouble := errors.New("registry registry.example: 503")
	unread := &shelf{existing: []string{"main"}, now: now, unread: trouble}
	if _, err := Run(t.Context(), unread, Request{
		Waybill: w, Types: []string{"raw:main"}, Facts: Facts{Commit: commit},
	}); !errors.Is(err, trouble) || len(unread.tags) > 0 {
		t.Errorf("trouble with a time: wrote %q, %v", unread.tags, err)
	}
	if _, err := Run(t.Context(), &shelf{trouble: trouble}, Request{Waybill: w, Types: []string{"raw:x"}}); !errors.Is(err, trouble) {
		t.Errorf("trouble: %v", err)
	}
}

// The image of a commit is found by its tag, and waited for where there is none.
func TestBuilt(t *testing.T) {
	t.Parallel()
	w := waybill(t, commit, evidence.Met)
	s := &shelf{existing: []string{"sha-4be1f7a"}, now: w.Image}
	if got, err := Built(t.Context(), s, w.Image.Name(), commit); err != nil || !cmp.Equal(got.String(), w.Image.String()) {
		t.Errorf("%s, %v", got, err)
	}
	_, err := Built(t.Context(), s, w.Image.Name(), other)
	if outcome.Code(err) != outcome.Pending || !strings.Contains(err.Error(), "no image of commit d03c9e2") {
		t.Errorf("not built yet: %v", err)
	}
	_, err = Built(t.Context(), s, w.Image.Name(), "")
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "names no digest") {
		t.Errorf("no commit: %v", err)
	}
}

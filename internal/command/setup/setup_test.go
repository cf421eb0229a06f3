package setup_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/doctor"
	"github.com/waybill-dev/waybill/internal/command/setup"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// world is an empty organisation, and its owner at a terminal and a browser.
type world struct {
	*githubd.Server
	t       *testing.T
	request setup.Request
	token   string

	mu       sync.Mutex
	said     []string
	asked    int      // times that the owner was asked
	deaf     bool     // the owner opens no page
	selected []string // repositories that the owner installs Apps on; nil is what is asked for
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Server: githubtest.Start(t, githubd.Options{}), t: t}
	w.SetPlan("acme", "team")
	w.token = w.CreateToken(githubd.Token{User: "olive"})
	options := github.Options{Token: w.token, APIURL: w.APIURL(), ServerURL: w.URL()}
	api, err := github.New(options)
	if err != nil {
		t.Fatal(err)
	}
	w.request = setup.Request{
		API: settings.Of(api), GitHub: options, Owner: "acme", Config: "config", Infra: "infra", Apps: []string{"backend"},
		Team: "platform", Private: true,
		Poll: time.Millisecond, Patience: time.Minute, Say: w.say,
		Confirm: func(setup.Report) error { w.asked++; return nil },
		Keys:    setup.Keys{Dir: t.TempDir()},
	}
	return w
}

var (
	page    = regexp.MustCompile(`press the button there: (\S+)`)
	install = regexp.MustCompile(`Only select repositories: ([^)]*)\): \S+/apps/([a-z-]+)/installations/new`)
)

// say is what the owner reads and does.
func (w *world) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.said = append(w.said, line)
	w.mu.Unlock()
	if w.deaf {
		return
	}
	if m := page.FindStringSubmatch(line); m != nil {
		go w.register(m[1])
	}
	if m := install.FindStringSubmatch(line); m != nil {
		names := strings.Split(m[1], ", ")
		if w.selected != nil {
			names = w.selected
		}
		for i := range names {
			names[i] = "acme/" + names[i]
		}
		if err := w.InstallApp(m[2], names...); err != nil {
			w.t.Error(err)
		}
	}
}

// register opens the page and presses its button.
func (w *world) register(address string) {
	response, err := http.Get(address)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Error(err)
	}
	form := regexp.MustCompile(`action="([^"]*)".*value="([^"]*)"`).FindStringSubmatch(string(text))
	if form == nil {
		w.t.Errorf("the page has no form: %s", text)
		return
	}
	done, err := http.PostForm(html.UnescapeString(form[1]), url.Values{"manifest": {html.UnescapeString(form[2])}})
	if err != nil || done.StatusCode != http.StatusOK {
		w.t.Errorf("the way back: %v %v", done, err)
	}
}

func (w *world) run() setup.Report {
	w.t.Helper()
	report, err := setup.Run(w.t.Context(), w.request)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.said, "\n"))
	}
	return report
}

// states are the settings that are in a state.
func states(r setup.Report, state setup.State) (found []string) {
	for _, step := range r.Steps {
		if step.State == state {
			found = append(found, step.Setting+": "+step.Text+" "+step.Fix)
		}
	}
	return found
}

// push commits to a repository what init writes.
func (w *world) push(kind, name string) map[string][]byte {
	w.t.Helper()
	dir := w.t.TempDir()
	platform := map[string]string{starter.Config: starter.None, starter.Infra: starter.AWS}[kind]
	if _, err := starter.Write(dir, kind, starter.Names{Owner: "acme", App: "backend", Platform: platform}, false); err != nil {
		w.t.Fatal(err)
	}
	if kind == starter.Infra {
		if err := os.WriteFile(filepath.Join(dir, ".github/CODEOWNERS"), []byte("* @acme/platform\n"), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	pin := regexp.MustCompile(`@(v0\.1\.0)\b`)
	files, err := filepath.Glob(filepath.Join(dir, ".github/workflows/*.yml"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		pinned := pin.ReplaceAll(data, []byte("@"+strings.Repeat("a", 40)+" # $1"))
		if err := os.WriteFile(file, pinned, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	remote := strings.Replace(w.URL(), "://", "://x:"+w.token+"@", 1) + "/acme/" + name + ".git"
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"},
		{"-c", "user.name=o", "-c", "user.email=o@acme.example", "commit", "--quiet", "--message=Begin"},
		{"push", "--quiet", remote, "main"},
	} {
		if _, err := git.Run(w.t.Context(), dir, args...); err != nil {
			w.t.Fatal(err)
		}
	}
	repo := github.Repository{Owner: "acme", Name: name}
	snapshot, err := configrepo.NewGitHub(w.request.API.Client, repo).Snapshot(w.t.Context(), "main")
	if err != nil {
		w.t.Fatal(err)
	}
	return snapshot.Files
}

// From an empty organisation to one where doctor finds nothing: setup, the push
// of what init writes, and setup again.
func TestFromNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.run()
	if n := first.Count(setup.Person) + first.Count(setup.Would); n != 0 {
		t.Errorf("left to a person: %q", states(first, setup.Person))
	}
	if later := states(first, setup.Later); len(later) != 4 ||
		!strings.Contains(later[1], "push what waybill init writes to main of acme/config") {
		t.Errorf("later: %q", later)
	}
	files := map[string]map[string][]byte{"config": w.push(starter.Config, "config"), "infra": w.push(starter.Infra, "infra")}
	second := w.run()
	kinds := map[string]int{}
	for _, made := range states(second, setup.Made) {
		kind, _, _ := strings.Cut(made, ":")
		kinds[kind]++
	}
	if kinds["environment"] != 4 || kinds["secret"] != 1 || kinds["ruleset"] != 2 || len(kinds) != 3 {
		t.Errorf("made by the second run: %q", states(second, setup.Made))
	}
	asked := w.asked
	w.request.Confirm = func(r setup.Report) error {
		t.Errorf("asked again, for %q", states(r, setup.Would))
		return nil
	}
	w.request.Apps = nil // whose package waits for a first delivery
	if third := w.run(); third.Count(setup.There) != len(third.Steps) || asked != 2 {
		t.Errorf("the third run: %+v, asked %d times before", third, asked)
	}
	for name, of := range files {
		report, err := doctor.Run(t.Context(), doctor.Request{
			API: w.request.API, Repository: github.Repository{Owner: "acme", Name: name}, Branch: "main", Files: of, Version: "0.1.0",
			Pull: func(context.Context, string) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Checks {
			if f.State != doctor.OK && !strings.Contains(f.Text+f.Fix, "WAYBILL_TEAM_TOKEN") {
				t.Errorf("doctor of %s: %s %s: %s (%s)", name, f.State, f.Check, f.Text, f.Fix)
			}
		}
	}
	if left, err := os.ReadDir(w.request.Keys.Dir); err != nil || len(left) > 0 {
		t.Errorf("keys were written to files: %v %v", left, err)
	}
}

// The keys that jobs find are the ones that GitHub gave.
func TestTheKeysWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	secrets, vars := w.RunVariables("acme/backend", "refs/heads/main", nil)
	for _, c := range []struct {
		id, key, repo string
		permissions   map[string]string
	}{
		{vars["WAYBILL_ASK_APP_ID"], secrets["WAYBILL_ASK_APP_KEY"], "config", map[string]string{"deployments": "write"}},
	} {
		_, err := apps.Token(t.Context(), w.request.GitHub, apps.App{ID: c.id, Key: c.key},
			github.Repository{Owner: "acme", Name: c.repo},
			c.permissions)
		if err != nil {
			t.Error(err)
		}
		if _, err := apps.Token(t.Context(), w.request.GitHub, apps.App{ID: c.id, Key: c.key},
			github.Repository{Owner: "acme", Name: c.repo}, map[string]string{"actions": "write"}); err == nil {
			t.Error("the App that asks may do more than ask")
		}
	}
	for _, name := range []string{"config", "infra"} {
		inside, ids := w.RunVariables("acme/"+name, "refs/heads/main", []string{"waybill"})
		if _, err := apps.Token(t.Context(), w.request.GitHub, apps.App{ID: ids["WAYBILL_APP_ID"], Key: inside["WAYBILL_APP_KEY"]},
			github.Repository{Owner: "acme", Name: name}, map[string]string{"statuses": "write"}); err != nil {
			t.Error(err)
		}
		if outside, _ := w.RunVariables("acme/"+name, "refs/heads/topic", []string{"waybill"}); outside["WAYBILL_APP_KEY"] != "" {
			t.Errorf("a branch of %s reaches the key", name)
		}
	}
	other := githubd.Seed{Name: "acme/other", Private: true}
	if err := w.CreateRepository(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if secrets, vars := w.RunVariables("acme/other", "refs/heads/main", nil); len(secrets)+len(vars) > 0 {
		t.Errorf("a repository that was not named has %v %v", secrets, vars)
	}
	w.push(starter.Infra, "infra")
	w.run()
	for _, name := range []string{"waybill", "infra", "infra-dev", "infra-prod"} {
		seal, to := w.RunVariables("acme/infra", "refs/heads/main", []string{name})
		if !strings.HasPrefix(seal["WAYBILL_SEAL_KEY"], "AGE-SECRET-KEY-1") || !strings.HasPrefix(to["WAYBILL_SEAL_TO"], "age1") {
			t.Errorf("plans cannot be sealed, and opened in %s", name)
		}
	}
}

// Another environment gets no other key: a person who has the first one sets it.
func TestTheSealKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.push(starter.Infra, "infra")
	w.run()
	before, _ := w.RunVariables("acme/infra", "refs/heads/main", []string{"infra-prod"})
	if err := w.request.API.Delete(t.Context(), "", "repos/acme/infra/environments/infra-dev"); err != nil {
		t.Fatal(err)
	}
	left := states(w.run(), setup.Person)
	if len(left) != 1 || !strings.Contains(left[0],
		"its other half is missing in infra-dev: gh secret set WAYBILL_SEAL_KEY --repo acme/infra "+
			"--env infra-dev") {
		t.Errorf("left to a person: %q", left)
	}
	after, _ := w.RunVariables("acme/infra", "refs/heads/main", []string{"infra-prod"})
	if after["WAYBILL_SEAL_KEY"] != before["WAYBILL_SEAL_KEY"] {
		t.Error("the key was made anew")
	}
}

// A dry run looks, and a no changes nothing.
func TestNothingIsMadeBeforeAYes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request.DryRun = true
	if report := w.run(); report.Count(setup.Would) != len(report.Steps) || w.asked > 0 {
		t.Errorf("dry run: %+v", report)
	}
	w.request.DryRun = false
	w.request.Confirm = func(setup.Report) error { return fmt.Errorf("no") }
	if _, err := setup.Run(t.Context(), w.request); err == nil || err.Error() != "no" {
		t.Errorf("a no: %v", err)
	}
	if made := w.Repositories(); len(made) > 0 {
		t.Errorf("made: %v", made)
	}
}

// What cannot work is refused before anything is made.
func TestWhatCannotWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"a user":               {func(w *world) { w.request.Owner = "olive" }, "olive is a user"},
		"the plan":             {func(w *world) { w.SetPlan("acme", "free") }, "acme has the plan free"},
		"nothing to be set up": {func(w *world) { w.request.Config, w.request.Infra = "", "" }, "which repository?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			if _, err := setup.Run(t.Context(), w.request); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if made := w.Repositories(); len(made) > 0 || w.asked > 0 {
				t.Errorf("made %v, asked %d times", made, w.asked)
			}
		})
	}
	w := newWorld(t)
	w.SetPlan("acme", "free")
	w.request.Private = false
	w.run() // public repositories have everything on every plan
}

// GitHub gives the key of an App once. Where it cannot be stored as a secret it
// goes to a file, and the error says which, and never the key.
func TestAKeyIsNeverLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.AddFault(githubd.Fault{Method: http.MethodPut, Path: "/environments/waybill/secrets/", Status: 403,
		Body: `{"message":"Resource not accessible"}`}); err != nil {
		t.Fatal(err)
	}
	_, err := setup.Run(t.Context(), w.request)
	file := filepath.Join(w.request.Keys.Dir, "acme-waybill.private-key.pem")
	if err == nil || !strings.Contains(err.Error(), "the key of the App acme-waybill is in "+file+", where the next run finds it") {
		t.Errorf("got %v", err)
	}
	data, read := os.ReadFile(file)
	key := string(data)
	if info, stat := os.Stat(file); read != nil || stat != nil || info.Mode().Perm() != 0o600 || !strings.Contains(key, "PRIVATE KEY") ||
		strings.Contains(err.Error()+strings.Join(w.said, ""), key[100:140]) {
		t.Errorf("the key: %d bytes, %v %v", len(key), read, stat)
	}
	w.run()
	if _, gone := os.Stat(file); !os.IsNotExist(gone) || len(registered(w)) != 2 {
		t.Errorf("%d Apps were registered, and the file: %v", len(registered(w)), gone)
	}
}

// Whatever fails on the way, the same command goes on from there.
func TestItGoesOnAfterTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, method := range map[string]string{
		"/orgs/acme/repos$": http.MethodPost, "/environments/waybill$": http.MethodPut, "/orgs/acme/actions/variables$": http.MethodPost,
		"/deployment-branch-policies$": http.MethodPost,
	} {
		if err := w.AddFault(githubd.Fault{Path: path, Method: method, Status: 403, Body: `{"message":"not now"}`}); err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	for ; failed < 9; failed++ {
		if _, err := setup.Run(t.Context(), w.request); err == nil {
			break
		} else if !strings.Contains(err.Error(), "not now") || !strings.Contains(err.Error(), "the same command goes on from here") {
			t.Fatal(err)
		}
	}
	if failed != 4 {
		t.Errorf("failed %d times", failed)
	}
	if found := len(registered(w)); found != 2 {
		t.Errorf("%d Apps were registered", found)
	}
}

func registered(w *world) (pages []string) {
	for _, line := range w.said {
		if strings.HasPrefix(line, "Register the App") {
			pages = append(pages, line)
		}
	}
	return pages
}

// Another application joins: the organisation's secret is shared with it too, and
// no App is made again.
func TestAnotherApplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.request.Apps = []string{"frontend"}
	if report := w.run(); report.Count(setup.Person) > 0 {
		t.Errorf("left to a person: %q", states(report, setup.Person))
	}
	for _, name := range []string{"backend", "frontend"} {
		secrets, vars := w.RunVariables("acme/"+name, "refs/heads/main", nil)
		if secrets["WAYBILL_ASK_APP_KEY"] == "" || vars["WAYBILL_ASK_APP_ID"] == "" {
			t.Errorf("%s cannot ask", name)
		}
	}
	if n := len(registered(w)); n != 2 {
		t.Errorf("%d Apps were registered", n)
	}
}

// What exists and is otherwise is left to a person, with the address.
func TestWhatIsOtherwiseIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	for _, err := range []error{
		w.SetEnvironment("acme/config", "waybill", "main", "release/*"),
		w.SetEnvironmentVariable("acme/infra", "waybill", "WAYBILL_APP_ID", ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.request.Infra = ""
	report := w.run()
	left := states(report, setup.Person)
	if len(left) != 1 || !strings.Contains(
		left[0], "it exists with other branches: allow main alone at "+w.URL()+"/acme/config/settings/environments",
	) {
		t.Errorf("left to a person: %q", left)
	}
}

// An App whose key nobody has any more is not made twice: a person makes a key.
func TestAKeyThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.request.Apps = nil
	w.request.Infra = "more"
	report := w.run()
	left := states(report, setup.Person)
	if len(left) != 1 || !strings.Contains(left[0], "make another at "+w.URL()+"/organizations/acme/settings/apps/acme-waybill, then "+
		"gh secret set WAYBILL_APP_KEY --repo acme/more --env waybill") {
		t.Errorf("left to a person: %q", left)
	}
	if n := len(registered(w)); n != 2 {
		t.Errorf("%d Apps were registered", n)
	}
}

// A person who does nothing, or installs the App elsewhere, is waited for, and
// told what is left.
func TestAPersonIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deaf, w.request.Patience = true, 20*time.Millisecond
	left := states(w.run(), setup.Person)
	if len(left) != 3 || !strings.Contains(left[0], "nobody registered it within 20ms") {
		t.Errorf("nobody there: %q", left)
	}
	w.deaf, w.selected, w.request.Patience = false, []string{"backend"}, 300*time.Millisecond
	left = states(w.run(), setup.Person)
	if !slices.ContainsFunc(left, func(l string) bool {
		return strings.HasPrefix(l, "installation: the App acme-waybill on config, infra, backend alone install it on config")
	}) {
		t.Errorf("installed elsewhere: %q", left)
	}
}

// The page for registering answers to nobody who does not know its path.
func TestThePageIsTheOwnersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacks := make(chan []int, 1)
	say := w.request.Say
	w.request.Say = func(format string, args ...any) {
		m := page.FindStringSubmatch(fmt.Sprintf(format, args...))
		if m == nil || strings.Contains(fmt.Sprint(args...), "acme-ask") {
			say(format, args...)
			return
		}
		go func() {
			root := m[1][:strings.LastIndex(m[1], "/")]
			var got []int
			for _, address := range []string{
				root + "/", root + "/done?code=evil&state=x", m[1] + "/done?code=evil&state=x", m[1] + "/done?state=" + filepath.Base(m[1]),
			} {
				if response, err := http.Get(address); err == nil {
					response.Body.Close()
					got = append(got, response.StatusCode)
				}
			}
			attacks <- got
			w.register(m[1])
		}()
	}
	if _, err := setup.Run(t.Context(), w.request); err != nil {
		t.Fatal(err)
	}
	if got := <-attacks; !slices.Equal(got, []int{404, 404, 404, 404}) {
		t.Errorf("answers: %v", got)
	}
}

// Undo takes away what setup made, and leaves repositories, teams, Apps and the
// key that seals plans.
func TestUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.push(starter.Config, "config")
	w.push(starter.Infra, "infra")
	w.run()
	w.request.Undo, w.request.DryRun = true, true
	if report := w.run(); report.Count(setup.Removed)+report.Count(setup.Absent) > 0 || report.Count(setup.Would) == 0 {
		t.Errorf("what undo would do: %+v", report)
	}
	w.request.DryRun = false
	if report := w.run(); report.Count(setup.Person)+report.Count(setup.Would) > 0 || report.Count(setup.Removed) == 0 {
		t.Errorf("undo: %+v", report)
	}
	if report := w.run(); report.Count(setup.Would)+report.Count(setup.Removed) > 0 || report.Count(setup.Absent) == 0 {
		t.Errorf("undo of what is gone: %+v", report)
	}
	secrets, vars := w.RunVariables("acme/backend", "refs/heads/main", nil)
	if len(secrets)+len(vars) > 0 {
		t.Errorf("the application still has %v", vars)
	}
	inside, _ := w.RunVariables("acme/config", "refs/heads/main", []string{"waybill"})
	rulesets, err := w.request.API.Rulesets(t.Context(), github.Repository{Owner: "acme", Name: "config"})
	if err != nil || len(rulesets)+len(inside) > 0 {
		t.Errorf("left: %v, %d secrets, %v", rulesets, len(inside), err)
	}
	for _, name := range []string{"infra", "infra-prod"} {
		if kept, _ := w.RunVariables("acme/infra", "refs/heads/main", []string{name}); kept["WAYBILL_SEAL_KEY"] == "" {
			t.Errorf("the key that opens plans is gone from %s", name)
		}
	}
	if len(w.Repositories()) != 3 {
		t.Errorf("repositories: %v", w.Repositories())
	}
	asked := w.asked
	if again := w.run(); again.Count(setup.Would) > 0 || w.asked != asked {
		t.Errorf("undo again: %+v", again)
	}
}

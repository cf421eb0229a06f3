package setup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// What the two Apps are for.
const (
	judging = "waybill" // commits digests, opens pull requests, reports the status
	asking  = "ask"     // asks the config repository to deploy, and can do nothing else
)

// maxAppName is GitHub's own bound.
// https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/registering-a-github-app
const maxAppName = 34

// app is a GitHub App: a name, a key and a list of permissions, without a server.
type app struct {
	name        string
	permissions map[string]string
	on          []github.Repository // that it is installed on
	homes       []home

	clientID string // empty if no home holds it
	key      string // of an App that this call has registered
}

// home is where jobs find the App's client ID and key.
type home struct {
	text   string
	read   func(ctx context.Context) (clientID string, key bool, err error)
	write  func(ctx context.Context, clientID, key string) error
	clear  func(ctx context.Context) error
	manual string // how a person sets the key
}

func (s *setup) appSettings() (all []setting) {
	write := func(names ...string) map[string]string {
		permissions := map[string]string{}
		for _, name := range names {
			permissions[name] = "write"
		}
		return permissions
	}
	judge := &app{name: s.appName(judging), on: s.judged(), permissions: write("contents", "pull_requests", "statuses", "actions")}
	for _, repo := range s.judged() {
		judge.homes = append(judge.homes, s.inEnvironment(repo))
		if repo == s.config {
			judge.on = append(judge.on, s.repositories()[len(s.judged()):]...) // to tell which of two commits is newer
		}
	}
	maps.Copy(judge.permissions, github.AskTeams)
	s.apps = map[string]*app{judging: judge}
	order := []*app{judge}
	if s.Config != "" && len(s.Apps) > 0 {
		ask := &app{name: s.appName(asking), on: []github.Repository{s.config}, permissions: write("deployments")}
		for _, name := range s.Apps {
			ask.homes = append(ask.homes, s.shared(github.Repository{Owner: s.Owner, Name: name}))
		}
		s.apps[asking] = ask
		order = append(order, ask)
	}
	for _, a := range order {
		for _, home := range a.homes {
			all = append(all, s.held(a, home))
		}
		all = append(all, s.installed(a))
	}
	return all
}

func (s *setup) appName(purpose string) string {
	owner := s.Owner
	if most := maxAppName - len(purpose) - 1; len(owner) > most {
		owner = owner[:most]
	}
	return owner + "-" + purpose
}

func (s *setup) inEnvironment(repo github.Repository) home {
	place := settings.InEnvironment(waybillEnvironment)
	return home{
		text: fmt.Sprintf("the environment %s of %s", waybillEnvironment, repo),
		read: func(ctx context.Context) (string, bool, error) {
			vars, err := s.API.Variables(ctx, repo, place)
			if err != nil {
				return "", false, err
			}
			secrets, err := s.API.Secrets(ctx, repo, place)
			return vars["WAYBILL_APP_ID"], slices.Contains(secrets, "WAYBILL_APP_KEY"), err
		},
		write: func(ctx context.Context, clientID, key string) error {
			secrets, err := s.API.Secrets(ctx, repo, place)
			switch {
			case err != nil:
				return err
			case key != "":
				if err := s.API.SetSecret(ctx, repo, place, "WAYBILL_APP_KEY", key); err != nil {
					return err
				}
			case !slices.Contains(secrets, "WAYBILL_APP_KEY"):
				return errNoKey
			}
			return s.API.SetVariable(ctx, repo, place, "WAYBILL_APP_ID", clientID)
		},
		clear:  func(context.Context) error { return nil }, // goes with the environment
		manual: fmt.Sprintf("gh secret set WAYBILL_APP_KEY --repo %s --env %s < KEY.pem", repo, waybillEnvironment),
	}
}

// shared is what the organisation lets one application's repository have.
func (s *setup) shared(repo github.Repository) home {
	id, key := settings.Shared{Name: "WAYBILL_ASK_APP_ID"}, settings.Shared{Name: "WAYBILL_ASK_APP_KEY", Secret: true}
	return home{
		text: "what the organisation shares with " + repo.String(),
		read: func(ctx context.Context) (string, bool, error) {
			clientID, _, err := s.API.Shared(ctx, s.Owner, id)
			if err != nil {
				return "", false, err
			}
			vars, err := s.API.Variables(ctx, repo, settings.OfOrganisation)
			if err != nil {
				return clientID, false, err
			}
			secrets, err := s.API.Secrets(ctx, repo, settings.OfOrganisation)
			return clientID, vars[id.Name] != "" && slices.Contains(secrets, key.Name), err
		},
		write: func(ctx context.Context, clientID, value string) error {
			for _, one := range []struct {
				settings.Shared
				value string
			}{{key, value}, {id, clientID}} {
				_, there, err := s.API.Shared(ctx, s.Owner, one.Shared)
				switch {
				case err == nil && there:
					err = s.API.ShareAlso(ctx, one.Shared, repo)
				case err == nil && one.value == "":
					err = errNoKey
				case err == nil:
					err = s.API.Share(ctx, one.Shared, one.value, repo)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
		clear: func(ctx context.Context) error {
			return outcome.Join(s.API.Delete(ctx, id.Name+" of "+s.Owner, "orgs/"+s.Owner+"/actions/variables/"+id.Name),
				s.API.Delete(ctx, key.Name+" of "+s.Owner, "orgs/"+s.Owner+"/actions/secrets/"+key.Name))
		},
		manual: fmt.Sprintf("gh secret set %s --org %s --repos %s < KEY.pem", key.Name, s.Owner, repo.Name),
	}
}

// errNoKey is a home's answer where the App's key is needed and not at hand.
var errNoKey = errors.New("the key of the App is needed")

// held is an App's client ID and key at one home. An App that no home knows is
// registered first.
func (s *setup) held(a *app, h home) setting {
	return setting{
		kind: "app", text: fmt.Sprintf("%s, its ID and key in %s", a.name, h.text),
		there: func(ctx context.Context) (bool, error) {
			id, key, err := h.read(ctx)
			if id != "" {
				a.clientID = id
			}
			return id != "" && key, err
		},
		set: func(ctx context.Context) error {
			number, err := s.number(ctx, a)
			if err == nil && a.key == "" {
				err = s.Keys.recall(a)
			}
			if err == nil && number == 0 && a.clientID == "" {
				err = s.register(ctx, a)
			}
			if err != nil {
				return err
			}
			err = h.write(ctx, a.clientID, a.key)
			if errors.Is(err, errNoKey) {
				return s.needsKey(a, h)
			}
			switch {
			case a.key == "":
				return err
			case err == nil:
				return s.Keys.forget(a)
			}
			file, kept := s.Keys.keep(a)
			return fmt.Errorf("%w (the key of the App %s is in %s, where the next run finds it)", outcome.Join(err, kept), a.name, file)
		},
		unset: h.clear,
	}
}

func (s *setup) needsKey(a *app, h home) error {
	return unready{Person, fmt.Sprintf("the App is there already, and GitHub shows its key to nobody: make another at "+
		"%s/organizations/%s/settings/apps/%s, then %s", s.API.ServerURL(), s.Owner, a.name, h.manual)}
}

// number finds the App among those installed in the organisation; it is 0 if it
// is not there. Its client ID is taken note of.
func (s *setup) number(ctx context.Context, a *app) (int64, error) {
	installed, err := apps.Installations(ctx, s.API.Client, s.Owner)
	if err != nil {
		return 0, err
	}
	for _, i := range installed {
		if (a.clientID == "" && i.Slug == a.name) || (a.clientID != "" && i.ClientID == a.clientID) {
			a.clientID = i.ClientID
			return i.App, nil
		}
	}
	return 0, nil
}

// installed waits for a person, because GitHub lets no API install an App.
func (s *setup) installed(a *app) setting {
	names := ""
	for _, repo := range a.on {
		names += ", " + repo.Name
	}
	return setting{
		kind: "installation", text: fmt.Sprintf("the App %s on %s alone", a.name, names[2:]),
		there: func(ctx context.Context) (bool, error) { number, err := s.number(ctx, a); return number != 0, err },
		set: func(ctx context.Context) error {
			if a.clientID == "" {
				return unready{Later, "the App has to be registered first; then run this again"}
			}
			address := fmt.Sprintf("%s/apps/%s/installations/new", s.API.ServerURL(), a.name)
			s.Say("Install the App on %s alone (Only select repositories: %s): %s", s.Owner, names[2:], address)
			if err := s.until(ctx, func() (bool, error) { return s.isOn(ctx, a) }); err != nil {
				return err
			}
			if on, err := s.isOn(ctx, a); on || err != nil {
				return err
			}
			return unready{Person, fmt.Sprintf("install it on %s, then run this again: %s", names[2:], address)}
		},
	}
}

// isOn reports whether the App is on all of its repositories. Only the App itself
// may ask that; without its key, that it is installed has to do.
func (s *setup) isOn(ctx context.Context, a *app) (bool, error) {
	number, err := s.number(ctx, a)
	if err != nil || number == 0 || a.key == "" {
		return number != 0, err
	}
	for _, repo := range a.on {
		_, err := apps.Find(ctx, s.GitHub, apps.App{ID: a.clientID, Key: a.key}, repo)
		if github.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// until looks again and again, as long as a person is given.
func (s *setup) until(ctx context.Context, look func() (bool, error)) error {
	patience, stop := context.WithTimeout(ctx, s.Patience)
	defer stop()
	ticks := time.NewTicker(s.Poll)
	defer ticks.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-patience.Done():
			return ctx.Err() // nil if only the patience has ended
		case <-ticks.C:
		}
	}
}

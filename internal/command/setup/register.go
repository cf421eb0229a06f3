package setup

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github/apps"
)

// register has a person register the App from a manifest: a page on this machine
// posts it to GitHub, GitHub shows what the App may do, and sends the person back
// with a code that is worth the App's key.
// https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
func (s *setup) register(ctx context.Context, a *app) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open a page for registering the App %s: %w", a.name, err)
	}
	// Nobody else on this machine, and no page in the browser, knows the path.
	pages := &pages{s: s, app: a, root: "http://" + listener.Addr().String(), secret: rand.Text(), codes: make(chan string, 1)}
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	defer server.Close()
	s.Say("Register the App %s: open this in a browser where you are an owner of %s, and press the button there: %s/%s",
		a.name, s.Owner, pages.root, pages.secret)
	patience, stop := context.WithTimeout(ctx, s.Patience)
	defer stop()
	select {
	case code := <-pages.codes:
		registered, err := apps.Registered(ctx, s.API.Client, code)
		if err != nil {
			return err
		}
		a.name, a.clientID, a.key = registered.Slug, registered.ClientID, registered.Key
		return nil
	case <-patience.Done():
		if err := ctx.Err(); err != nil {
			return err
		}
		return unready{Person, fmt.Sprintf("nobody registered it within %s: run this again", s.Patience)}
	}
}

// pages are two: the form, and where GitHub sends the person back to.
type pages struct {
	s            *setup
	app          *app
	root, secret string
	codes        chan string
}

// https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest#github-app-manifest-parameters
func (p *pages) manifest() (string, error) {
	data, err := json.Marshal(map[string]any{
		"name": p.app.name, "url": "https://github.com/waybill-dev/waybill", "public": false,
		"redirect_url":        p.root + "/" + p.secret + "/done",
		"hook_attributes":     map[string]any{"url": "https://github.com/waybill-dev/waybill", "active": false},
		"default_permissions": p.app.permissions, "default_events": []string{},
	})
	return string(data), err
}

var form = template.Must(template.New("form").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Name}}</title>
<h1>The GitHub App {{.Name}}</h1><p>GitHub shows what it may do before it makes it.</p>
<form action="{{.Action}}" method="post"><input type="hidden" name="manifest" value="{{.Manifest}}">
<button>Go on to GitHub</button></form>`))

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := func(path string) bool { return subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(path)) == 1 }
	w.Header().Set("Referrer-Policy", "no-referrer") // the path stays here
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch {
	case is("/" + p.secret):
		manifest, err := p.manifest()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = form.Execute(w, map[string]string{"Name": p.app.name, "Manifest": manifest,
			"Action": p.s.API.ServerURL() + "/organizations/" + p.s.Owner + "/settings/apps/new?state=" + p.secret})
	case is("/"+p.secret+"/done") && r.URL.Query().Get("state") == p.secret && r.URL.Query().Get("code") != "":
		select {
		case p.codes <- r.URL.Query().Get("code"):
		default: // a reload
		}
		fmt.Fprint(w, "<!doctype html><title>Waybill</title><p>The App is registered. Go back to the terminal.")
	default:
		http.NotFound(w, r)
	}
}

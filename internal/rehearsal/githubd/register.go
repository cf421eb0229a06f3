package githubd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// manifest is what an App is registered from.
// https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest#github-app-manifest-parameters
type manifest struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Redirect    string            `json:"redirect_url"`
	Public      bool              `json:"public"`
	Permissions map[string]string `json:"default_permissions"`
}

// registerApp is the page on which an owner presses the button: it takes the
// manifest, and sends the browser back with a code that holds once.
func (s *Server) registerApp(w http.ResponseWriter, r *http.Request) {
	var m manifest
	if err := json.Unmarshal([]byte(r.FormValue("manifest")), &m); err != nil || m.Name == "" || m.URL == "" {
		http.Error(w, "Error: the manifest is missing or invalid", http.StatusUnprocessableEntity)
		return
	}
	back, err := url.Parse(m.Redirect)
	if err != nil || back.Host == "" {
		http.Error(w, "Error: redirect_url is invalid", http.StatusUnprocessableEntity)
		return
	}
	code := randomHex(20)
	s.change(func(st *state) {
		if st.Manifests == nil {
			st.Manifests = map[string]manifest{}
		}
		st.Manifests[code] = m
	})
	back.RawQuery = url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// convertManifest gives the key of the App, this once.
// https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
func (s *Server) convertManifest(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m, there := s.state.Manifests[r.PathValue("code")]
	s.mu.Unlock()
	if !there {
		s.write(w, nil, notFound())
		return
	}
	s.change(func(st *state) { delete(st.Manifests, r.PathValue("code")) })
	app := App{Slug: strings.ToLower(strings.ReplaceAll(m.Name, " ", "-")), Permissions: map[string]string{}}
	for scope, access := range m.Permissions {
		app.Permissions[strings.ReplaceAll(scope, "_", "-")] = access
	}
	clientID, key, err := s.CreateApp(app)
	if err != nil {
		s.write(w, nil, err)
		return
	}
	result, err := created(map[string]any{
		"id": s.appNumber(app.Slug), "slug": app.Slug, "node_id": nodeID("App", app.Slug), "owner": s.userJSON(app.Slug), "name": m.Name,
		"description": nil, "external_url": m.URL, "html_url": s.URL() + "/apps/" + app.Slug, "created_at": began, "updated_at": began,
		"permissions": m.Permissions, "events": []string{}, "client_id": clientID, "client_secret": randomHex(20), "webhook_secret": nil,
		"pem": key,
	})
	s.write(w, result, err)
}

// InstallApp installs an App on repositories, which only a person can do.
func (s *Server) InstallApp(slug string, repositories ...string) error {
	err := fmt.Errorf("there is no App %s", slug)
	s.change(func(st *state) {
		for _, app := range st.Apps {
			if app.Slug == slug {
				app.Repositories, err = repositories, nil
			}
		}
	})
	return err
}

// getUser tells organisations, which have repositories or teams, from people.
// https://docs.github.com/en/rest/users/users#get-a-user
func (s *Server) getUser(w http.ResponseWriter, r *http.Request) {
	name := strings.ToLower(r.PathValue("name"))
	m := s.userJSON(r.PathValue("name"))
	s.mu.Lock()
	organisation := s.state.Organisations[name] != nil
	for key := range s.state.Repositories {
		organisation = organisation || strings.HasPrefix(key, name+"/")
	}
	for key := range s.state.Teams {
		organisation = organisation || strings.HasPrefix(key, name+"/")
	}
	s.mu.Unlock()
	if organisation {
		m["type"] = "Organization"
	}
	for key, value := range map[string]any{
		"name": nil, "company": nil, "blog": nil, "location": nil, "email": nil, "hireable": nil, "bio": nil, "public_repos": 0,
		"public_gists": 0, "followers": 0, "following": 0, "created_at": began, "updated_at": began,
	} {
		m[key] = value
	}
	result, err := ok(m)
	s.write(w, result, err)
}

// Package landed shows on GitHub what runs in each environment: one deployment for each
// digest that came to a place, whoever brought it.
//
// A deployment is for information. It is made once: the last one of a place says which
// digest was seen there. Nothing rests on it but who is told.
package landed

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Task tells these deployments from others. No workflow of init config acts on it.
const Task = "waybill-landed"

// most is how many deployments one run makes; the next run makes the others.
const most = 50

// place is the payload of a deployment.
type place struct {
	App   string `json:"app"`
	Part  string `json:"part,omitempty"` // which image, where the application has several
	Image string `json:"image"`
	// Path is the directory of the repository that has the place; empty is all of it.
	Path string `json:"path,omitempty"`
}

// Landing is a digest that came to a place since the last time.
type Landing struct {
	App, Part, Env  string
	Image, Previous imageref.Ref // Previous is zero where nothing was seen before
	Commit, path    string       // at which it was seen, and the directory
}

// Record makes the deployments that are missing, and lists what is new. It lists what
// it has made when it fails, too.
func Record(ctx context.Context, api *github.Client, repo github.Repository, tip history.Tip) ([]Landing, error) {
	var made []Landing
	for _, env := range tip.Config.EnvironmentNames() {
		list, err := api.Deployments(ctx, repo, Task, env)
		if err != nil {
			return made, err
		}
		seen := make(map[string]string) // image, by application
		ids := make(map[string]int64)
		for _, d := range list {
			var p place
			if json.Unmarshal(d.Payload, &p) != nil || p.Path != tip.Dir {
				continue // somebody else's
			}
			if _, known := seen[p.title()]; !known {
				seen[p.title()], ids[p.title()] = p.Image, d.ID
			}
		}
		for _, name := range tip.Config.AppNames() {
			app, _, err := tip.Config.Place(name, env)
			if err != nil {
				continue // it does not run there
			}
			places, err := history.ReadSet(tip.Files, app, env)
			if err != nil {
				continue
			}
			for i, part := range app.Parts() {
				now, title := places[i].Ref, part.Title()
				if !history.Runs(now) || seen[title] == now.String() {
					continue
				}
				if len(made) == most {
					return made, nil
				}
				l := Landing{App: name, Part: part.Part, Env: env, Image: now, Commit: tip.Commit, path: tip.Dir}
				l.Previous, _ = imageref.Parse(seen[title]) // zero where nothing was seen
				if err := l.record(ctx, api, repo, ids[title]); err != nil {
					return made, err
				}
				made = append(made, l)
			}
		}
	}
	return made, nil
}

// title tells an image of an application from its others.
func (p place) title() string {
	if p.Part == "" {
		return p.App
	}
	return p.App + "/" + p.Part
}

// record makes one deployment, and ends the one before of the same application: GitHub
// would end those of every application in the environment.
func (l Landing) record(ctx context.Context, api *github.Client, repo github.Repository, before int64) error {
	id, err := api.CreateDeployment(ctx, repo, github.NewDeployment{
		Ref: l.Commit, Task: Task, Environment: l.Env, Description: fmt.Sprintf("%s %s", l.title(), l.Image.Short()), Lasting: true,
		Payload: place{App: l.App, Part: l.Part, Image: l.Image.String(), Path: l.path},
	})
	if err != nil {
		return err
	}
	if err := api.SetDeploymentStatus(ctx, repo, id, github.DeploymentStatus{
		State: "success", Description: l.title() + " is named by the overlay of " + l.Env,
	}); err != nil {
		return err
	}
	if before == 0 {
		return nil
	}
	return api.SetDeploymentStatus(ctx, repo, before, github.DeploymentStatus{State: "inactive", Description: "another digest came"})
}

func (l Landing) title() string { return place{App: l.App, Part: l.Part}.title() }

// Bounds of GitHub's records of artifacts.
const maxArtifactURL, maxArtifactPath = 152, 128

// Artifacts tells the organisation of the repository where the image of a landing is
// stored and where it runs, for its page of linked artifacts. The deployment is named
// after the config repository, its directory and the application, so that nobody else's
// record is changed. source is OWNER/NAME that the image is built from, if it is known.
func (l Landing) Artifacts(ctx context.Context, api *github.Client, repo github.Repository, source string) error {
	from := repo.Name
	if owner, name, ok := strings.Cut(source, "/"); ok && strings.EqualFold(owner, repo.Owner) {
		from = name
	}
	name, host := l.Image.Name().String(), l.Image.Registry()
	stored := github.ArtifactStorage{Name: name, Digest: l.Image.Digest(), Registry: "https://" + host + "/", Repository: from}
	if below := strings.TrimPrefix(name, host+"/"); len(below) <= maxArtifactPath {
		stored.Path = below
	}
	if at := "https://" + name; len(at) <= maxArtifactURL {
		stored.URL = at
	}
	return api.RecordArtifact(ctx, repo.Owner, stored, github.ArtifactDeployment{
		Name: name, Digest: l.Image.Digest(), Status: "deployed", Environment: l.Env,
		Deployment: path.Join(repo.Name, l.path, l.title()), Repository: from,
	})
}

package vitals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/health"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// argoCD asks Argo CD. The Application must be synced to a commit of this repository that
// holds the deployment, be healthy, and run pods of the digest.
func (s *Sources) argoCD(ctx context.Context, server health.Server, asked rules.Asked) (rules.Said, error) {
	app, env := asked.App.Name, asked.Env
	name, namespace := asked.Source.ArgoCD.For(app, env), asked.Source.In(app, env)
	got, err := ask(s, server, namespace+"/"+name, func() (health.Application, error) {
		return server.Application(ctx, name, namespace)
	})
	if health.IsDenied(err) {
		return rules.Said{}, fmt.Errorf("%w: the token may not get this Application, or no Application has this name", err)
	}
	if err != nil {
		return rules.Said{}, err
	}
	holds, err := s.anyHolds(ctx, asked, got.Revisions)
	if err != nil {
		return rules.Said{}, err
	}
	if why := behind(got, holds, asked.Ran); why != "" {
		return rules.Said{State: pending, Description: why}, nil
	}
	if got.Health != "Healthy" {
		return s.sick(ctx, server, asked, got)
	}
	set := ranAs(asked)
	if !slices.ContainsFunc(set, func(ref imageref.Ref) bool { return runs(got.Images, ref.Digest()) }) {
		return rules.Said{State: pending, Description: "no pod runs " + set.Short()}, nil
	}
	if got.Since.IsZero() {
		return rules.Said{State: pending, Description: "Argo CD does not say since when it is healthy: update it"}, nil
	}
	since, err := s.deployed(ctx, asked, got.Deployed)
	if err != nil {
		return rules.Said{}, err
	}
	if got.Since.After(since) {
		since = got.Since
	}
	return rules.Said{State: success, Since: since}, nil
}

// ranAs are the images of the deployment. Of several one is enough to be seen: the pod of a
// Job, such as a migration, goes when it is done.
func ranAs(asked rules.Asked) history.Set {
	if asked.App.Several() && len(asked.Ran.Set) > 0 {
		return asked.Ran.Set
	}
	return history.Set{asked.Ran.Ref}
}

// behind says why an Application does not show what was deployed; empty if it does.
func behind(got health.Application, holds bool, ran history.Period) string {
	failed := ""
	if got.Operation.Phase == "Failed" || got.Operation.Phase == "Error" {
		failed = "; its last sync is " + got.Operation.Phase + ": " + got.Operation.Message
	}
	switch {
	case !holds && !ran.Until.IsZero():
		return "another digest runs there by now, and Argo CD tells of that alone"
	case !holds:
		at := "nothing"
		if len(got.Revisions) > 0 {
			at = text.Commit(text.OneLine(got.Revisions[0]))
		}
		return "it is at " + at + ", which does not hold the deployment" + failed
	case got.Sync != "Synced":
		return "it is " + text.OneLine(got.Sync) + failed
	}
	return ""
}

// sick says which object is not healthy.
func (s *Sources) sick(ctx context.Context, server health.Server, asked rules.Asked, got health.Application) (rules.Said, error) {
	said := rules.Said{State: failure, Description: text.OneLine(got.Health), Since: got.Since}
	if got.Health == "Progressing" {
		said.State = pending
	}
	app, env := asked.App.Name, asked.Env
	objects, err := server.Unhealthy(ctx, asked.Source.ArgoCD.For(app, env), asked.Source.In(app, env))
	if err != nil { // the verdict stands without it
		return said, nil //nolint:nilerr // see above
	}
	for i, o := range objects {
		if i == 3 {
			said.Description += fmt.Sprintf("; and %d more", len(objects)-i)
			break
		}
		said.Description += fmt.Sprintf("; %s %s is %s", o.Kind, strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"), o.Health)
		if o.Message != "" {
			said.Description += ": " + o.Message
		}
	}
	return said, nil
}

// runs reports whether one of the images is of the digest. A mirror can stand in front of
// a repository, so that the digest alone counts.
func runs(images []string, digest string) bool {
	return slices.ContainsFunc(images, func(image string) bool { return strings.HasSuffix(image, "@"+digest) })
}

// most bounds what is looked up of what Argo CD lists: it keeps ten deployments by itself.
const most = 10

// skew is how far the clocks of GitHub and of a cluster may differ.
const skew = 5 * time.Minute

// deployed is when Argo CD deployed the digest for the first time without a break; as far
// as its own history tells.
func (s *Sources) deployed(ctx context.Context, asked rules.Asked, list []health.Deployed) (time.Time, error) {
	since := asked.Ran.Since
	for _, d := range list[:min(len(list), most)] { // newest first
		if d.At.Before(asked.Ran.Since.Add(-skew)) {
			break
		}
		holds, err := s.anyHolds(ctx, asked, d.Revisions)
		if err != nil || !holds {
			return since, err
		}
		if d.At.After(asked.Ran.Since) {
			since = d.At
		}
	}
	return since, nil
}

func (s *Sources) anyHolds(ctx context.Context, asked rules.Asked, revisions []string) (bool, error) {
	for _, revision := range revisions[:min(len(revisions), most)] {
		if holds, err := s.holds(ctx, asked, revision); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

// holds reports whether a revision is the commit of the deployment or one after it, at
// which the digest still stands there.
func (s *Sources) holds(ctx context.Context, asked rules.Asked, revision string) (bool, error) {
	if !git.IsObjectID(revision) {
		return false, nil
	}
	if revision == asked.Ran.Commit {
		return true, nil
	}
	key := fmt.Sprint("holds ", revision, " ", asked.App.Name, " ", asked.Env, " ", asked.Ran.Commit, " ", ranAs(asked).Key())
	return remember(s, key, func() (bool, error) {
		where := history.Where{Rev: revision, App: asked.App, Env: asked.Env}
		ran, found, err := history.Stands(ctx, s.Repo, where, ranAs(asked))
		if errors.Is(err, configrepo.ErrNotFound) {
			return false, nil // of another repository, or one that a force-push took away
		}
		return found && ran.Until.IsZero() && ran.Commit == asked.Ran.Commit, err
	})
}

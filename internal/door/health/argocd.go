package health

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"
)

// Application is what Argo CD says of an Application.
type Application struct {
	Sync      string    // Synced, OutOfSync or Unknown
	Health    string    // Healthy, Progressing, Degraded, Suspended, Missing or Unknown
	Since     time.Time // when its health last changed; zero where Argo CD does not say so
	Revisions []string  // of its sources, that it was last compared with
	Images    []string  // of the pods that run
	Deployed  []Deployed
	Operation Operation // the last one
}

// Deployed is a revision that was synced.
type Deployed struct {
	Revisions []string
	At        time.Time
}

// Operation is a sync.
type Operation struct {
	Phase   string // Running, Succeeded, Failed, Error or Terminating
	Message string
}

// Object is an object of an Application, and what its health is.
type Object struct {
	Kind, Namespace, Name string
	Health, Message       string
}

// revisions are one or several.
type revisions struct {
	Revision  string   `json:"revision"`
	Revisions []string `json:"revisions"`
}

func (r revisions) all() []string {
	list := slices.Clone(r.Revisions)
	if r.Revision != "" {
		list = append(list, r.Revision)
	}
	return list
}

// applicationAnswer is the part of an Application that is read.
type applicationAnswer struct {
	Status struct {
		Sync struct {
			Status string `json:"status"`
			revisions
		} `json:"sync"`
		Health struct {
			Status string    `json:"status"`
			Since  time.Time `json:"lastTransitionTime"`
		} `json:"health"`
		Summary struct {
			Images []string `json:"images"`
		} `json:"summary"`
		History []struct {
			revisions
			DeployedAt time.Time `json:"deployedAt"`
		} `json:"history"`
		Operation struct {
			Phase   string `json:"phase"`
			Message string `json:"message"`
		} `json:"operationState"`
	} `json:"status"`
}

func applicationPath(name, namespace, more string) string {
	path := "/api/v1/applications/" + url.PathEscape(name) + more
	if namespace != "" {
		path += "?appNamespace=" + url.QueryEscape(namespace)
	}
	return path
}

// Application asks Argo CD for an Application. The newest deployment is first. Argo CD
// answers 403, and not 404, for one that is not there.
// https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/
// https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
func (s Server) Application(ctx context.Context, name, namespace string) (Application, error) {
	var got applicationAnswer
	if err := s.call(ctx, applicationPath(name, namespace, ""), nil, &got); err != nil {
		return Application{}, err
	}
	st := got.Status
	app := Application{
		Sync: s.clean(st.Sync.Status), Health: s.clean(st.Health.Status), Since: st.Health.Since, Images: st.Summary.Images,
		Operation: Operation{Phase: s.clean(st.Operation.Phase), Message: s.clean(st.Operation.Message)},
	}
	for _, revision := range st.Sync.all() {
		app.Revisions = append(app.Revisions, s.clean(revision))
	}
	for _, h := range st.History {
		app.Deployed = append(app.Deployed, Deployed{Revisions: h.all(), At: h.DeployedAt})
	}
	slices.SortStableFunc(app.Deployed, func(a, b Deployed) int { return b.At.Compare(a.At) })
	return app, nil
}

// treeAnswer is the part of a resource tree that is read.
type treeAnswer struct {
	Nodes []struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Health    *struct {
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"health"`
	} `json:"nodes"`
}

// worst orders what is not healthy, worst first.
var worst = []string{"Degraded", "Missing", "Unknown", "Suspended", "Progressing"}

// Unhealthy lists the objects of an Application that are not healthy, worst first. The
// tree has them: since version 3, an Application does not list the health of its objects.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/upgrading/2.14-3.0/
func (s Server) Unhealthy(ctx context.Context, name, namespace string) ([]Object, error) {
	var got treeAnswer
	if err := s.call(ctx, applicationPath(name, namespace, "/resource-tree"), nil, &got); err != nil {
		return nil, err
	}
	var list []Object
	for _, n := range got.Nodes {
		if n.Health != nil && slices.Contains(worst, n.Health.Status) {
			list = append(list, Object{
				Kind: s.clean(n.Kind), Namespace: s.clean(n.Namespace), Name: s.clean(n.Name), Health: n.Health.Status,
				Message: s.clean(n.Health.Message),
			})
		}
	}
	slices.SortStableFunc(list, func(a, b Object) int {
		return cmp.Compare(slices.Index(worst, a.Health), slices.Index(worst, b.Health))
	})
	return list, nil
}

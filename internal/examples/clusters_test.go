package examples_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

const repository = "https://github.com/acme/config"

var exactVersion = regexp.MustCompile(`^v?\d+\.\d+\.\d+$`)

// eachApplication applies a check to every Application of every cluster.
func eachApplication(check func(s state, env string, app render.Object) []string) func(state) []string {
	return func(s state) []string {
		return s.every("Application", func(u unit, o render.Object) []string { return check(s, u.env, o) })
	}
}

func sources(app render.Object) []any {
	if one := dig(app.Content, "spec", "source"); one != nil {
		return []any{one}
	}
	return list(app.Content, "spec", "sources")
}

func (s state) project(env, name string) (render.Object, bool) {
	objects := append(s.all("clusters/"+env), s.all("clusters/"+env+"/root.yaml")...)
	return find(objects, "AppProject", func(o render.Object) bool { return o.Name == name })
}

var clusterRules = []rule{
	{"charts at exact versions", eachApplication(func(_ state, _ string, app render.Object) []string {
		var problems []string
		for _, source := range sources(app) {
			switch revision := text(source, "targetRevision"); {
			case text(source, "chart") != "" && !exactVersion.MatchString(revision):
				problems = append(problems, fmt.Sprintf("chart %s at %q", text(source, "chart"), revision))
			case text(source, "chart") == "" && (text(source, "repoURL") != repository || revision != "main"):
				problems = append(problems, fmt.Sprintf("from %s at %q", text(source, "repoURL"), revision))
			}
		}
		return problems
	})},
	{"misspelt fields are errors", eachApplication(func(_ state, _ string, app render.Object) []string {
		var problems []string
		if !slices.Contains(list(app.Content, "spec", "syncPolicy", "syncOptions"), any("ServerSideApply=true")) {
			problems = append(problems, "is not applied by the server: a misspelt field would be dropped")
		}
		if dig(app.Content, "spec", "syncPolicy", "retry", "refresh") != true {
			problems = append(problems, "retries what was refused before it looks at what is new")
		}
		return problems
	})},
	{"prod is synced by a person", eachApplication(func(_ state, env string, app render.Object) []string {
		automated := dig(app.Content, "spec", "syncPolicy", "automated")
		prune, heal := dig(automated, "prune") == true, dig(automated, "selfHeal") == true
		switch {
		case env == "prod" && automated != nil:
			return []string{"syncs by itself in prod"}
		case env == "staging" && (!heal || prune):
			return []string{"does not heal itself in staging, or deletes"}
		case env == "dev" && (!heal || !prune):
			return []string{"does not follow git in dev"}
		}
		return nil
	})},
	{"projects are closed", func(s state) []string {
		return s.every("AppProject", func(_ unit, o render.Object) []string {
			var problems []string
			walk(o.Content["spec"], func(m map[string]any) {
				for key, v := range m {
					if v == "*" || slices.Contains(asList(v), any("*")) {
						problems = append(problems, "everything is allowed: "+key)
					}
				}
			})
			if o.Name == "applications" && len(list(o.Content, "spec", "clusterResourceWhitelist")) > 0 {
				problems = append(problems, "applications may change the cluster")
			}
			if o.Name == "default" && len(list(o.Content, "spec", "destinations"))+len(list(o.Content, "spec", "sourceRepos")) > 0 {
				problems = append(problems, "the project default is open")
			}
			return problems
		})
	}},
	{"projects allow what their applications hold", eachApplication(allowed)},
	{"what is referred to is there", eachApplication(func(s state, env string, app render.Object) []string {
		var problems []string
		for _, source := range sources(app) {
			dir := text(source, "path")
			if text(source, "repoURL") == repository && dir != "" && s.files[dir+"/kustomization.yaml"] == nil &&
				s.files[dir+"/Chart.yaml"] == nil {
				problems = append(problems, "there is nothing at "+dir)
			}
			for _, v := range list(source, "helm", "valueFiles") {
				file, ofRepository := strings.CutPrefix(fmt.Sprint(v), "$values/")
				if !ofRepository {
					file = path.Join(dir, file)
				}
				if s.files[file] == nil {
					problems = append(problems, "there is no file "+file)
				}
			}
		}
		namespace := text(app.Content, "spec", "destination", "namespace")
		if _, ok := find(
			s.all("clusters/"+env+"/namespaces"), "Namespace", func(o render.Object) bool { return o.Name == namespace },
		); !ok && namespace != "kube-system" {
			problems = append(problems, "nobody makes the namespace "+namespace)
		}
		return problems
	})},
	{"waves in order", eachApplication(func(s state, env string, app render.Object) []string {
		if app.Name == "root" {
			return nil
		}
		n := wave(app)
		project, _ := s.project(env, text(app.Content, "spec", "project"))
		namespaces, _ := find(s.all("clusters/"+env), "Application", func(o render.Object) bool { return o.Name == "namespaces" })
		switch {
		case wave(project) >= n:
			return []string{"comes before its project"}
		case app.Name != "namespaces" && wave(namespaces) >= n:
			return []string{"comes before the namespaces"}
		case text(app.Content, "spec", "project") == "applications" && n <= 0:
			return []string{"comes before the platform is there"}
		}
		return nil
	})},
}

func wave(o render.Object) int {
	n, err := strconv.Atoi(text(o.Content, "metadata", "annotations", "argocd.argoproj.io/sync-wave"))
	if err != nil {
		return 0
	}
	return n
}

// allowed holds what an Application deploys from this repository to its project.
func allowed(s state, env string, app render.Object) []string {
	name := text(app.Content, "spec", "project")
	project, ok := s.project(env, name)
	if !ok {
		return []string{"there is no project " + name}
	}
	spec := project.Content["spec"]
	var problems []string
	for _, source := range sources(app) {
		if !slices.Contains(list(spec, "sourceRepos"), dig(source, "repoURL")) {
			problems = append(problems, fmt.Sprintf("the project %s takes nothing from %s", name, text(source, "repoURL")))
		}
		for _, o := range s.deployed(env, app, text(source, "path")) {
			destination := o.Namespace
			if clusterScoped(o) {
				if !listed(spec, "clusterResourceWhitelist", o) {
					problems = append(problems, fmt.Sprintf("the project %s has no %s", name, o.Kind))
				}
				continue
			}
			if destination == "" {
				destination = text(app.Content, "spec", "destination", "namespace")
			}
			if !slices.ContainsFunc(list(spec, "destinations"), func(d any) bool { return text(d, "namespace") == destination }) {
				problems = append(problems, fmt.Sprintf("the project %s does not reach %s", name, destination))
			}
			if only := list(spec, "namespaceResourceWhitelist"); len(only) > 0 && !listed(spec, "namespaceResourceWhitelist", o) ||
				listed(spec, "namespaceResourceBlacklist", o) {
				problems = append(problems, fmt.Sprintf("the project %s has no %s", name, o.Kind))
			}
		}
	}
	return problems
}

// deployed is what an Application renders to from a path of this repository.
func (s state) deployed(env string, app render.Object, dir string) []render.Object {
	for _, u := range s.units {
		if u.env == env && u.app == app.Name && u.app != "" {
			return u.objects
		}
	}
	return s.all(dir)
}

func listed(spec any, key string, o render.Object) bool {
	return slices.ContainsFunc(list(spec, key), func(k any) bool { return text(k, "group") == group(o) && text(k, "kind") == o.Kind })
}

// clusterKinds are the kinds of these examples that belong to no namespace.
var clusterKinds = []string{
	"ClusterIssuer", "ClusterSecretStore", "EC2NodeClass", "GatewayClass", "ImageValidatingPolicy", "Namespace", "NodePool", "StorageClass",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "VolumeSnapshotClass",
}

func clusterScoped(o render.Object) bool { return slices.Contains(clusterKinds, o.Kind) }

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

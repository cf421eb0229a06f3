package examples_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// ofHub are the Applications and projects that a hub gets from the clusters' directories,
// roots among them.
func ofHub(units []unit, f func(env string, o render.Object)) {
	for _, u := range units {
		if u.env == "" || u.name != "clusters/"+u.env && u.name != "clusters/"+u.env+"/root.yaml" {
			continue
		}
		for _, o := range u.objects {
			f(u.env, o)
		}
	}
}

// hub says what is wrong where one Argo CD deploys to every cluster: all that it reads is in
// one namespace, and no environment may reach the cluster of another one.
func hub(units []unit) (problems []string) {
	clusters := map[string]string{"dev": "acme-dev", "staging": "acme-staging", "prod": "in-cluster"}
	made, argocds := make(map[string]string), 0
	spokes := make(map[string]bool)
	for _, u := range units {
		for _, o := range u.objects {
			template := []string{"spec", "template", "metadata", "labels", "argocd.argoproj.io/secret-type"}
			if o.Kind == "ExternalSecret" {
				template = slices.Insert(template, 1, "target")
			}
			if text(o.Content, template...) == "cluster" {
				data := append(template[:len(template)-3:len(template)-3], "data")
				spokes[text(o.Content, append(data, "name")...)] = u.name == "clusters/hub/spokes"
			}
		}
	}
	ofHub(units, func(env string, o render.Object) {
		say := func(format string, args ...any) {
			problems = append(problems, o.String()+": "+fmt.Sprintf(format, args...))
		}
		if other := made[o.Kind+o.Name]; other != "" {
			say("%s has one of this name, and so has %s", other, env)
		}
		made[o.Kind+o.Name] = env
		root := strings.HasSuffix(o.Name, "-root") || strings.HasSuffix(o.Name, "-bootstrap")
		for _, d := range append(list(o.Content, "spec", "destinations"), dig(o.Content, "spec", "destination")) {
			switch server, name := text(d, "server"), text(d, "name"); {
			case d == nil:
			case root && server == "https://kubernetes.default.svc" && text(d, "namespace") == "argocd":
			case root || server != "" || name != clusters[env]:
				say("reaches %s of %s", name+server, env)
			}
		}
		switch {
		case o.Kind == "AppProject" && o.Name == "default":
		case !strings.HasPrefix(o.Name, env+"-"):
			say("is named as if it was of every environment")
		case o.Kind == "Application" && !strings.HasPrefix(text(o.Content, "spec", "project"), env+"-"):
			say("belongs to the project %s", text(o.Content, "spec", "project"))
		case !root && text(o.Content, "metadata", "labels", "waybill.dev/environment") != env:
			say("has no label of %s", env)
		}
		if slices.ContainsFunc(sources(o), func(source any) bool { return text(source, "chart") == "argo-cd" }) {
			argocds++
		}
	})
	if argocds != 1 {
		problems = append(problems, fmt.Sprintf("there are %d Argo CDs", argocds))
	}
	if want := map[string]bool{"acme-dev": true, "acme-staging": true}; !maps.Equal(spokes, want) {
		problems = append(problems, fmt.Sprintf("the hub reaches %v", spokes))
	}
	for _, u := range units {
		if u.name == "clusters/dev/namespaces" || u.name == "clusters/staging/namespaces" {
			if _, there := find(u.objects, "Namespace", func(o render.Object) bool { return o.Name == "argocd" }); there {
				problems = append(problems, u.name+" makes the namespace of Argo CD")
			}
		}
	}
	return problems
}

// named is what a hub gets, with the names that each cluster's own Argo CD would know: the
// rest of the checklist is the same for both. It says nothing of the other clusters' roots,
// which are applied in the hub.
func named(units []unit) []unit {
	all := slices.DeleteFunc(slices.Clone(units), func(u unit) bool {
		return u.name == "clusters/dev/root.yaml" || u.name == "clusters/staging/root.yaml"
	})
	for i, u := range all {
		switch u.env {
		case "":
			continue
		case "hub": // which is prod's cluster
			all[i].env = "prod"
		}
		all[i].objects = slices.Clone(u.objects)
		for j, o := range u.objects {
			if group(o) != "argoproj.io" {
				continue
			}
			o.Name = strings.TrimPrefix(o.Name, u.env+"-")
			o.Content = maps.Clone(o.Content)
			metadata := maps.Clone(asMap(o.Content["metadata"]))
			metadata["name"] = o.Name
			o.Content["metadata"] = metadata
			if spec := maps.Clone(asMap(o.Content["spec"])); spec["project"] != nil {
				spec["project"] = strings.TrimPrefix(fmt.Sprint(spec["project"]), u.env+"-")
				o.Content["spec"] = spec
			}
			all[i].objects[j] = o
		}
	}
	return all
}

// What reaches another cluster, or takes another environment's name, is found.
func TestHubIsHeldToItsClusters(t *testing.T) {
	t.Parallel()
	files := treeOf(t, starter.Names{Fleet: starter.Hub}).withParts(t)
	units := files.render(t)
	if problems := hub(units); len(problems) > 0 {
		t.Fatal(problems)
	}
	const base = "clusters/base/kustomization.yaml"
	for name, m := range map[string]struct{ file, old, new, want string }{
		"dev deploys to prod": {
			"clusters/dev/cluster.yaml", "cluster: acme-dev", "cluster: in-cluster", "dev-backend: reaches in-cluster of dev",
		},
		"a project of every cluster": {
			base, "- {select: {kind: AppProject}, reject: [{name: default}], fieldPaths: [spec.destinations.*.name]}", "",
			"AppProject argocd/dev-platform: reaches CLUSTER of dev",
		},
		"a project that one would share": {
			base, "- {select: {kind: AppProject}, reject: [{name: default}], fieldPaths: [metadata.name], options", "# ",
			"has one of this name, and so has",
		},
		"a spoke less":       {"clusters/hub/spokes/kustomization.yaml", "  - dev.yaml\n", "", "the hub reaches map[acme-staging:true]"},
		"Argo CD in a spoke": {"clusters/dev/kustomization.yaml", "  - ../base #", "  - ../hub\n  - ../base #", "there are 2 Argo CDs"},
		"its namespace": {
			"clusters/dev/namespaces/kustomization.yaml", "resources:\n", "resources:\n  - ../../../namespaces/argocd\n",
			"makes the namespace",
		},
		"a root of everything": {"clusters/dev/root.yaml", "name: dev-root", "name: root", "is named as if it was of every environment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := hub(files.with(t, m.file, m.old, m.new).renderChanged(t, units, m.file))
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}

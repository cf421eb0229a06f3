package examples_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// pullRules follow a private image from the pod to the store of secrets: pod, service
// account, secret, its type and content, the key in the store, and who may read that.
var pullRules = []rule{
	{"private images can be pulled", func(s state) []string {
		pods := 0
		problems := s.every("Deployment", func(u unit, d render.Object) (problems []string) {
			if u.app == "" {
				return nil
			}
			pods++
			own := text(pod(d), "serviceAccountName")
			account, _ := find(u.objects, "ServiceAccount", func(o render.Object) bool { return o.Name == own })
			var images, names []string
			for _, c := range list(pod(d), "containers") {
				images = append(images, text(c, "image"))
			}
			for _, of := range []any{pod(d), account.Content} {
				for _, secret := range list(of, "imagePullSecrets") {
					names = append(names, text(secret, "name"))
				}
			}
			for _, image := range images {
				if problem := s.pulls(u.env, environments[u.env], image, names); problem != "" {
					problems = append(problems, problem)
				}
			}
			return problems
		})
		for env := range environments { // Kyverno reads what is beside the images
			names := valuesOf(s, "platform/kyverno/values.yaml", "existingImagePullSecrets")
			if problem := s.pulls(env, "kyverno", "ghcr.io/acme/backend@sha256:", names); problem != "" {
				problems = append(problems, env+": kyverno: "+problem)
			}
		}
		if pods == 0 {
			problems = append(problems, "no pod was looked at")
		}
		return problems
	}},
}

// pulls says why a pod of a namespace cannot pull an image with secrets of these names.
func (s state) pulls(env, namespace, image string, names []string) string {
	var because []string
	for _, name := range names {
		login, kind, why := s.login(env, namespace, name)
		switch {
		case why != "":
			because = append(because, fmt.Sprintf("secret %s: %s", name, why))
		case kind != "kubernetes.io/dockerconfigjson":
			because = append(because, fmt.Sprintf("secret %s is of type %q, which no kubelet reads", name, kind))
		default:
			why := opens(login, image)
			if why == "" {
				return ""
			}
			because = append(because, fmt.Sprintf("secret %s: %s", name, why))
		}
	}
	if len(because) == 0 {
		return "pulls " + image + " without a login"
	}
	return "cannot pull " + image + ": " + strings.Join(because, "; ")
}

// login is what makes a secret in a namespace of a cluster: its content, as a template, and
// its type.
func (s state) login(env, namespace, name string) (content, kind, why string) {
	objects := s.all("clusters/" + env + "/secret-store")
	if sealed, ok := find(objects, "SealedSecret", func(o render.Object) bool { return o.Name == name && o.Namespace == namespace }); ok {
		template := dig(sealed.Content, "spec", "template")
		return text(template, "data", ".dockerconfigjson"), text(template, "type"), ""
	}
	made, ok := find(objects, "ClusterExternalSecret", func(o render.Object) bool {
		return text(o.Content, "spec", "externalSecretName") == name
	})
	if !ok {
		return "", "", "nothing makes it in " + namespace
	}
	spec := dig(made.Content, "spec", "externalSecretSpec")
	if !s.selects(env, namespace, list(made.Content, "spec", "namespaceSelectors")) {
		return "", "", "it is not made in " + namespace
	}
	store, ok := find(objects, "ClusterSecretStore", func(o render.Object) bool { return o.Name == text(spec, "secretStoreRef", "name") })
	if !ok {
		return "", "", "its store is not there"
	}
	if !s.selects(env, namespace, list(store.Content, "spec", "conditions")) {
		return "", "", "the store does not answer " + namespace
	}
	key := text(list(spec, "dataFrom")[0], "extract", "key")
	if key != "acme-"+env+"/registry" {
		return "", "", fmt.Sprintf("it is read from %s, which %s's cluster may not read", key, env)
	}
	if !strings.Contains(string(s.files["docs/secrets.md"]), "`acme-ENV/registry` | `username`, `password`") {
		return "", "", "docs/secrets.md does not say to make " + key
	}
	target := dig(spec, "target")
	if text(target, "name") != name {
		return "", "", "it is made as " + text(target, "name")
	}
	return text(target, "template", "data", ".dockerconfigjson"), text(target, "template", "type"), ""
}

// selects reports whether one of the selectors or conditions is of a namespace.
func (s state) selects(env, namespace string, selectors []any) bool {
	ns, ok := find(s.all("clusters/"+env+"/namespaces"), "Namespace", func(o render.Object) bool { return o.Name == namespace })
	labels := asMap(dig(ns.Content, "metadata", "labels"))
	return ok && slices.ContainsFunc(selectors, func(selector any) bool {
		if slices.Contains(list(selector, "namespaces"), any(namespace)) {
			return true
		}
		wanted := asMap(dig(selector, "matchLabels"))
		if of := dig(selector, "namespaceSelector", "matchLabels"); of != nil {
			wanted = asMap(of)
		}
		for key, value := range wanted {
			if labels[key] != value && (key != "kubernetes.io/metadata.name" || value != namespace) {
				return false
			}
		}
		return len(wanted) > 0
	})
}

var inTemplate = regexp.MustCompile(`\{\{.*?\}\}`)

// opens says why a login does not open an image's registry. Its keys are registries or
// beginnings of repositories.
// https://kubernetes.io/docs/concepts/containers/images/#config-json
func opens(login, image string) string {
	var config struct {
		Auths map[string]struct{ Auth, Username, Password string }
	}
	for _, field := range []string{".username", ".password"} {
		if !strings.Contains(login, field) {
			return "it does not have " + field
		}
	}
	if err := json.Unmarshal([]byte(inTemplate.ReplaceAllString(login, "x")), &config); err != nil {
		return fmt.Sprintf("it is no JSON: %v", err)
	}
	for registry, login := range config.Auths {
		if strings.HasPrefix(image, registry+"/") && (login.Auth != "" || login.Username != "" && login.Password != "") {
			return ""
		}
	}
	return "it is for other images"
}

// valuesOf are the texts of a list in a file of values.
func valuesOf(s state, file, key string) (found []string) {
	s.eachValues(func(name string, values any) []string {
		if name == file {
			for _, v := range list(values, key) {
				found = append(found, fmt.Sprint(v))
			}
		}
		return nil
	})
	return found
}

// Where nodes log in to the registry of their cloud as themselves, nothing waits for a
// login that nobody makes.
func TestCloudRegistriesNeedNoLogin(t *testing.T) {
	t.Parallel()
	for _, secrets := range starter.Secrets() {
		files := treeOf(t, starter.Names{Secrets: secrets, Registry: "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop"})
		for name, data := range files {
			if strings.Contains(string(data), "registry-pull") || strings.Contains(string(data), "/registry`") {
				t.Errorf("%s: %s asks for a login", secrets, name)
			}
		}
		s := state{files, files.render(t)}
		for _, r := range checklist {
			if r.name == "projects allow what their applications hold" || r.name == "what is referred to is there" {
				for _, problem := range r.check(s) {
					t.Errorf("%s: %s: %s", secrets, r.name, problem)
				}
			}
		}
	}
}

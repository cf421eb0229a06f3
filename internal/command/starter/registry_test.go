package starter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const (
	userOfApp     = "registry_username: ${{ vars.REGISTRY_USERNAME }}"
	passwordOfApp = "registry_password: ${{ secrets.REGISTRY_PASSWORD }}"
)

// Every registry but GitHub's gets a login of its own, and the person is told
// which one; GitHub's needs nothing.
func TestLoginsOfRegistries(t *testing.T) {
	t.Parallel()
	for registry, login := range map[string]bool{
		"": false, "ghcr.io/acme": false, "docker.io/acme": true, "quay.io/acme": true, "harbor.acme.example/shop": true,
		"ghcr.io.evil.example/acme": true, "europe-docker.pkg.dev/acme/images": true, "acme.azurecr.io/shop": true,
	} {
		for _, template := range []string{starter.None, starter.Backend, starter.Frontend} {
			n := starter.Names{Owner: "acme", App: "api", Registry: registry, Template: template}
			ci := written(t, starter.App, n)[".github/workflows/ci.yml"]
			next := strings.Join(starter.NextSteps(starter.App, n), "\n")
			for _, line := range []string{userOfApp, passwordOfApp} {
				if strings.Count(ci, line) != map[bool]int{true: 1}[login] {
					t.Errorf("%q, template %s: want %v for %q in\n%s", registry, template, login, line, ci)
				}
			}
			if strings.Contains(next, "REGISTRY_PASSWORD of acme/api") != login ||
				strings.Contains(next, "Docker Hub") != (registry == "docker.io/acme") {
				t.Errorf("%q: the next steps are\n%s", registry, next)
			}
		}
		next := strings.Join(starter.NextSteps(starter.Config, starter.Names{Owner: "acme", Registry: registry}), "\n")
		if strings.Contains(next, "REGISTRY_PASSWORD of the environments waybill and waybill-direct of acme/config") != login {
			t.Errorf("%q: the next steps of the config repository are\n%s", registry, next)
		}
	}
}

// A registry that the workflows could never push to is refused.
func TestRegistriesWithoutLastingPasswords(t *testing.T) {
	t.Parallel()
	const ecr = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop"
	for flag, n := range map[string]starter.Names{
		"--registry " + ecr: {Registry: ecr}, "--image " + ecr + "/api": {Registry: "ghcr.io/acme", Image: ecr + "/api"},
		"--registry public.ecr.aws/acme": {Registry: "public.ecr.aws/acme"},
	} {
		n.Owner, n.App = "acme", "api"
		for _, kind := range []string{starter.App, starter.Config} {
			_, err := starter.Write(t.TempDir(), kind, n, false)
			var usage *outcome.Error
			if !errors.As(err, &usage) || outcome.Code(err) != outcome.Usage ||
				!strings.Contains(err.Error(), flag+": a password of ECR lasts twelve hours") {
				t.Errorf("%s, %s: %v", flag, kind, err)
			}
		}
	}
}

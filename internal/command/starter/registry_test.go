package starter_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/command/starter"
)

const (
	userOfApp     = "registry_username: ${{ vars.REGISTRY_USERNAME }}"
	passwordOfApp = "registry_password: ${{ secrets.REGISTRY_PASSWORD }}"
	identityOfApp = "registry_identity: ${{ vars.REGISTRY_IDENTITY }}"

	ecr = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop"
)

// registries are examples of each kind, with how one logs in there.
var registries = map[string]string{
	"": "nothing", "ghcr.io/acme": "nothing",
	"docker.io/acme": "password", "quay.io/acme": "password", "harbor.acme.example/shop": "password",
	"ghcr.io.evil.example/acme": "password", "111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example/x": "password",
	ecr: "identity", "public.ecr.aws/acme": "identity", "europe-docker.pkg.dev/acme/images": "identity", "acme.azurecr.io/shop": "identity",
}

// The registry that the config repository must have been written for is that of the
// image, whichever flag named it.
func TestTheConfigRepositoryHasTheImagesRegistry(t *testing.T) {
	t.Parallel()
	for _, n := range []starter.Names{{Owner: "acme", App: "api", Registry: ecr}, {Owner: "acme", App: "api", Image: ecr + "/api"}} {
		next := strings.Join(starter.NextSteps(starter.App, n), "\n")
		if want := "written by waybill init config --registry " + ecr + "."; !strings.Contains(next, want) {
			t.Errorf("%+v: got %s\nwant %s", n, next, want)
		}
	}
}

// Every registry but GitHub's gets a login of its own, and the person is told
// which one; GitHub's needs nothing.
func TestLoginsOfRegistries(t *testing.T) {
	t.Parallel()
	count := func(is bool) int { return map[bool]int{true: 1}[is] }
	for registry, login := range registries {
		password, identity := login == "password", login == "identity"
		for _, template := range []string{starter.None, starter.Backend, starter.Frontend} {
			n := starter.Names{Owner: "acme", App: "api", Registry: registry, Template: template}
			ci := written(t, starter.App, n)[".github/workflows/ci.yml"]
			next := strings.Join(starter.NextSteps(starter.App, n), "\n")
			for line, want := range map[string]int{
				userOfApp: count(password), passwordOfApp: count(password), identityOfApp: count(identity),
			} {
				if strings.Count(ci, line) != want {
					t.Errorf("%q, template %s: want %v for %q in\n%s", registry, template, want, line, ci)
				}
			}
			if strings.Contains(next, "REGISTRY_PASSWORD of acme/api") != password ||
				strings.Contains(next, "REGISTRY_IDENTITY of acme/api") != identity ||
				strings.Contains(next, "Docker Hub") != (registry == "docker.io/acme") ||
				strings.Contains(next, "input create_repository") != (registry == ecr || registry == "public.ecr.aws/acme") {
				t.Errorf("%q: the next steps are\n%s", registry, next)
			}
		}
		next := strings.Join(starter.NextSteps(starter.Config, starter.Names{Owner: "acme", Registry: registry}), "\n")
		if strings.Contains(next, "REGISTRY_PASSWORD of the environments waybill and waybill-direct of acme/config") != password ||
			strings.Contains(next, "REGISTRY_IDENTITY of the environments waybill and waybill-direct of acme/config") != identity {
			t.Errorf("%q: the next steps of the config repository are\n%s", registry, next)
		}
	}
}

// Every kind of GitHub has a registry of its own, which takes the job's token and
// is the one that images go to if nothing says otherwise; the issuer tells the kind.
func TestEachGitHubHasItsRegistry(t *testing.T) {
	t.Parallel()
	const cloud, resident, server = "https://token.actions.githubusercontent.com", "https://token.actions.octo.ghe.com",
		"https://ghe.acme.example/_services/token"
	for issuer, own := range map[string]string{
		"": "ghcr.io/acme-corp", cloud: "ghcr.io/acme-corp", resident: "containers.octo.ghe.com/acme-corp",
		server: "containers.ghe.acme.example/acme-corp", "https://token.actions.evil.example": "ghcr.io/acme-corp",
	} {
		for _, registry := range []string{"", own} {
			n := starter.Names{Owner: "Acme-Corp", App: "api", Issuer: issuer, Registry: registry}
			ci := written(t, starter.App, n)[".github/workflows/ci.yml"]
			if !strings.Contains(ci, "image: "+own+"/api\n") || strings.Contains(ci, userOfApp) {
				t.Errorf("%q with %q: want %s/api and no login of its own in\n%s", issuer, registry, own, ci)
			}
			if next := strings.Join(starter.NextSteps(starter.App, n), "\n"); !strings.Contains(next, "Manage Actions access") {
				t.Errorf("%q with %q: nothing is said of a private package:\n%s", issuer, registry, next)
			}
		}
		sigstore := strings.Join(starter.NextSteps(starter.Config, starter.Names{Owner: "acme", Issuer: issuer}), "\n")
		if strings.Contains(sigstore, "Name a Sigstore that takes the tokens of "+issuer) != (issuer != "" && issuer != cloud) {
			t.Errorf("%q: the next steps are\n%s", issuer, sigstore)
		}
		// Another GitHub's registry does not take this one's tokens.
		for _, other := range []string{"ghcr.io/acme-corp", "containers.octo.ghe.com/acme-corp", "containers.ghe.acme.example/acme-corp"} {
			n := starter.Names{Owner: "Acme-Corp", App: "api", Issuer: issuer, Registry: other}
			if ci := written(t, starter.App, n)[".github/workflows/ci.yml"]; strings.Contains(ci, userOfApp) != (other != own) {
				t.Errorf("%q with %q:\n%s", issuer, other, ci)
			}
		}
	}
}

// The jobs that log in to a cloud's registry can get an identity. The job that
// runs the application's code never can, and with other registries none can
// that could not before.
func TestIdentitiesOfJobs(t *testing.T) {
	t.Parallel()
	for registry, login := range registries {
		files := written(t, starter.Config, starter.Names{Owner: "acme", Registry: registry, Platform: starter.None})
		seen := 0
		for name, text := range files {
			if !strings.HasPrefix(name, ".github/workflows/") {
				continue
			}
			var w struct {
				Jobs map[string]struct {
					Permissions map[string]string
					Steps       []struct{ With map[string]string }
				}
			}
			if err := yaml.Unmarshal([]byte(text), &w); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for id, job := range w.Jobs {
				logsIn := false
				for _, step := range job.Steps {
					_, has := step.With["registry_identity"]
					_, password := step.With["registry_password"]
					logsIn = logsIn || has
					if has != password && id != "preview" { // which reads as a stranger's pull request may
						t.Errorf("%s, job %s: one way to log in is missing", name, id)
					}
				}
				want := login == "identity" && logsIn || id == "sign"
				if got := job.Permissions["id-token"] == "write"; got != want {
					t.Errorf("%q: %s, job %s can get an identity: %t", registry, name, id, got)
				}
				if logsIn {
					seen++
				}
			}
			alone := strings.Contains(text, "alone can get an identity")
			if strings.HasSuffix(name, "deliver.yml") && alone == (login == "identity") {
				t.Errorf("%q: deliver.yml says who can get an identity: %t", registry, alone)
			}
		}
		if seen < 10 {
			t.Errorf("%q: only %d jobs log in", registry, seen)
		}
	}
}

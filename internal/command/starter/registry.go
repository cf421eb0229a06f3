package starter

import (
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// ownRegistry reports whether the image's registry takes the job's token: it is
// GitHub's own, and nothing has to be set.
func ownRegistry(repository string) bool { return strings.HasPrefix(repository, "ghcr.io/") }

var ecr = regexp.MustCompile(`^(?:[0-9]{12}\.dkr[.-]ecr\..*|public\.ecr\.aws)/`)

// registries refuses a registry that the workflows could never push to.
func (n Names) registries() error {
	for _, r := range [][2]string{{"--registry", n.Registry}, {"--image", n.Image}} {
		if ecr.MatchString(r[1]) {
			return outcome.Usagef("%s %s: a password of ECR lasts twelve hours, and deliver.yml gives no job that pushes an "+
				"identity to get one with: "+
				"take a registry with lasting tokens, such as ghcr.io, Docker Hub, Quay or Harbor", r[0], r[1])
		}
	}
	return nil
}

var secretsOfCaller = regexp.MustCompile(`(?m)^    secrets:\n`)

// withRegistry lets an application's workflow log in to a registry that is not
// GitHub's.
func (n Names) withRegistry(workflow string) string {
	if ownRegistry(n.Image) {
		return workflow
	}
	workflow = imageInput.ReplaceAllStringFunc(workflow, func(line string) string {
		return line + "      registry_username: ${{ vars.REGISTRY_USERNAME }}\n"
	})
	return secretsOfCaller.ReplaceAllStringFunc(workflow, func(line string) string {
		return line + "      registry_password: ${{ secrets.REGISTRY_PASSWORD }}\n"
	})
}

// registryStep says how a repository gets its login; empty for GitHub's registry.
func (n Names) registryStep(kind string) string {
	where, may, host := n.Source, "push to "+n.Image, n.Image
	if kind == Config {
		where, may, host = "the environments waybill and waybill-direct of "+n.ConfigRepo, "read "+n.Registry, n.Registry+"/"
	}
	if ownRegistry(host) {
		return ""
	}
	step := "Set the variable REGISTRY_USERNAME and the secret REGISTRY_PASSWORD of " + where + ": a user or robot that may " + may + "."
	if strings.HasPrefix(host, "docker.io/") {
		step += " For Docker Hub the password is an access token."
	}
	return step
}

package starter

import (
	"path"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/clouds"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// server is the root of the GitHub that issues the tokens of jobs: of Enterprise
// Cloud with data residency, of Enterprise Server, and otherwise github.com.
// https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/feature-overview-for-github-enterprise-cloud-with-data-residency#url-differences
// https://docs.github.com/en/enterprise-server@latest/actions/reference/security/oidc
func (n Names) server() string {
	if host, found := strings.CutPrefix(n.Issuer, "https://token.actions."); found && strings.HasSuffix(host, ".ghe.com") {
		return "https://" + host
	}
	if host, found := strings.CutSuffix(n.Issuer, "/_services/token"); found {
		return host
	}
	return github.DefaultServerURL
}

// ownRegistry reports whether the image's registry takes the job's token: it is
// the own one of this GitHub, and nothing has to be set.
func (n Names) ownRegistry(repository string) bool {
	host, _, _ := strings.Cut(repository, "/")
	return registry.OfGitHub(host, n.server())
}

// defaultRegistry is GitHub's own, with the owner's images.
func (n Names) defaultRegistry() string {
	if host, found := strings.CutPrefix(n.server(), "https://"); found && n.server() != github.DefaultServerURL {
		return "containers." + host + "/" + strings.ToLower(n.Owner)
	}
	return "ghcr.io/" + strings.ToLower(n.Owner)
}

// cloudOf is the cloud that gives logins for a repository or a part of one;
// empty if none does.
func cloudOf(repository string) clouds.Cloud {
	host, _, _ := strings.Cut(repository, "/")
	return clouds.Of(host)
}

var secretsOfCaller = regexp.MustCompile(`(?m)^    secrets:\n`)

// withRegistry lets an application's workflow log in to a registry that is not
// GitHub's.
func (n Names) withRegistry(workflow string) string {
	if n.ownRegistry(n.Image) {
		return workflow
	}
	input := "registry_username: ${{ vars.REGISTRY_USERNAME }}\n"
	if cloudOf(n.Image) != "" {
		input = "registry_identity: ${{ vars.REGISTRY_IDENTITY }}\n"
	}
	workflow = imageInput.ReplaceAllStringFunc(workflow, func(line string) string { return line + "      " + input })
	if cloudOf(n.Image) != "" {
		return workflow
	}
	return secretsOfCaller.ReplaceAllStringFunc(workflow, func(line string) string {
		return line + "      registry_password: ${{ secrets.REGISTRY_PASSWORD }}\n"
	})
}

var (
	jobStart       = regexp.MustCompile(`(?m)^  [a-z-]+:\n`)
	jobPermissions = regexp.MustCompile(`(?m)^    permissions:\n`)
)

const (
	aloneIdentity = "# `sign`, which alone can get an identity, runs none of it. What decides\n"
	cloudIdentity = "# The jobs that reach the registry can get an identity, for its cloud. `sign`\n" +
		"# alone uses one to sign, and runs none of the code. What decides\n"
)

// withIdentity lets the jobs that log in to a registry get an identity, where
// the registry's cloud gives logins for one. The jobs that run an application's
// code log in nowhere.
func (n Names) withIdentity(name, workflow string) string {
	if cloudOf(n.Registry) == "" || !strings.HasPrefix(name, workflowDir) {
		return workflow
	}
	head, jobs, found := strings.Cut(workflow, "\njobs:\n")
	if !found {
		return workflow
	}
	starts := append(jobStart.FindAllStringIndex(jobs, -1), []int{len(jobs)})
	var out strings.Builder
	out.WriteString(strings.Replace(head, aloneIdentity, cloudIdentity, 1) + "\njobs:\n" + jobs[:starts[0][0]])
	for i, at := range starts[:len(starts)-1] {
		job := jobs[at[0]:starts[i+1][0]]
		if strings.Contains(job, "registry_identity:") && !strings.Contains(job, "id-token: write") {
			job = jobPermissions.ReplaceAllLiteralString(job, "    permissions:\n      id-token: write # logs in to the registry's cloud\n")
		}
		out.WriteString(job)
	}
	return out.String()
}

// identityForms are the values of REGISTRY_IDENTITY.
var identityForms = map[clouds.Cloud]string{
	clouds.AWS:    "the ARN of a role that trusts this repository's jobs",
	clouds.Google: "projects/…/providers/NAME of a workload identity pool, with ,ACCOUNT behind it where it acts as a service account",
	clouds.Azure:  "CLIENT_ID,TENANT_ID of an application with a federated credential for this repository's jobs",
}

// registryStep says how a repository gets its login; empty for GitHub's registry.
func (n Names) registryStep(kind string) string {
	where, may, host := n.Source, "push to "+n.Image, n.Image
	if kind == Config {
		where, may, host = "the environments waybill and waybill-direct of "+n.ConfigRepo, "read "+n.Registry, n.Registry+"/"
	}
	if n.ownRegistry(host) {
		return ""
	}
	if of := cloudOf(host); of != "" {
		step := "Set the variable REGISTRY_IDENTITY of " + where + ": " + identityForms[of] + ", which may " + may + "."
		switch {
		case kind == App:
			step += " The jobs of " + n.ConfigRepo + " get an identity if its workflows were written by waybill init config --registry " +
				path.Dir(n.Image) + "."
			if of == clouds.AWS {
				step += " ECR wants the repository made first: by the registry module of Terraform, or by the input create_repository."
			}
		case of == clouds.AWS:
			step += " Each application has a role of its own, which trusts the job_workflow_ref " + n.ConfigRepo + "/" + deliverWorkflow +
				"@refs/heads/main."
		}
		return step
	}
	step := "Set the variable REGISTRY_USERNAME and the secret REGISTRY_PASSWORD of " + where + ": a user or robot that may " + may + "."
	if strings.HasPrefix(host, "docker.io/") {
		step += " For Docker Hub the password is an access token."
	}
	return step
}

// artifactMetadata are the lines of a workflow about GitHub's records of artifacts.
var artifactMetadata = regexp.MustCompile(`(?m)^ *artifact-metadata: write .*\n|^( *record_artifacts: )true .*\n`)

// withoutArtifacts takes out of a workflow what GitHub Enterprise Server does not have: it
// runs no workflow that asks for a permission it does not know.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
func (n Names) withoutArtifacts(text string) string {
	if n.Issuer == evidence.ActionsIssuer {
		return text
	}
	return artifactMetadata.ReplaceAllStringFunc(text, func(line string) string {
		if key, _, found := strings.Cut(line, "true "); found && strings.Contains(key, "record_artifacts") {
			return key + "false\n"
		}
		return ""
	})
}

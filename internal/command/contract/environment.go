package contract

// EnvVar is an environment variable that Waybill reads. Nobody else reads the
// environment; the names of the Actions protocol are internal/command/runner's.
type EnvVar struct {
	Name      string
	Sensitive bool // its value is masked in logs and never handed to a child that has no use for it
	Doc       string
}

// The environment variables beside the inputs.
var (
	EnvGitHubToken  = EnvVar{"GITHUB_TOKEN", true, "token for the GitHub API; in the actions the input `token`"}
	EnvGitHubAPIURL = EnvVar{
		"GITHUB_API_URL", false,
		"root of the GitHub REST API, for GitHub Enterprise Server and the sandbox; default https://api.github.com",
	}
	EnvGitHubServer   = EnvVar{"GITHUB_SERVER_URL", false, "root of GitHub's pages, for links; default https://github.com"}
	EnvCosignPassword = EnvVar{"COSIGN_PASSWORD", true, "password of the private key given with --key; empty for a key without one"}
	EnvDockerConfig   = EnvVar{"DOCKER_CONFIG", false, "directory of the config.json with registry credentials; default ~/.docker"}
	EnvDockerAuth     = EnvVar{
		"DOCKER_AUTH_CONFIG", true,
		"logins for registries, as JSON of config.json with auths; they come before those of DOCKER_CONFIG",
	}
	EnvRegistries = EnvVar{
		"WAYBILL_REGISTRIES", false,
		"how registries are reached, as YAML or a file of it: HOST: {ca: FILE or PEM, http: true, insecure: true, mirrors: [HOST/PATH]}; " +
			"mirrors are for base images",
	}
	EnvEvidence = EnvVar{
		"COSIGN_REPOSITORY", false,
		"repository in which signatures and records are kept, in place of each image's own, as cosign has it",
	}
	EnvHome         = EnvVar{"HOME", false, "where ~/.docker and the caches are"}
	EnvPath         = EnvVar{"PATH", false, "where waybill-scan, git and terraform are found"}
	EnvBuildkitHost = EnvVar{
		"BUILDKIT_HOST", false,
		"address of the BuildKit daemon when --builder is not given or auto; if empty, the local socket, else a container",
	}
	EnvSourceDate = EnvVar{
		"SOURCE_DATE_EPOCH", false,
		"seconds since 1970 that build writes as the time of image and files; default the commit's time",
	}
	EnvRegistryUser = EnvVar{"WAYBILL_REGISTRY_USERNAME", false, "user name for the image's registry, where no config.json holds it"}
	EnvRegistryPass = EnvVar{
		"WAYBILL_REGISTRY_PASSWORD", true, "password or token for the image's registry, where no config.json holds it",
	}
	EnvNoColor       = EnvVar{"NO_COLOR", false, "any value turns colour off"}
	EnvTerm          = EnvVar{"TERM", false, "`dumb` turns colour off"}
	EnvCI            = EnvVar{"CI", false, "any value keeps init from asking questions, as GITHUB_ACTIONS does"}
	EnvSharedGoCache = EnvVar{
		"WAYBILL_SHARED_GO_CACHE", false,
		"`true` lets compile use the Go build and module caches of the runner; only where no job that runs application code can write them",
	}
	EnvLayerCache = EnvVar{
		"WAYBILL_LAYER_CACHE", false,
		"`false` keeps no layers that build assembles for the next build. In Actions none are kept, unless this is `true` on a runner of " +
			"your own; use it only where no job that runs application code is the same user. Never for pull requests or on GitHub's runners",
	}
	EnvCacheHome = EnvVar{
		"XDG_CACHE_HOME", false,
		"where layers and the vulnerability database are cached; default ~/.cache. The database is in RUNNER_TEMP in Actions, which " +
			"belongs to the job",
	}
	EnvConfigHome = EnvVar{
		"XDG_CONFIG_HOME", false, "where the key is that authenticates cached layers, waybill/layers.key; default ~/.config",
	}
)

// Environment lists every variable above, for the documentation and the test
// that nothing else is read.
func Environment() []EnvVar {
	return []EnvVar{
		EnvGitHubToken, EnvGitHubAPIURL, EnvGitHubServer, EnvCosignPassword, EnvDockerConfig, EnvDockerAuth, EnvRegistries,
		EnvEvidence, EnvHome,
		EnvPath, EnvBuildkitHost, EnvSourceDate, EnvRegistryUser, EnvRegistryPass, EnvNoColor, EnvTerm, EnvCI,
		EnvSharedGoCache, EnvLayerCache, EnvCacheHome, EnvConfigHome,
	}
}

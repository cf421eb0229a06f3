package contract

var (
	inputImage = Input{Name: "image", Type: String, Required: true, Positional: true, Placeholder: "IMAGE",
		Doc: "Image by digest, REPOSITORY@sha256:…, as `build` prints it. A tag is refused: it may name another image by the time " +
			"it is used."}
	inputCopies = Input{Name: "copies", Type: List, Commas: true, Placeholder: "REPO",
		Doc: "Other repositories that have the image by the same digest, as `build` pushed it there. They are treated like the first. " +
			"The password for a registry is that of the image's own; DOCKER_AUTH_CONFIG and docker login give the others."}
	inputFormat = Input{Name: "format", Type: Choice, Values: []string{"text", "json"}, Default: "text", LocalOnly: true,
		Doc: "Form of the result on standard output."}
	inputDryRun = Input{Name: "dry_run", Type: Bool, Default: "false", LocalOnly: true,
		Doc: "Whether to say what would be written, and write nothing. The exit code is that of the real run."}
	inputToken = Input{Name: "token", Type: String, Secret: true, Group: GitHub,
		Doc: "Token for the GitHub API. The action passes the job's own token when empty, the command line takes GITHUB_TOKEN."}
	inputAppID = Input{Name: "app_id", Type: String, Placeholder: "ID", Group: GitHub,
		Doc: "Client ID of a GitHub App that acts instead of {token}, for the config repository alone and with no more than this " +
			"command needs. GitHub lets no job token commit to a branch that requires pull requests or a status; an App can be on " +
			"the bypass list of its ruleset. Empty uses {token}."}
	inputAppKey = Input{Name: "app_key", Type: String, Secret: true, Group: GitHub,
		Doc: "Private key of the App that {app_id} names, in PEM form."}
	inputRegistryUsername = Input{Name: "registry_username", Type: String, Secret: true, Group: Registry,
		Doc: "User name for the image's registry. Empty leaves it to the credentials of docker login; for ghcr.io the action needs " +
			"only {registry_password}."}
	inputRegistryPassword = Input{Name: "registry_password", Type: String, Secret: true, Group: Registry,
		Doc: "Password or token for the image's registry, sent to that registry alone."}
	inputRegistryIdentity = Input{Name: "registry_identity", Type: String, Group: Registry, Placeholder: "ROLE",
		Doc: "What the job's OIDC identity is exchanged for at a registry of a cloud: the ARN of an AWS role; a Google workload " +
			"identity provider, projects/…/providers/NAME, with a comma and a service account where one is needed; or CLIENT_ID,TENANT_ID " +
			"of Azure. The job needs `id-token: write`. If empty, the credentials of the environment and of docker login count."}
	inputCreateRepository = Input{Name: "create_repository", Type: Bool, Default: "false",
		Doc: "Whether to make the image's repository at ECR if it does not exist. The role then needs ecr:CreateRepository. Other " +
			"registries make a repository by a push."}
	permissionPackagesRead  = Permission{"packages", "read", "reads the image and its evidence from ghcr.io"}
	permissionPackagesWrite = Permission{"packages", "write", "pushes to ghcr.io"}
)

// DefaultPlatforms are those that build and compile take when none is named.
const DefaultPlatforms = "linux/amd64\nlinux/arm64"

var compile = Command{
	Name:  "compile",
	Short: "Compile a Go package for every platform and hand the binaries to build",
	Long: "Compiles a main package of the checked-out repository with the Go toolchain, which gets no credential and executes none " +
		"of the package's code: no cgo, an empty GOFLAGS, the end of the flags marked. " +
		"The binaries are pushed beside the image as one untagged artifact. `build` takes it by digest and writes it into " +
		"`dist/OS-ARCH/APP` of the build context, so that no job both compiles and builds.",
	Example: "waybill compile --package ./cmd/backend --app backend --image ghcr.io/acme/backend",
	Inputs: []Input{
		{
			Name: "package", Type: String, Required: true, Placeholder: "PACKAGE",
			Doc: "Main package to compile: . or ./PATH of this repository. Anything else is refused.",
		},
		{
			Name: "app", Type: String, Required: true, Placeholder: "NAME",
			Doc: "Name of the binary: lower-case letters, digits, ., _ and -.",
		},
		{
			Name: "image", Type: String, Placeholder: "REPO",
			Doc: "Repository of the image, beside which the binaries are pushed. Required unless {place} is given.",
		},
		{
			Name: "place", Type: String, Placeholder: "DIR",
			Doc: "Build context to write the binaries into, as dist/OS-ARCH/APP, in place of pushing them: for a pull request, or on " +
				"a laptop. Empty pushes them.",
		},
		{
			Name: "platform", Type: List, Commas: true, Default: DefaultPlatforms, Placeholder: "OS/ARCH",
			Doc: "Platforms to compile for.",
		},
		inputCreateRepository,
		inputFormat,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs:     []Output{{"binaries", "The binaries as an untagged OCI artifact, REPOSITORY@sha256:…, for `build`."}},
	Permissions: []Permission{{"contents", "read", "checks the source out"}, permissionPackagesWrite},
	Binaries:    []string{Waybill},
}

var build = Command{
	Name:  "build",
	Short: "Build every platform of an image and push it by digest, untagged",
	Long: "Builds one OCI index with a manifest for each platform and pushes it by digest, without a tag, so that nothing can " +
		"deploy it by name before it is scanned, signed and judged. " +
		"A Dockerfile that executes nothing is assembled in-process; one with RUN is built by the BuildKit daemon at {builder}. " +
		"Jobs on native runners build a platform each, and {join} makes one image of their results. The index is pushed last: a " +
		"failed build leaves no half-written image behind.",
	Example: "waybill build --image ghcr.io/acme/backend --platform linux/amd64,linux/arm64",
	Inputs: []Input{
		{
			Name: "image", Type: List, Commas: true, Placeholder: "REPO",
			Doc: "Repository to push to, without tag or digest, such as ghcr.io/acme/backend. Several get the same index, each with " +
				"its own record; the password for a registry is that of the first one's. Required unless {oci_layout}, {archive} or " +
				"{load} is given, which push nothing.",
		},
		{
			Name: "context", Type: String, Default: ".", Placeholder: "DIR|URL|-",
			Doc: "Directory of the build context. A .dockerignore in it is honoured. Or a git repository, https://….git#REF:DIR, whose " +
				"commit the record then names instead of the job's; or - for a tar on standard input, whose source no record names.",
		},
		{
			Name: "file", Type: String, Placeholder: "PATH|-",
			Doc: "Path of the Dockerfile, below {context} if that is no directory of this machine, or - for standard input. Empty " +
				"means Dockerfile in the context.",
		},
		{
			Name: "check", Type: Bool, Default: "false",
			Doc: "Whether to look the Dockerfile over by BuildKit's checks, and build nothing. Each finding is an annotation at its " +
				"line. With any finding the exit code is 3. No BuildKit is needed.",
		},
		{Name: "target", Type: String, Placeholder: "STAGE", Doc: "Stage of the Dockerfile to build. Empty means the last one."},
		{
			Name: "platform", Type: List, Commas: true, Default: DefaultPlatforms, Placeholder: "OS/ARCH",
			Doc: "Platforms to build, such as linux/arm64 or linux/arm/v7.",
		},
		{
			Name: "build_arg", Type: List, Placeholder: "NAME=VALUE",
			Doc: "Build arguments. Not for secrets: they are recorded in the image and in the provenance.",
		},
		{
			Name: "secret", Type: List, Placeholder: "id=ID[,src=PATH|,env=NAME]",
			Doc: "Secrets for RUN --mount=type=secret, from a file or an environment variable. With the id alone, from the variable " +
				"of that name, else the file. Never stored in the image. Needs BuildKit.",
		},
		{
			Name: "secret_values", Type: String, Secret: true,
			Doc: "Secrets for RUN --mount=type=secret with their values: lines of the form ID=VALUE. A workflow passes secrets of " +
				"its caller in this way. A value of several lines stands in quotes, as \"ID=VALUE\", with \"\" for a quote. If empty, only " +
				"{secret} gives secrets.",
		},
		{
			Name: "label", Type: List, Placeholder: "NAME=VALUE",
			Doc: "Labels of the image configuration, beside the org.opencontainers.image ones read from git.",
		},
		{
			Name: "annotation", Type: List, Placeholder: "[LEVEL:]NAME=VALUE",
			Doc: "Annotations beside the org.opencontainers.image ones read from git. LEVEL is manifest, index, manifest-descriptor " +
				"or index-descriptor (OCI layouts only), with a platform in brackets if it is for that one. Without a level the " +
				"annotation goes to the index and every manifest.",
		},
		{
			Name: "engine", Type: Choice, Values: []string{"auto", "buildkit", "assemble"}, Default: "auto",
			Doc: "What builds. `auto` assembles a Dockerfile that executes nothing and gives any other to BuildKit.",
		},
		{
			Name: "builder", Type: List, Placeholder: "[PLATFORM=]ADDR",
			Doc: "Address of a BuildKit daemon, for all platforms or, with a platform in front, for that one: unix:///PATH, " +
				"tcp://HOST:PORT (with mutual TLS: ?cacert=FILE&cert=FILE&key=FILE), docker-container://NAME, " +
				"podman-container://NAME, kube-pod://POD, ssh://HOST, or auto. If empty, auto: BUILDKIT_HOST, else " +
				"unix:///run/buildkit/buildkitd.sock, else a container of moby/buildkit that Waybill starts in the local Docker and " +
				"removes at the end. A daemon at tcp, ssh or kube-pod pushes its layers by itself, if the registry lets it.",
		},
		{
			Name: "cache", Type: Bool, Default: "false",
			Doc: "Whether BuildKit keeps a cache beside the image, in the tag cache-BRANCH-PLATFORMS of its repository. A job that is " +
				"about no branch, such as one of a pull request, keeps none. Whoever may push to the repository can change what is built " +
				"from the cache.",
		},
		{
			Name: "cache_from", Type: List, Placeholder: "TYPE,KEY=VALUE",
			Doc: "Caches BuildKit may read: type=registry,ref=REF, local,src=DIR, gha, s3 or azblob. One that cannot be read is a " +
				"warning. type=gha needs tokens that GitHub gives to no composite action. Ignored when assembling.",
		},
		{
			Name: "cache_to", Type: List, Placeholder: "TYPE,KEY=VALUE",
			Doc: "Caches BuildKit writes, as in {cache_from}, local with dest=DIR, and inline. One that cannot be written is a warning, " +
				"unless it says ignore-error=false. Ignored when assembling.",
		},
		{
			Name: "plain_manifest", Type: Bool, Default: "false",
			Doc: "Whether the image of the one {platform} is pushed without an index around it, for what takes no index, such as AWS " +
				"Lambda. {join} takes no such image.",
		},
		{
			Name: "ssh", Type: List, Placeholder: "ID[=SOCKET|KEY]",
			Doc: "SSH agents or keys for RUN --mount=type=ssh, such as default. Without a path it is the agent at SSH_AUTH_SOCK.",
		},
		{
			Name: "build_context", Type: List, Placeholder: "NAME=DIR|URL",
			Doc: "Other build contexts, for COPY --from=NAME and FROM NAME: a directory of the checked-out repository, " +
				"docker-image://REF, or the address of a git repository. Needs BuildKit.",
		},
		{Name: "no_cache", Type: Bool, Default: "false", Doc: "Whether BuildKit executes every step again."},
		{
			Name: "pull", Type: Bool, Default: "false",
			Doc: "Whether BuildKit asks the registry for every base image, and takes none that it has already.",
		},
		{Name: "add_host", Type: List, Placeholder: "NAME=IP", Doc: "Names of hosts for RUN."},
		{
			Name: "network", Type: Choice, Values: []string{"default", "none", "host"}, Default: "default",
			Doc: "Network of RUN. `host` is the daemon's, and needs {allow} network.host.",
		},
		{
			Name: "allow", Type: List, Placeholder: "ENTITLEMENT",
			Doc: "Entitlements that the build may use: network.host, security.insecure. The daemon must allow them too. RUN can then " +
				"reach what the daemon reaches.",
		},
		{Name: "shm_size", Type: String, Placeholder: "SIZE", Doc: "Size of /dev/shm for RUN, such as 128m. Empty means BuildKit's own."},
		{Name: "ulimit", Type: List, Placeholder: "NAME=SOFT[:HARD]", Doc: "Limits for RUN, such as nofile=1024:4096."},
		inputCreateRepository,
		{Name: "oci_layout", Type: String, Placeholder: "DIR", Doc: "Directory to write an OCI image layout to, instead of pushing."},
		{
			Name: "archive", Type: String, Placeholder: "FILE",
			Doc: "File to write the image to, instead of pushing: a tar in the form of {archive_format}. If empty, writes none.",
		},
		{
			Name: "archive_format", Type: Choice, Values: []string{"oci", "docker"}, Default: "oci",
			Doc: "Form of {archive}: an OCI layout, or what `docker load` reads, which holds one platform.",
		},
		{
			Name: "load", Type: Bool, Default: "false",
			Doc: "Whether to load the image into the local Docker, instead of pushing, by the name of {image} and the tag latest. " +
				"If {platform} is its default, builds for the machine's own platform.",
		},
		{
			Name: "compression", Type: String, Placeholder: "gzip|zstd[,LEVEL]",
			Doc: "Compression of the layers: gzip with a level from 1 to 9, or zstd with 1 to 22, such as zstd,12. BuildKit then " +
				"compresses the layers of the base image anew; assembling takes them as they are. Empty means gzip.",
		},
		{
			Name: "binaries", Type: String, Placeholder: "REPO@DIGEST",
			Doc: "What `compile` handed on: written to dist/OS-ARCH/APP of the context before the build, and named in the " +
				"provenance. A file that is there already is not replaced. Empty writes nothing.",
		},
		{
			Name: "prepared", Type: String, Placeholder: "DIR|TAR",
			Doc: "Files that another job has made, such as a downloaded artifact: a directory, a tar, or a directory with one .tar and " +
				"nothing else. They are put into the checked-out repository before the build, and the provenance has their digest. A " +
				"file that is there already is not replaced. If empty, adds nothing.",
		},
		{
			Name: "join", Type: List, Commas: true, Placeholder: "RECORD",
			Doc: "Builds nothing, and joins the results of other jobs: their outputs `record`, REPOSITORY@sha256:…. The new index " +
				"holds exactly the platforms that {platform} names, and is the one that a single job builds alone. Refused are " +
				"results of different commits, Dockerfiles, arguments or targets, and two for one platform. If empty, builds.",
		},
		{
			Name: "metadata", Type: String, Placeholder: "FILE",
			Doc: "File to write the build record to: engine, Dockerfile, base images by digest, arguments, source. Empty writes none.",
		},
		inputFormat,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"image", "The index by digest, REPOSITORY@sha256:…. With several repositories, the one in the first."},
		{"images", "JSON list of objects with image and record, one for each repository: a matrix for jobs that `sign`."},
		{"digest", "The digest of the index, sha256:…."},
		{"platforms", "JSON object from platform to manifest digest."},
		{"record", "The build record as an untagged OCI artifact beside the image, REPOSITORY@sha256:…, for `sign`."},
	},
	Permissions: []Permission{{"contents", "read", "checks the source out"}, permissionPackagesWrite},
	Binaries:    []string{Waybill},
}

var changed = Command{
	Name:  "changed",
	Short: "Say whether an image has to be built: whether its files changed",
	Long: "Compares the checked-out commit with the one that the image was built from last, as its annotation in the registry says. " +
		"A repository with several images builds only those whose files changed. Whatever is not known means that the image has to " +
		"be built. The clone needs its history (`fetch-depth: 0`).",
	Example: "waybill changed ghcr.io/acme/shop-api:main --paths api",
	Inputs: []Input{
		{
			Name: "image", Type: String, Required: true, Positional: true, Placeholder: "REPO:TAG",
			Doc: "Image that was built last, usually by the tag of the default branch.",
		},
		{
			Name: "paths", Type: List, Required: true, Placeholder: "PATH",
			Doc: "Files and directories that go into the image, from the top of the repository. Pathspecs of git, such as ':!*.md', " +
				"are taken too.",
		},
		inputFormat,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"changed", "`true` if the image has to be built, else `false`."},
		{"since", "Commit that the image was built from; empty if it is not known."},
	},
	Permissions: []Permission{{"contents", "read", "checks the source out"}, permissionPackagesRead},
	Binaries:    []string{Waybill},
}

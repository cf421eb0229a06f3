package contract

var (
	inputRepo = Input{Name: "repo", Type: String, Group: Repository, Placeholder: "OWNER/NAME",
		Doc: "Config repository on GitHub, read and written through the API without a clone."}
	inputDir = Input{Name: "dir", Type: String, Group: Repository, Placeholder: "PATH",
		Doc: "Local clone of the config repository, instead of {repo}. Where neither is given, a command that only reads takes " +
			"the working directory if it holds waybill.yaml."}
	inputPath = Input{Name: "path", Type: String, Group: Repository, Placeholder: "DIR",
		Doc: "Directory of the repository that holds waybill.yaml, where source and configuration are in one repository. Nothing " +
			"outside of it is read or written. Empty means the whole repository, or, of a local clone, the directory that {dir} names " +
			"if waybill.yaml is there."}
	inputBranch = Input{Name: "branch", Type: String, Group: Repository, Placeholder: "BRANCH",
		Doc: "Branch that holds the deployments. Empty means the default branch."}
	inputApp = Input{Name: "app", Type: String, Required: true, Placeholder: "APP",
		Doc: "Application, as named under `apps` in waybill.yaml."}
	inputEnv = Input{Name: "env", Type: String, Required: true, Placeholder: "ENV",
		Doc: "Environment, as named under `environments` in waybill.yaml."}
	inputAllowOlder = Input{Name: "allow_older", Type: Bool, Default: "false",
		Doc: "Whether a digest built from an ancestor of the deployed source commit may be written."}
	permissionContentsRead  = Permission{"contents", "read", "reads the config repository"}
	permissionContentsWrite = Permission{"contents", "write", "commits to the config repository"}
	permissionPullsWrite    = Permission{"pull-requests", "write", "opens and updates pull requests"}
)

var tag = Command{
	Name:  "tag",
	Short: "Add tags to a digest that passes policy",
	Long: "Adds tags to an image that is already built, scanned and signed, and only if the policy allows it: the tag is the last " +
		"thing an image gets. " +
		"Tags are given literally or by type: `raw:VALUE`, `sha`, `ref`, `semver`, `latest`, `run`, `schedule:LAYOUT`, or as " +
		"docker/metadata-action has them. No tag moves back to an older version or commit.",
	Example: "waybill tag ghcr.io/acme/backend@sha256:… --tags sha --tags 'semver:{{version}}'",
	Inputs: []Input{
		{
			Name: "image", Type: String, Required: true, Positional: true, Placeholder: "IMAGE",
			Doc: "Image by digest, REPOSITORY@sha256:…, as `build` prints it. A repository alone means the image that was built from " +
				"the run's commit, found by its tag sha-1234567 and proven by its evidence. Any other tag is refused.",
		},
		inputCopies,
		{
			Name: "tags", Type: List, Required: true, Placeholder: "TYPE[:VALUE]",
			Doc: "Tags to add: `raw:VALUE` (as it stands), `sha` (sha-1234567), `ref` (branch, tag or pr-N), `semver` (of v1.2.3: " +
				"1.2.3, 1.2, 1 and latest), `semver:{{version}}`, `semver:{{major}}.{{minor}}`, `latest` (of the newest version), `run` (the run number), " +
				"`schedule:20060102` (the time, in Go's layout), or `type=semver,pattern={{version}}` and the like. Versions need a run " +
				"about a version tag. A tag under which evidence is kept, such as sha256-HEX.sig, is refused.",
		},
		{
			Name: "flavor", Type: List, Placeholder: "KEY=VALUE",
			Doc: "What tags of `semver` and `type=…` have in common: `prefix=TEXT`, `suffix=TEXT` (not for latest), and " +
				"`latest=auto`, `true` or `false`. With `auto` a version that is no prerelease, and the newest one, is latest.",
		},
		{
			Name: "allow_older", Type: Bool, Default: "false",
			Doc: "Whether a tag may move back to an older version or commit. Otherwise it is left out with a note.",
		},
		{
			Name: "policy", Type: String, Default: "waybill.yaml", Placeholder: "FILE",
			Doc: "waybill.yaml whose policy the digest must pass.",
		},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application whose rules apply. Empty finds it by the image's repository."},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment whose rules apply. Empty applies the rules common to all."},
		inputDryRun, inputFormat, inputTrustedRoot,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs:     []Output{{"tags", "The references written, one per line."}},
	Permissions: []Permission{permissionPackagesWrite},
	Binaries:    []string{Waybill},
}

var bump = Command{
	Name:  "bump",
	Short: "Point one environment's overlay at a digest that passes policy",
	Long: "Verifies the evidence of each digest, changes the bytes of the one scalar in the overlay that names it, checks by " +
		"rendering that only the images differ, and commits with compare-and-swap on the branch head. " +
		"Losing the race reads again, checks again that the digest is not already superseded, and retries. With {via: deployment} " +
		"it asks the config repository's own bump workflow instead and waits for its answer, so the application repository holds no " +
		"right to write there. " +
		"Where the first environment takes changes by pull request only, it opens one.",
	Example: "waybill bump ghcr.io/acme/backend@sha256:… --app backend --env dev --repo acme/config",
	Inputs: []Input{
		{
			Name: "image", Type: List, Commas: true, Required: true, Positional: true, Placeholder: "IMAGE…",
			Doc: "Image by digest, REPOSITORY@sha256:…, as `build` prints it. Of an application with several images (`images` in " +
				"waybill.yaml) one or more: they move by one commit, and the others stay. A tag is refused.",
		},
		inputApp, inputEnv, inputRepo, inputDir, inputPath, inputBranch,
		{
			Name: "via", Type: Choice, Values: []string{"commit", "deployment", "dispatch"}, Default: "commit",
			Doc: "`commit` writes to the config repository. `deployment` creates a deployment there, which starts its bump " +
				"workflow, and waits for the answer: it needs `deployments: write` there and nothing else. `dispatch` is the old " +
				"name of `deployment`.",
		},
		{Name: "timeout", Type: Duration, Default: "15m", Doc: "How long {via: deployment} waits for the answer."},
		{
			Name: "deployment", Type: Int, Placeholder: "ID",
			Doc: "Deployment of the config repository by which somebody asked with {via: deployment}: the outcome is reported " +
				"there. Empty reports to nobody. Needs {repo}.",
		},
		{
			Name: "promote_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start once the overlay names the digest, such as promote.yml: a commit made with the job token " +
				"starts none by itself. It is started again when the command is. With {app_id} the commit starts by itself what " +
				"listens to pushes. Empty starts none. Needs {repo}.",
		},
		{
			Name: "check_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start for the pull request that opens where the first environment takes changes by pull request, " +
				"as in {promote.check_workflow}. Empty starts none.",
		},
		inputAllowOlder, inputDryRun, inputFormat, inputTrustedRoot, inputToken, inputAppID, inputAppKey,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"decision", "`allowed`, `refused` or `pending`; empty when something broke."},
		{"changed", "`true` when a commit was made, `false` when the overlay already named the digest."},
		{"commit", "The commit on the config repository's branch that holds the digest."},
		{"previous", "The digest that was deployed before."},
		{"pull_request", "Number of the pull request, where the first environment takes changes by pull request."},
	},
	Permissions: []Permission{permissionContentsWrite, permissionPackagesRead, {
		"actions", "write", "starts the promote workflow after a commit",
	},
		{"pull-requests", "write", "opens the pull request of a first environment that takes those"},
		{"statuses", "write", "marks its head as waiting for its check"},
		{
			"deployments", "write",
			"reports the outcome to who asked; with `via: deployment` it is all that is needed, in the config repository",
		}},
	Binaries: []string{Waybill},
}

var promote = Command{
	Name:  "promote",
	Short: "Open or update the promotion pull requests of every application that may move",
	Long: "For each application whose digest in one environment is ahead of the next, verifies the evidence and the rules of the " +
		"next environment and opens one pull request, or updates the one that is open. The applications of a group (`groups` in " +
		"waybill.yaml) have one together, and move all or none. " +
		"Its body carries the evidence: signer, source, scan counts and what they change, the rendered manifest difference. Running " +
		"it again changes nothing. A branch somebody else has pushed to is left alone.",
	Example: "waybill promote --repo acme/config",
	Inputs: []Input{
		{
			Name: "from", Type: String, Placeholder: "ENV",
			Doc: "Environment to promote from. Empty means every environment that has a next one.",
		},
		{Name: "to", Type: String, Placeholder: "ENV", Doc: "Environment to promote to. Empty means the one after {from}."},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application to promote, with its group where it is in one. Empty means all."},
		inputRepo, inputDir, inputPath, inputBranch,
		{
			Name: "check_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start for each pull request that was opened or updated, such as check.yml: a pull request made " +
				"with the job token starts none by itself. Empty starts none.",
		},
		{
			Name: "shard", Type: String, Placeholder: "N/OF",
			Doc: "Part of the applications to promote, such as 3/10 in a matrix of ten jobs. Each application is in exactly one part, " +
				"whatever else is in waybill.yaml. Empty promotes all.",
		},
		{
			Name: "record_deployments", Type: Bool, Default: "false",
			Doc: "Whether to show on GitHub, as one deployment for each digest that came to an environment, what runs where. That also " +
				"tells `notify` of merges. What goes wrong with it is a note. Needs {repo}, and `deployments: write` of the job's token.",
		},
		{
			Name: "record_artifacts", Type: Bool, Default: "true",
			Doc: "Whether {record_deployments} also tells GitHub's linked artifacts page of the organisation, by digest, where the " +
				"image is stored and where it runs. What goes wrong with it is a note. Needs `artifact-metadata: write` of the job's token.",
		},
		inputAllowOlder, inputTrustedRoot, inputDryRun, inputFormat, inputToken, inputAppID, inputAppKey,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{{
		"pull_requests",
		"JSON array: per application and environment the state (opened, updated, unchanged, committed, current, refused, pending, " +
			"declined, foreign), number, URL and reason.",
	}},
	Permissions: []Permission{permissionContentsWrite, permissionPullsWrite, permissionPackagesRead, {
		"actions", "write", "starts the check workflow of the pull request",
	},
		{"statuses", "write", "marks the head as waiting for its check"},
		{"deployments", "write", "shows what runs in each environment, with `record_deployments`"},
		{"artifact-metadata", "write", "tells the organisation's linked artifacts page the same, with `record_artifacts`"}},
	Binaries: []string{Waybill},
}

var check = Command{
	Name:  "check",
	Short: "Re-verify every digest that a pull request would deploy",
	Long: "Reads what merging the head into the base leads to, trusts nothing in the pull request's body, judges by the base's " +
		"rules, verifies the evidence of every digest that would be newly deployed, and renders both sides. It refuses mutable " +
		"tags, digests that skip an environment, " +
		"images that are neither an application's nor allowed, and changes that take protection away without saying so. Reports " +
		"only what is new. Without a base it judges everything as it stands. On a pull request into the default branch, and on a " +
		"merge group, it reports as a commit status on the head it judged, which names the base and its revision.",
	Example: "waybill check --base origin/main --head HEAD --dir .",
	Inputs: []Input{
		{
			Name: "base", Type: String, Placeholder: "REV",
			Doc: "Revision the change is compared with. Empty, without {pull_request}, judges everything as it stands.",
		},
		{Name: "head", Type: String, Placeholder: "REV", Doc: "Revision to judge. Empty means HEAD, or the head of {pull_request}."},
		{
			Name: "pull_request", Type: Int, Placeholder: "N",
			Doc: "Pull request to judge: its base, its head, and where the status goes. One that does not go into the default " +
				"branch gets no status. Needs {repo}.",
		},
		{
			Name: "merge_group", Type: String, Placeholder: "SHA",
			Doc: "Head commit of a merge queue's group to judge, onto the default branch; the status goes there. Needs {repo}.",
		},
		{
			Name: "start_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start on the default branch, in place of judging here, with {pull_request} and {merge_group} as " +
				"its inputs: for events that run the file of what they would merge. Needs `actions: write`. Empty judges here.",
		},
		inputRepo, inputDir, inputPath,
		{
			Name: "status_context", Type: String, Default: "waybill/check", Placeholder: "NAME",
			Doc: "Name of the commit status that is set on the head that was judged.",
		},
		inputTrustedRoot, inputFormat, inputToken, inputAppID, inputAppKey,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{{"allowed", "`true` or `false`."}, {"findings", "JSON array of findings: file, line, rule, message."}},
	Permissions: []Permission{
		permissionContentsRead, {"pull-requests", "read", "reads base and head of the pull request"},
		{"statuses", "write", "reports on the head it judged"}, permissionPackagesRead,
	},
	Binaries: []string{Waybill},
}

var diff = Command{
	Name:  "diff",
	Short: "Show how the rendered manifests differ between two revisions",
	Long: "Renders the overlays of both revisions, Kustomize and Helm in-process, and prints the difference per object and " +
		"field. Nothing from a cluster is needed.",
	Example: "waybill diff --base origin/main --head HEAD --app backend --env prod",
	Inputs: []Input{
		{Name: "base", Type: String, Required: true, Placeholder: "REV", Doc: "Revision to compare with."},
		{Name: "head", Type: String, Default: "HEAD", Placeholder: "REV", Doc: "Revision to show."},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application to show. Empty means all."},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment to show. Empty means all."},
		inputRepo, inputDir, inputPath,
		{
			Name: "format", Type: Choice, Values: []string{"markdown", "json"}, Default: "markdown",
			Doc: "Form of the difference on standard output.",
		},
		inputToken,
	},
	Outputs:     []Output{{"changed", "`true` when any object differs."}, {"objects", "Number of objects that differ."}},
	Permissions: []Permission{permissionContentsRead},
	Binaries:    []string{Waybill},
}

var rollback = Command{
	Name:  "rollback",
	Short: "Return an environment to an earlier digest",
	Long: "Finds the digest that ran in the environment before, or takes the one that is named, verifies that it still passes " +
		"policy, and opens a pull request that puts it back; with {direct} it commits. " +
		"Only a digest that the environment's history holds is taken without {allow_new}. The digest that it takes out is held: it " +
		"is refused wherever it would newly be deployed, in every environment and under every application's name, until `waybill " +
		"hold --lift`.",
	Example: "waybill rollback --app backend --env prod --repo acme/config",
	Inputs: []Input{
		inputApp, inputEnv,
		{
			Name: "to", Type: List, Commas: true, Placeholder: "IMAGE",
			Doc: "Image by digest to return to. Of an application with several images, all return to the newest set that ran with " +
				"those that are named. Empty goes back by {steps}.",
		},
		{Name: "steps", Type: Int, Default: "1", Doc: "How many deployments to go back."},
		{Name: "direct", Type: Bool, Default: "false", Doc: "Whether to commit to the branch instead of opening a pull request."},
		{Name: "allow_new", Type: Bool, Default: "false", Doc: "Whether {to} may be a digest that never ran in the environment."},
		{Name: "reason", Type: String, Placeholder: "TEXT", Doc: "Why, for the commit and the pull request."},
		{
			Name: "check_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start for the pull request, as in `promote`. Empty starts none.",
		},
		inputDryRun, inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputTrustedRoot, inputToken, inputAppID, inputAppKey,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"pull_request", "Number of the pull request; empty with `direct`."}, {"commit", "The commit, with `direct`."},
		{"digest", "The digest that the environment returns to."},
	},
	Permissions: []Permission{permissionContentsWrite, permissionPullsWrite, permissionPackagesRead, {
		"actions", "write", "starts the check workflow of the pull request",
	},
		{"statuses", "write", "marks the head as waiting for its check"}},
	Binaries: []string{Waybill},
}

var holdCommand = Command{
	Name:  "hold",
	Short: "Keep a place at its digest until somebody lifts it",
	Long: "Writes a file to the config repository that keeps an environment at the digest that it has: bump, promote and check " +
		"refuse every other one, with the reason. {lift} takes it away, also where a rollback left it behind. " +
		"A rollback holds by itself: the digest that it takes out of an environment is refused wherever it would newly be deployed, " +
		"in every environment and under every application's name, until somebody lifts the hold.",
	Example: "waybill hold --app backend --env prod --reason 'the migration runs' --repo acme/config",
	Inputs: []Input{
		inputApp, inputEnv,
		{Name: "reason", Type: String, Placeholder: "TEXT", Doc: "Why, for everybody who is refused. Required, except with {lift}."},
		{Name: "lift", Type: Bool, Default: "false", Doc: "Whether to take the hold away instead."},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputToken, inputAppID, inputAppKey,
	},
	Outputs:     []Output{{"changed", "`true` when a commit was made."}, {"commit", "The commit on the config repository's branch."}},
	Permissions: []Permission{permissionContentsWrite},
	Binaries:    []string{Waybill},
}

var status = Command{
	Name:  "status",
	Short: "Show which digest runs where, how far behind, and what waits for what",
	Long: "Reads the config repository and prints, per application and environment, the deployed digest, since when it is " +
		"deployed, and the open promotion.",
	Example: "waybill status --dir .",
	Inputs: []Input{
		inputRepo, inputDir, inputPath, inputBranch,
		{Name: "format", Type: Choice, Values: []string{"text", "json", "html"}, Default: "text", LocalOnly: true,
			Doc: "Form of the result on standard output. html is one page that fetches nothing, with the last deployments of each place."},
		inputToken,
	},
	Outputs: []Output{{"status", "The table as JSON."}},
	Permissions: []Permission{permissionContentsRead, {"pull-requests", "read", "finds open promotions"}, {
		"statuses", "read", "reads what was said of health",
	}},
	Binaries: []string{Waybill},
}

var why = Command{
	Name:  "why",
	Short: "Explain what stands between a digest and an environment",
	Long: "Asks every rule that bump and promote ask, and changes nothing: evidence, order, soak, holds, freezes. Says what each " +
		"waits for, when it passes, and which pull request is open. " +
		"The digest is the one that runs in the environment before, or the one that is named.",
	Example: "waybill why backend prod --repo acme/config",
	Inputs: []Input{
		inputPlaceApp, inputPlaceEnv,
		{
			Name: "image", Type: List, Commas: true, Placeholder: "IMAGE",
			Doc: "Image by digest that would enter; of an application with several images one or more. Empty takes " +
				"what runs in the environment before; the first environment needs it.",
		},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputTrustedRoot, inputToken,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{{"allowed", "`true` when no rule stands in the way."}},
	Permissions: []Permission{permissionContentsRead, {"pull-requests", "read", "finds the open promotion"}, permissionPackagesRead, {
		"statuses", "read", "reads what was said of health",
	}},
	Binaries: []string{Waybill},
}

var historyCommand = Command{
	Name:  "history",
	Short: "List what ran in an environment, when, and who let it in",
	Long: "Reads the config repository's own history, by hand or by Waybill: each digest that came to the environment, how long it ran, by " +
		"whose commit and pull request, from which source commit, and whether it was taken back.",
	Example: "waybill history backend prod --repo acme/config",
	Inputs: []Input{
		inputPlaceApp, inputPlaceEnv,
		{Name: "limit", Type: Int, Default: "20", Doc: "How many to list, newest first. 0 lists all."},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputToken,
	},
	Permissions: []Permission{permissionContentsRead},
	Binaries:    []string{Waybill},
}

var reportCommand = Command{
	Name:  "report",
	Short: "Measure how often and how fast you deploy, and how often something is taken back",
	Long: "Counts in the config repository's own history, by application and environment: deployments, lead time from the source " +
		"commit, deployments that were taken back, and how long that took. docs/config-repository.md says how each is counted.",
	Example: "waybill report --period 30d --dir .",
	Inputs: []Input{
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application to measure. Empty measures all."},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment to measure. Empty measures all."},
		{Name: "period", Type: Duration, Default: "90d", Doc: "How far back to count."},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputToken,
	},
	Outputs:     []Output{{"report", "The report as JSON."}},
	Permissions: []Permission{permissionContentsRead},
	Binaries:    []string{Waybill},
}

var replayCommand = Command{
	Name:  "replay",
	Short: "Say which past deployments another waybill.yaml would have stopped",
	Long: "Judges every deployment of a period by another waybill.yaml, as of the time at which it came: by evidence, order, soak and " +
		"freezes. Changes nothing, and says what that file would have refused or held up, by rule. " +
		"The evidence is what the registry has today; what today's waybill.yaml would stop as well is counted apart.",
	Example: "waybill replay --policy new.yaml --period 30d --dir .",
	Inputs: []Input{
		{Name: "policy", Type: String, Required: true, Placeholder: "FILE", Doc: "The other waybill.yaml."},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application to judge. Empty judges all."},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment to judge. Empty judges all."},
		{Name: "period", Type: Duration, Default: "90d", Doc: "How far back to judge."},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputTrustedRoot, inputToken,
		inputRegistryUsername, inputRegistryPassword,
	},
	Outputs:     []Output{{"stopped", "How many deployments would newly have been stopped."}},
	Permissions: []Permission{permissionContentsRead, permissionPackagesRead},
	Binaries:    []string{Waybill},
}

// What a command is about stands before its flags.
var (
	inputPlaceApp = Input{
		Name: "app", Type: String, Required: true, Positional: true, Placeholder: "APP",
		Doc: "Application, as named under `apps` in waybill.yaml.",
	}
	inputPlaceEnv = Input{
		Name: "env", Type: String, Required: true, Positional: true, Placeholder: "ENV",
		Doc: "Environment, as named under `environments` in waybill.yaml.",
	}
)

var doctorCommand = Command{
	Name:  "doctor",
	Short: "Say what is missing or weak in how a repository is set up on GitHub",
	Long: "Reads the settings of a config or infrastructure repository and says one line for each, with what puts it right: the " +
		"organisation's plan, the App and its permissions, " +
		"the required status and who may set it, who may pass the ruleset, environments, secrets and variables by name, CODEOWNERS, " +
		"the actions that may be used, workflows that are switched off, packages, the workflow files, the vulnerability database, Sigstore's trusted root and, in a " +
		"job, Docker. It changes nothing. " +
		"What the token may not read it says, with the permission that is missing. An owner's token reads everything: " +
		"`GITHUB_TOKEN=$(gh auth token)`.",
	Example: "waybill doctor --repo acme/config",
	Inputs: []Input{
		{Name: "repo", Type: String, Group: Repository, Placeholder: "OWNER/NAME",
			Doc: "Config or infrastructure repository on GitHub. Empty means, in Actions, the workflow's own."},
		{Name: "path", Type: String, Group: Repository, Placeholder: "DIR",
			Doc: "Directory of the repository that holds waybill.yaml. Empty means its top."},
		inputFormat, inputToken, inputAppID, inputAppKey, inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"healthy", "`true` if nothing is wrong. What is weak or unknown does not count as wrong."},
		{"checks", "JSON array: check, state (ok, warn, fail), text, fix."},
	},
	Permissions: []Permission{permissionContentsRead, {"actions", "read", "reads which branches may use an environment"},
		{"packages", "read", "finds out whether the images can be read"}},
	Binaries: []string{Waybill},
}

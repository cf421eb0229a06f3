package contract

var upgradeCommand = Command{
	Name:  "upgrade",
	Short: "Bring the workflows that init wrote to this version, with your changes",
	Long: "Merges each file below .github and .waybill that `init` wrote by three ways: as it was written, as you have it now, and as " +
		"`init` would write it today. What you alone changed or deleted stays. A file in which both changed the same lines stays as " +
		"you have it, and the difference is shown, to be taken over by hand. What was written is in .waybill/init.json.",
	Example: "waybill upgrade --pull-request",
	Inputs: []Input{
		{Name: "dir", Type: String, Default: ".", Placeholder: "PATH", Doc: "Root of the repository, a clone with its history."},
		{Name: "pull_request", Type: Bool, Default: "false",
			Doc: "Whether to commit to a branch of its own, to push it with your git, and to open a pull request with GITHUB_TOKEN."},
		{Name: "actions_commit", Type: String, Placeholder: "SHA",
			Doc: "Commit of this release of Waybill, where `init` was given one: `git ls-remote " +
				"https://github.com/waybill-dev/waybill TAG`."},
		inputDryRun,
		inputFormat, inputToken,
	},
	Outputs:     []Output{{"files", "JSON array: path, change (updated, merged, added, deleted, yours, conflict), diff."}},
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

var setupCommand = Command{
	Name:  "setup",
	Short: "Make on GitHub what a config or infrastructure repository needs",
	Long: "Looks at the settings that the guide asks for, says what it would make, and makes it after a yes: repositories, a team's " +
		"write access, environments for the default branch alone, two GitHub Apps with their IDs and keys in place, the key that " +
		"seals plans, and the rulesets. An App is registered and installed by a person: it prints the pages for that, and waits. " +
		"Run it again at any time: what is there stays as it is. " +
		"It acts with an owner's token: `GITHUB_TOKEN=$(gh auth token)` after `gh auth refresh --scopes admin:org,repo`.",
	Example: "waybill setup --owner acme --config config --app backend --team platform --dry-run",
	Inputs: []Input{
		{Name: "owner", Type: String, Required: true, Placeholder: "ORG", Doc: "Organisation on GitHub."},
		{Name: "config", Type: String, Placeholder: "NAME", Doc: "Name of the config repository. Empty means none."},
		{Name: "path", Type: String, Placeholder: "DIR",
			Doc: "Directory of {config} that holds waybill.yaml, where source and configuration are in one repository."},
		{Name: "infra", Type: String, Placeholder: "NAME", Doc: "Name of the infrastructure repository. Empty means none."},
		{Name: "app", Type: List, Commas: true, Placeholder: "NAME", Doc: "Names of the applications' repositories."},
		{Name: "team", Type: String, Placeholder: "TEAM",
			Doc: "Team that reviews. It is made if it does not exist, and may write to {config} and {infra}. Empty leaves teams alone."},
		{Name: "public", Type: Bool, Default: "false", Doc: "Whether repositories that do not exist are made public."},
		{Name: "registry", Type: String, Placeholder: "REGISTRY/PATH", Doc: "Where images are. Empty means ghcr.io and the owner."},
		{Name: "yes", Type: Bool, Default: "false", Doc: "Whether to go on without asking."},
		{Name: "undo", Type: Bool, Default: "false",
			Doc: "Whether to remove the environments named `waybill` with their secrets, the shared variables and secrets, and the " +
				"ruleset of that name. Repositories, teams, Apps, and the environments of the roots with the key that opens plans stay."},
		inputDryRun,
		inputFormat, inputToken,
	},
	Outputs:     []Output{{"steps", "JSON array: setting, state (ok, would, made, removed, absent, you, later), text, fix."}},
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

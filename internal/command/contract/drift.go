package contract

import "slices"

var driftCommand = Command{
	Name:  "drift",
	Short: "Find what changed outside of terraform, and keep one issue per root for it",
	Long: "Plans every root and tells what changed outside of terraform and a plan would change back from code that is not " +
		"applied yet, and from changes at places that the configuration does not set. " +
		"On GitHub one issue per root is opened when something drifts, kept up to date, closed when the drift is gone, and opened " +
		"again when it comes back. An issue that somebody else opened is never touched. What `terraform.drift.ignore` of " +
		"waybill.yaml accepts until a day and for a reason is not reported. " +
		"A root that cannot be planned ends the command as broken, after all others are reported. Drift alone ends it with 0, " +
		"because the issue says it, or with 3 where {fail_on_drift} asks for that.",
	Example: "waybill drift --repo acme/infra",
	Inputs: slices.Concat([]Input{
		{
			Name: "dir", Type: List, Placeholder: "DIR",
			Doc: "Roots to look at, from the top of the repository. Empty means `terraform.roots` of waybill.yaml, else every " +
				"directory that configures a backend or a provider.",
		},
		{
			Name: "var_file", Type: List, Placeholder: "FILE",
			Doc: "Files of variables for the roots in {dir}, from the top of the repository.",
		},
		{
			Name: "workspace", Type: String, Placeholder: "NAME",
			Doc: "Workspace of the roots in {dir}, which must exist. Empty means the default one.",
		},
		{
			Name: "unmanaged", Type: Bool, Default: "false",
			Doc: "Reports also what changed outside at places that the configuration does not set, such as counters and times of " +
				"last use, which a plan would leave alone.",
		},
		{Name: "issues", Type: Bool, Default: "true", Doc: "Whether to keep issues. Without a repository on GitHub there are none."},
		{
			Name: "label", Type: String, Default: "drift", Placeholder: "NAME",
			Doc: "Label of the issues. One that loses it is left alone from then on.",
		},
		{
			Name: "fail_on_drift", Type: Bool, Default: "false",
			Doc: "Ends with exit code 3 where something drifted, for callers without issues.",
		},
		{
			Name: "environment", Type: String, Placeholder: "NAME",
			Doc: "Looks at the roots that `terraform.environments` of the default branch puts there, with the `planRole` that it names. " +
				"Empty looks at all of them, with one role.",
		},
		{
			Name: "list", Type: Bool, Default: "false",
			Doc: "Lists the environments of the roots, as a matrix of jobs, and looks at nothing.",
		},
		{Name: "parallel", Type: Int, Default: "4", Doc: "How many roots are planned at the same time."},
		inputInfraRepo, inputTerraform, inputTerraformVersion, inputTerraformMirror, inputTerraformEnv, inputBackendConfig,
		inputCheckout, inputLock, inputLockTimeout, inputPluginCache,
		{
			Name: "format", Type: Choice, Values: []string{"markdown", "json"}, Default: "markdown", LocalOnly: true,
			Doc: "Form of the report on standard output.",
		},
		inputToken,
	}, cloudInputs),
	Outputs: []Output{
		{
			"drifted",
			"The roots that drifted as JSON: a list of objects with `dir`, `workspace`, `resources` (how many) and, where there is " +
				"one, `issue` (its number).",
		},
		{"matrix", "With `list`: the environments, as the matrix of a job."},
		{"broken", "The roots that could not be planned as JSON: a list of objects with `dir` and `workspace`."},
	},
	Permissions: []Permission{
		{"contents", "read", "reads the repository"}, {"issues", "write", "keeps its issues"},
		{"id-token", "write", "only for a cloud: the role that may read"},
	},
	Binaries: []string{Waybill},
}

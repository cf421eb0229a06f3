package contract

import "slices"

var (
	inputInfraRepo = Input{Name: "repo", Type: String, Placeholder: "OWNER/NAME",
		Doc: "Repository on GitHub. Empty means the workflow's own, or none outside Actions."}
	inputPullRequest = Input{Name: "pull_request", Type: Int, Placeholder: "N",
		Doc: "Pull request. Empty means the one that the event is about or, after a merge, the one that brought the commit."}
	inputTerraform = Input{Name: "terraform", Group: Terraform, Type: String, Default: "terraform", Placeholder: "PROGRAM",
		Doc: "terraform or OpenTofu: a name on PATH, or a path."}
	inputTerraformVersion = Input{Name: "terraform_version", Group: Terraform, Type: String, Placeholder: "VERSION",
		Doc: "Version of terraform for every root, exact or a constraint. Empty means `version` in waybill.yaml, else " +
			".terraform-version, else required_version alone, else the one that is installed. terraform on PATH is used where it " +
			"satisfies; otherwise the version is installed, when its checksum and HashiCorp's signature are right. `apply` takes " +
			"the version that the plan was made with."}
	inputTerraformMirror = Input{Name: "terraform_mirror", Group: Terraform, Type: String, Placeholder: "URL",
		Doc: "Mirror of https://releases.hashicorp.com to install terraform from, for runners that cannot reach it; what it gives " +
			"is verified all the same. Empty means the original."}
	inputTerraformEnv = Input{Name: "env", Group: Terraform, Type: List, Commas: true, Placeholder: "NAME",
		Doc: "Environment variables to hand to terraform, beside PATH, HOME, proxies, TF_VAR_ of the root's own variables and the " +
			"usual ones of AWS, Google and Azure. Nothing else of the job's environment reaches terraform."}
	inputCheckout = Input{Name: "checkout", Group: Terraform, Type: String, Default: ".", Placeholder: "DIR",
		Doc: "Directory of the clone, or one inside it."}
	inputBackendConfig = Input{Name: "backend_config", Group: Terraform, Type: List, Placeholder: "KEY=VALUE|FILE",
		Doc: "Settings of the backend that the configuration leaves open, for every root. Not for secrets: arguments are visible to " +
			"every process of the machine."}
	inputLockTimeout = Input{Name: "lock_timeout", Group: Terraform, Type: Duration, Default: "2m",
		Doc: "How long to wait for the state's lock."}
	inputLock = Input{Name: "lock", Group: Terraform, Type: Bool, Default: "true",
		Doc: "Whether to hold the state's lock while planning. `false` is for a role that may only read; a plan of a state that " +
			"moved on meanwhile is refused by `apply`."}
	inputPluginCache = Input{Name: "plugin_cache", Group: Terraform, Type: String, Placeholder: "DIR",
		Doc: "Directory that roots share providers in. Empty downloads them for each root."}
	inputTeamToken = Input{Name: "team_token", Type: String, Secret: true,
		Doc: "Token that may read the members of teams (`members: read` of the organisation), which the job's own token may not. " +
			"Needed where a rule names a team; empty means {token}."}
	inputSealKey = Input{Name: "seal_key", Type: String, Secret: true,
		Doc: "age identity that opens sealed plans, AGE-SECRET-KEY-1…. Empty means {seal_key_file}."}
	inputSealKeyFile = Input{Name: "seal_key_file", Type: String, Placeholder: "FILE",
		Doc: "File with the age identity that opens sealed plans, as age-keygen writes it."}
	permissionPullsComment = Permission{"pull-requests", "write", "writes its comment on the pull request"}
)

var plan = Command{
	Name:  "plan",
	Short: "Plan terraform roots, say what would change, and seal the plan",
	Long: "Plans every root, says what would change with the dangerous things first and no sensitive value, names the plans by one " +
		"fingerprint, and seals them for those who may apply. " +
		"On a pull request it keeps one comment up to date. A value that is sensitive anywhere in a plan is hidden everywhere.",
	Example: "waybill plan --dir infra/prod --seal-to age1… --store oci://ghcr.io/acme/plans",
	Inputs: append([]Input{
		{
			Name: "dir", Type: List, Placeholder: "DIR",
			Doc: "Roots to plan, from the top of the repository. Empty means `terraform.roots` of waybill.yaml, else every " +
				"directory that configures a backend or a provider.",
		},
		{
			Name: "changed_since", Type: String, Placeholder: "REV",
			Doc: "Plans only the roots that a file changed since REV belongs to: their own, their local modules' or their files of " +
				"variables. Empty plans them all.",
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
			Name: "seal_to", Type: List, Commas: true, Placeholder: "RECIPIENT",
			Doc: "age recipients who can open the sealed plan, age1…. Empty seals nothing, and nothing can be applied.",
		},
		{
			Name: "store", Type: String, Placeholder: "DIR|oci://REPO",
			Doc: "Where the sealed plan is kept: a directory, or a repository of a registry. Required with {seal_to}.",
		},
		{Name: "expires", Type: Duration, Default: "7d", Doc: "How long the sealed plan can be applied."},
		{
			Name: "head", Type: String, Placeholder: "SHA",
			Doc: "Commit that the plan is of. Empty means the head of the pull request, else HEAD.",
		},
		{Name: "comment", Type: Bool, Default: "true", Doc: "Whether to comment on the pull request."},
		{
			Name: "validate_only", Type: Bool, Default: "false",
			Doc: "Checks policy, format and validity and plans nothing: for pull requests from forks, which must not reach a backend.",
		},
		{Name: "parallel", Type: Int, Default: "4", Doc: "How many roots are planned at the same time."},
		{
			Name: "spread", Type: Bool, Default: "false",
			Doc: "Whether to plan here only where one job is enough: at most {group_size} roots, and one plan role. " +
				"Otherwise nothing is planned, and the output `matrix` names the jobs that do.",
		},
		{Name: "list", Type: Bool, Default: "false", Doc: "Gives the output `matrix` in any case, and plans nothing."},
		{
			Name: "group_size", Type: Int, Default: "25",
			Doc: "Most roots of one job of the matrix. A matrix has at most 256 jobs: where there are more roots, each job plans more.",
		},
		{
			Name: "group", Type: String, Placeholder: "N/M",
			Doc: "Group of the matrix that this job plans. It keeps its part in {store} and comments nothing.",
		},
		{
			Name: "join", Type: Bool, Default: "false",
			Doc: "Joins the parts of all groups into one plan, one comment and one fingerprint, and runs no terraform. One part that is " +
				"missing, failed, or of another commit fails all of it.",
		},
		{
			Name: "workspaces", Type: String, Placeholder: "JSON",
			Doc: "Workspaces of roots that waybill.yaml names by a pattern, as the output of that name of the job before gave them. " +
				"Empty asks the backends.",
		},
		{
			Name: "run", Type: String, Placeholder: "NAME",
			Doc: "Run that the parts of {group} and {join} belong to. Empty means the workflow run.",
		},
		{
			Name: "again_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start on the default branch for each open pull request whose plan is out of date: a state moved, " +
				"the default branch changed what it is bound to, or it is older than {again_after}. Needs `actions: write`, and a clone of " +
				"the default branch. Plans nothing here. Empty starts none.",
		},
		{
			Name: "again_after", Type: Duration, Default: "6d",
			Doc: "Age at which {again_workflow} plans again in any case: below {expires}, after which a plan cannot be applied.",
		},
		{
			Name: "only", Type: String, Placeholder: "ROOT",
			Doc: "Root of the pull request to plan again alone: DIR, or DIR and a workspace. The others keep their sealed plans, as far as " +
				"those stand: of the same commit and configuration, and of states that nobody is known to have moved. Empty means the root " +
				"that a comment /plan DIR names, else all of them.",
		},
		{
			Name: "asked_by", Type: String, Placeholder: "COMMENT",
			Doc: "Number of the comment /plan that asks for the plan, where a comment started the run that started this one. Its author is " +
				"answered by a comment. A comment that was changed since it was written is refused. Empty means the comment that started " +
				"this run, if one did.",
		},
		{
			Name: "json_out", Type: String, Placeholder: "DIR",
			Doc: "Directory for the plans in terraform's JSON form, ROOT/plan.json each, for tools that read plans. They hold every value " +
				"in the clear, sensitive ones too: keep them in the job. Empty writes none.",
		},
		inputInfraRepo, inputPullRequest, inputTerraform, inputTerraformVersion, inputTerraformMirror, inputTerraformEnv,
		inputBackendConfig, inputCheckout, inputLock, inputLockTimeout, inputPluginCache,
		{
			Name: "format", Type: Choice, Values: []string{"markdown", "json"}, Default: "markdown", LocalOnly: true,
			Doc: "Form of the summary on standard output.",
		},
		inputToken, inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	}, cloudInputs...),
	Outputs: []Output{
		{"fingerprint", "Fingerprint of the plans, 64 hexadecimal digits; empty when there was nothing to plan."},
		{"changes", "`true` when anything would change."},
		{"plan", "Where the sealed plan is: a path, or oci://REPOSITORY@sha256:…; empty without `seal_to`."},
		{"matrix", "With `spread` and `list`: the jobs that plan, as the matrix of a job; empty where all was planned here."},
		{"answered", "`true` when nothing was planned because a comment /plan names no root that the pull request touches: a reply says so."},
		{"workspaces", "With `matrix`: the workspaces that the backends list, for the jobs that plan; empty without patterns of them."},
		{"summary", "The summary as JSON."},
		{"findings", "What the policy found, as JSON; empty where it found nothing."},
	},
	Permissions: []Permission{
		{"contents", "read", "reads the repository"}, permissionPullsComment,
		{"packages", "write", "only where `store` is on ghcr.io: pushes the sealed plan"},
		{"actions", "write", "only with `again_workflow`"},
		{"id-token", "write", "only for a cloud role"},
	},
	Binaries: []string{Waybill},
}

var gate = Command{
	Name:  "gate",
	Short: "Decide whether the plan of a pull request is approved",
	Long: "Reads the plan comment of the pull request, its reviews and comments, and decides by the rules of the default branch " +
		"whether the plan of the current head is approved: by enough of the people and teams that a rule names, for exactly this " +
		"fingerprint, never by the author nor by whoever pushed the head. " +
		"What the comment says of the plan is a claim: `apply` decides again by the sealed plan itself. Exits 4 while approvals are " +
		"missing, and says whose.",
	Example: "waybill gate --repo acme/infra --pull-request 12",
	Inputs: append([]Input{
		{
			Name: "fingerprint", Type: String, Placeholder: "HEX",
			Doc: "Fingerprint that must be the plan's, 12 digits or more. Empty means the one of the plan comment.",
		},
		{
			Name: "checkout", Type: String, Placeholder: "DIR",
			Doc: "Clone of what would be merged: the pull request's merge, or a merge queue's group. Where a root's configuration " +
				"is not the one that was planned, the plan is refused. Empty compares nothing.",
		},
		{
			Name: "status", Type: Bool, Default: "false",
			Doc: "Whether to report as a commit status on the pull request's head, or on the merge queue's group: pending with who " +
				"is still needed, success, failure. While approvals are missing the exit code is then 0.",
		},
		{Name: "status_context", Type: String, Default: "waybill/gate", Placeholder: "NAME", Doc: "Name of the commit status."},
		{
			Name: "plan_result", Type: String, Placeholder: "RESULT",
			Doc: "How the job ended that planned, such as success or failure. Anything but success is reported as a plan that " +
				"failed. Empty says nothing of it.",
		},
		{
			Name: "merge_group", Type: String, Placeholder: "SHA",
			Doc: "Head commit of a merge queue's group: the status goes there. Needs {pull_request}.",
		},
		{
			Name: "merge_base", Type: String, Placeholder: "SHA",
			Doc: "Commit that the merge queue's group is built on. Needs {merge_group}. Empty means what the event says, else the " +
				"default branch. One that is not on the default branch must be the group before it, by the queue itself.",
		},
		{
			Name: "start_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file to start on the default branch, in place of deciding here, with {pull_request}, {merge_group}, " +
				"{merge_base} and {plan_result} as its inputs: for events that run the file of what they would merge. Needs " +
				"`actions: write`. Empty decides here.",
		},
		{
			Name: "nothing_planned", Type: Bool, Default: "false",
			Doc: "Says that `plan` ran on this head and found no root to plan, so that there is nothing to approve.",
		},
		{
			Name: "comment", Type: Bool, Default: "false",
			Doc: "Whether to keep a comment on the pull request with the decision and its record.",
		},
		{
			Name: "answer_help", Type: Bool, Default: "false",
			Doc: "Answers the comment /help that started the job, if its author may write to the repository: which comments there are, and " +
				"the roots of the plan. Decides nothing.",
		},
		{
			Name: "run_hooks", Type: Bool, Default: "false",
			Doc: "Runs the hooks of the default branch on the sealed plan, gives out what they said for {hooks} of another job, and decides " +
				"nothing. {checkout} is then a clone of the default branch, in which they run.",
		},
		{
			Name: "hooks", Type: String, Placeholder: "JSON",
			Doc: "What the hooks said, as the job with {run_hooks} gave it. Needed where waybill.yaml of the default branch names hooks.",
		},
		inputInfraRepo, inputPullRequest, inputBackendConfig, inputFormat, inputToken, inputTeamToken, inputRegistryUsername,
		inputRegistryPassword, inputRegistryIdentity,
		{
			Name: "app_id", Type: String, Placeholder: "ID", Group: GitHub,
			Doc: "Client ID of a GitHub App that reports the status and keeps the gate's comment, instead of {token}: anybody who " +
				"may push can do both with a job's token. Then a plan that says it changes nothing is not believed: every root that " +
				"the pull request touches asks for its approvals. Empty uses {token}.",
		},
		inputAppKey,
		{
			Name: "seal_key", Type: String, Secret: true,
			Doc: "age identity that opens sealed plans. With it, gate decides by the sealed plan, and its comment says what that " +
				"plan does: the plan comment is then read for nothing but where it is. Empty believes the plan comment.",
		},
		inputSealKeyFile,
	}, recordInputs...),
	Outputs: []Output{
		{"decision", "`approved` or `pending`; empty when the plan is refused or something broke."},
		{"approvers", "Users whose approval counts, one per line."},
		{"hooks", "With `run_hooks`: what each hook said of each root, as JSON."},
		{"record", "The decision as JSON: who, when, by which review, for which fingerprint, and what does not count and why."},
		outputSignedRecord,
	},
	Permissions: []Permission{{
		"contents", "read", "reads the rules of the default branch, and who pushed",
	}, {"pull-requests", "read", "reads reviews and comments; write, only with `comment` and `answer_help`"},
		{
			"statuses", "write", "only with `status`: reports on the head; read, with `answer_help`",
		}, {"actions", "write", "only with `start_workflow`"}, {
			"packages", "write", "only with `sign_record`, where the sealed plan is on ghcr.io",
		}, {"id-token", "write", "only with `sign_record: keyless`"}},
	Binaries: []string{Waybill},
}

var applyCommand = Command{
	Name:  "apply",
	Short: "Apply exactly the plan that was approved, or nothing",
	Long: "Started by a push to the default branch, it applies the plans of the pull requests that the push merged; by a comment " +
		"`/apply` of somebody who may write, that of the pull request. " +
		"Opens the sealed plan, computes again everything it was bound to (state, lock file, configuration, terraform version, " +
		"workspace, directory, head commit), reads the approvals anew and applies the stored binary plan. " +
		"Any difference refuses all of it and says which field moved. When terraform fails in the middle, it says what was done and " +
		"what was not.",
	Example: "waybill apply --repo acme/infra --pull-request 12 --seal-key-file key.txt",
	Inputs: append([]Input{
		{
			Name: "plan", Type: String, Placeholder: "PLAN",
			Doc: "Sealed plan, as `plan` gave it: a path, or oci://REPOSITORY@sha256:…. Empty means the one of the plan comment.",
		},
		{
			Name: "fingerprint", Type: String, Placeholder: "HEX",
			Doc: "Fingerprint of the plan, 12 digits or more. Empty means the one of the plan comment.",
		},
		{Name: "dir", Type: List, Placeholder: "DIR", Doc: "Roots that the plan must be of, all of them. Empty takes those that it is of."},
		{
			Name: "comment", Type: Bool, Default: "true",
			Doc: "Whether to report on the pull request, and on open ones whose plans no longer fit because a state moved.",
		},
		{
			Name: "environment", Type: String, Placeholder: "NAME",
			Doc: "GitHub environment of this job: only the roots that `terraform.environments` of the default branch puts there are " +
				"applied. Empty applies all of them.",
		},
		{
			Name: "list", Type: Bool, Default: "false",
			Doc: "Lists the environments that the plan's roots are applied in, as a matrix of jobs, and applies nothing.",
		},
		{
			Name: "role", Type: String, Placeholder: "ROLE",
			Doc: "Cloud role in the place of the one that {aws_role}, {gcp_service_account} or {azure_client_id} names: a role of AWS, a " +
				"service account of Google, or a client of Azure, as the matrix of {list} gives it. Empty takes those.",
		},
		{
			Name: "merge_head", Type: String, Placeholder: "SHA",
			Doc: "Merges the pull request by `terraform.merge` of the default branch, and applies nothing: if this is still its head, " +
				"all of its plan was applied, and the rules of the branch let it. Needs `contents: write`. Empty merges nothing.",
		},
		{
			Name: "gate_workflow", Type: String, Placeholder: "FILE",
			Doc: "Workflow file of the gate, started on the default branch for each open pull request whose plan no longer fits. Needs " +
				"`actions: write`. Empty starts none.",
		},
		inputSealKey, inputSealKeyFile,
		inputInfraRepo, inputPullRequest, inputTerraform, inputTerraformVersion, inputTerraformMirror, inputTerraformEnv,
		inputBackendConfig, inputCheckout, inputLockTimeout, inputPluginCache, inputDryRun, inputFormat,
		inputToken, inputTeamToken, inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	}, slices.Concat(cloudInputs, recordInputs)...),
	Outputs: []Output{
		{"applied", "`true` when all of the plan is applied."},
		{"merge_head", "With `list`: the head that is to be merged when all is applied; empty where nothing is."},
		{"matrix", "With `list`: the environments and their roles, as the matrix of a job, in the order in which roots are applied."},
		{
			"record",
			"What became of each root, and who approved it, as JSON. After a push that merged several pull requests, that of the last.",
		},
		outputSignedRecord,
	},
	Permissions: []Permission{{
		"contents", "read", "reads the repository, its rules, and who pushed; write, only with `merge_head`",
	}, {"pull-requests", "write", "reads reviews and comments, and reports"},
		{
			"packages", "read",
			"only where the sealed plan is on ghcr.io; write, to keep a signed record or a state that could not be saved beside it",
		},
		{
			"actions", "write", "only with `gate_workflow`",
		}, {
			"checks", "read", "only with `apply: before-merge`: sees that the head is green",
		}, {"statuses", "read", "likewise"}, {"id-token", "write", "only for a cloud role, and for `sign_record: keyless`"}},
	Binaries: []string{Waybill},
}

package starter

import (
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// NextSteps say what only people can do.
func NextSteps(kind string, n Names) []string {
	n = n.Default()
	var steps []string
	if n.outsideOfGit {
		steps = append(steps, "Run git init: the directory is in no git repository, and every other command reads commits.")
	}
	if left := n.Left(); kind != App && n.Platform != None && len(left) > 0 {
		steps = append(steps, "Replace "+strings.Join(left, " and ")+", or run this again with "+n.flagsLeft()+" and --force.")
	}
	switch kind {
	case App:
		if n.Template == None {
			steps = append(steps, strings.Join(append(n.found.Says, "Look over the inputs in the workflow that was written; "+
				n.ConfigRepo+"'s "+n.renamed("deliver.yml")+" has all that there are."), " "))
		}
		steps = append(steps,
			"Name the application in waybill.yaml of "+n.ConfigRepo+" if it is not there: "+strings.Join(n.applications(), "; ")+".",
			"Give it the App that asks (deployments: write on "+n.ConfigRepo+" and nothing else): "+
				"the variable WAYBILL_ASK_APP_ID and the secret WAYBILL_ASK_APP_KEY; or a token of the same right: the secret "+
				"WAYBILL_CONFIG_TOKEN.",
			"Commit, and push to main: what is there is delivered.")
		if step := n.registryStep(kind); step != "" {
			steps = slices.Insert(steps, len(steps)-1, step)
		}
		if n.ownRegistry(n.Image) {
			steps = append(steps, "Where the package is private, let "+n.ConfigRepo+" read it "+
				"(the package's settings, Manage Actions access) once the first push has made it, and run the failed job again.")
		}
		return steps
	case Infra:
		if n.onAWS() {
			steps = append(steps, "Follow README.md from the top: GitHub's numeric ids, the bucket of the states, the lock files.")
		}
		return append(steps,
			"Look over who approves what in waybill.yaml: the teams of "+n.Owner+" that stand there must exist.",
			"Commit, and push to main. That one run of apply is red: what came by no pull request was approved by nobody.",
			"waybill setup makes the environments, the App, the key that seals plans, and the rule that requires waybill/gate: "+
				"https://github.com/waybill-dev/waybill/blob/main/docs/getting-started.md#2-the-organisation says how. "+
				"The secret WAYBILL_TEAM_TOKEN is yours to make: it may read the members of teams, and nothing else.",
			"Open a pull request that changes a root: its plan appears as a comment.")
	}
	for _, step := range []string{n.registryStep(kind), n.sigstoreStep(), n.mirrorStep()} {
		if step != "" {
			steps = append(steps, step)
		}
	}
	setup, kept := "waybill setup", ""
	if n.Path != "" {
		setup += " --path " + n.Path
		kept = " Where a file of owners was there before, add /" + n.Path + "/ to it."
		steps = append(steps, "No platform for clusters was written: that needs a config repository of its own.")
	}
	return append(steps,
		"Look over waybill.yaml, and name teams of "+n.Owner+" that exist in it and in .github/CODEOWNERS."+kept,
		"Commit, and push to main of "+n.ConfigRepo+".",
		setup+" makes the App, environments, secrets and the rules of main: "+
			"https://github.com/waybill-dev/waybill/blob/main/docs/getting-started.md#2-the-organisation says how.",
		"In a clone of an application: waybill init app --config-repo "+n.ConfigRepo)
}

// sigstoreStep says what signing needs on another GitHub than github.com.
// https://github.com/sigstore/fulcio/blob/main/config/identity/config.yaml
func (n Names) sigstoreStep() string {
	if n.Issuer == evidence.ActionsIssuer || n.Trust.SigningConfig != "" {
		return ""
	}
	return "Name a Sigstore that takes the tokens of " + n.Issuer + ": the public one takes github.com's alone. " +
		"waybill init config --signing-config and --trusted-root write it into deliver.yml."
}

// mirrorStep says what the digests of the platform's images need.
func (n Names) mirrorStep() string {
	if n.Mirror == "" || n.clusterless() {
		return ""
	}
	return "Run bash platform/images.sh: until the digests stand there, no pod of the platform starts."
}

// applications are those of an application's repository, as waybill.yaml names
// them.
func (n Names) applications() (list []string) {
	if n.Template != None || len(n.found.Images) == 0 {
		return []string{n.App + ", image " + n.Image + ", source " + n.Source}
	}
	for _, i := range n.found.Images {
		list = append(list, n.appOf(i)+", image "+n.repositoryOf(i)+", source "+n.Source)
	}
	return list
}

// flagsLeft are the flags for what Left names.
func (n Names) flagsLeft() string {
	if n.onAWS() {
		return "--cloud-account, --domain"
	}
	return "--domain"
}

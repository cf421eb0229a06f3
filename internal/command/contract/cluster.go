package contract

var policyCommand = Command{
	Name:  "policy",
	Short: "Write what waybill.yaml asks for as an admission policy of the cluster",
	Long: "Writes a policy for one of three engines, from the repositories, signers, keys and required records of waybill.yaml, so that " +
		"a change which went around the config repository does not start. " +
		"`validating-admission` is Kubernetes' own: digests and repositories. `kyverno` also verifies signatures and attestations. " +
		"`sigstore` does so for policy-controller. The head of each file names what the engine cannot ask. Nothing is sent to a cluster: " +
		"commit the file, and write it again when waybill.yaml changes.",
	Example: "waybill policy kyverno --env prod > platform/signatures/waybill.yaml",
	Inputs: []Input{
		{
			Name: "engine", Type: Choice, Values: []string{"kyverno", "sigstore", "validating-admission"}, Required: true, Positional: true,
			Placeholder: "kyverno|sigstore|validating-admission", Doc: "What enforces the policy.",
		},
		{Name: "file", Type: String, Default: "waybill.yaml", Placeholder: "FILE", Doc: "The waybill.yaml to read."},
		{
			Name: "env", Type: String, Placeholder: "ENV",
			Doc: "Environment whose policy and applications count. Empty takes what is common to all, and every application.",
		},
		{Name: "name", Type: String, Default: "waybill", Placeholder: "NAME",
			Doc: "Name of the policy. `sigstore` writes one for each record, NAME-RECORD."},
		{
			Name: "except_namespace", Type: List, Commas: true, Default: "kube-system\nkube-node-lease\nkube-public",
			Placeholder: "NAMESPACE",
			Doc: "Namespaces in which the policy does not hold, such as those of platform components. For `sigstore`, labels of " +
				"namespaces say this.",
		},
		{
			Name: "pull_secret", Type: String, Placeholder: "SECRET",
			Doc: "Secret with the login for a private registry: for `kyverno` in its own namespace, for `sigstore` in the namespace of " +
				"the pod. Empty needs no login.",
		},
		{
			Name: "trust_root", Type: String, Placeholder: "NAME",
			Doc: "For `sigstore`: the TrustRoot in the cluster that holds the certificates of a Sigstore of your own. Empty is the " +
				"public one.",
		},
	},
	Binaries:    []string{Waybill},
	CommandOnly: true,
}

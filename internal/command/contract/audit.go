package contract

var auditCommand = Command{
	Name:  "audit",
	Short: "Put what an auditor asks about an environment into one signed archive, or verify one",
	Long: "Writes, for an environment and a period, each deployment with its digest, source commit, signer and scan, the verdict of the " +
		"rules at that time, who reviewed and merged it, rollbacks, holds, changes of the rules, and what went round a rule. The archive " +
		"holds audit.json, one page that fetches nothing, and the signed records themselves. What is not known is listed as a gap. " +
		"`waybill audit verify ARCHIVE` verifies the signature and every record in the archive, and that audit.json says what they " +
		"say. It needs no network where {trusted_root} or {key} is given.",
	Example: "waybill audit --env prod --since 2026-01-01 --until 2026-03-31 --output audit.tar --repo acme/config",
	Inputs: []Input{
		{
			Name: "action", Type: Choice, Values: []string{"make", "verify"}, Positional: true, Default: "make", LocalOnly: true,
			Placeholder: "[ACTION]", Doc: "`make` writes an audit, `verify` verifies one.",
		},
		{
			Name: "archive", Type: String, Positional: true, LocalOnly: true, Placeholder: "[ARCHIVE]",
			Doc: "File or directory to verify, with the action `verify`.",
		},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment to audit. Required, except to verify."},
		{Name: "since", Type: String, Placeholder: "DAY", Doc: "First day (2026-01-01, UTC) or instant (RFC 3339). Required, except to verify."},
		{Name: "until", Type: String, Placeholder: "DAY", Doc: "Last day, which counts whole, or an instant. Empty means now."},
		{
			Name: "output", Type: String, Placeholder: "PATH",
			Doc: "Archive to write: a file that ends in .tar, or a new directory. Required, except to verify.",
		},
		{
			Name: "terraform_record", Type: List, Placeholder: "FILE",
			Doc: "Signed records of the terraform gate to include: bundles that `gate` or `apply` kept (PLAN.gate.sigstore.json), or sealed " +
				"plans by digest, REPOSITORY@sha256:…, beside which they lie.",
		},
		{
			Name: "key", Type: String, Placeholder: "KEY",
			Doc: docKey + " Empty signs keyless. To verify, the file with the public key of whoever must have signed.",
		},
		{
			Name: "signer", Type: String, LocalOnly: true, Placeholder: "IDENTITY",
			Doc: "To verify: who must have signed the audit keyless, such as " +
				"https://github.com/acme/config/.github/workflows/audit.yml@refs/heads/main. It or {key} is needed, except with {any_signer}.",
		},
		{
			Name: "any_signer", Type: Bool, Default: "false", LocalOnly: true,
			Doc: "To verify: whether anybody whom the trusted root certifies may have signed. The public Sigstore certifies everybody, so " +
				"this proves that nothing was changed since, and not who wrote it.",
		},
		{
			Name: "status_context", Type: String, Default: "waybill/check", Placeholder: "NAME",
			Doc: "Name of the commit status by which `check` reports.",
		},
		inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputSigningConfig, inputAllowPublicLog, inputTrustedRoot, inputToken,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{{"archive", "Path of the archive."}, {"gaps", "JSON array: what is not known."}},
	Permissions: []Permission{
		permissionContentsRead, {"pull-requests", "read", "reads who reviewed and merged"},
		{"statuses", "read", "reads what the check said"}, permissionPackagesRead,
		{"id-token", "write", "asks GitHub for the identity that Fulcio certifies"},
	},
	Binaries: []string{Waybill},
}

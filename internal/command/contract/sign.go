package contract

var inputTrustedRoot = Input{Name: "trusted_root", Type: String, Group: Sigstore, Placeholder: "FILE",
	Doc: "Sigstore trusted root to verify against: a JSON file, or the JSON itself. Empty means the public Sigstore instance's, " +
		"fetched by TUF. Several may stand in one file, as `gh attestation trusted-root` writes them: a signature has to verify by " +
		"one of " +
		"them alone."}

var inputSigningConfig = Input{Name: "signing_config", Type: String, Group: Sigstore, Placeholder: "FILE",
	Doc: "Sigstore signing config, a JSON file or the JSON itself: which Fulcio, log and timestamp authority to use. Empty means " +
		"the public Sigstore instance's."}

var inputAllowPublicLog = Input{
	Name: "allow_public_log", Type: Bool, Group: Sigstore, Default: "false",
	Doc: "Whether the name of a private repository may become public. A keyless signature carries it in its certificate, which a " +
		"public Fulcio and a public transparency log publish for ever. Without this, Waybill refuses to sign for a private or " +
		"internal repository with such services.",
}

// inputSubject is the image of a command that takes files too.
var inputSubject = Input{Name: inputImage.Name, Type: String, Positional: true, Placeholder: "[IMAGE]",
	Doc: inputImage.Doc + " Required unless {file} is given."}

var sign = Command{
	Name:  "sign",
	Short: "Sign an image and attest its SBOM, scan and provenance",
	Long: "Signs the digest and attaches its evidence to it in the registry: signature, SBOM, scan and SLSA v1 provenance, each an " +
		"in-toto statement whose subjects are the index and every platform manifest. " +
		"Verifies what it wrote right after, by reading it back the way a cluster would. Keyless by default: the job's OIDC " +
		"identity, Fulcio, and a timestamp or transparency log as the signing config says. " +
		"With {file}, signs files instead, such as the archives of a release.",
	Example: "waybill sign ghcr.io/acme/backend@sha256:… --documents ghcr.io/acme/backend@sha256:… --build-record " +
		"ghcr.io/acme/backend@sha256:…",
	Inputs: []Input{
		inputSubject,
		{Name: "file", Type: List, Placeholder: "FILE",
			Doc: "Files to sign in place of an image: one SLSA v1 provenance about all of them, " +
				"which `waybill verify`, `cosign verify-blob-attestation` and `gh attestation verify` read. Inputs about images are " +
				"not for this."},
		{Name: "bundle", Type: String, Placeholder: "FILE",
			Doc: "With {file}: file to write the Sigstore bundle to. Empty writes it beside " +
				"each file, as FILE.sigstore.json."},
		inputCopies,
		{Name: "sbom", Type: List, Placeholder: "FILE", Doc: "CycloneDX or SPDX JSON documents to attest."},
		{Name: "scan_report", Type: String, Placeholder: "FILE", Doc: "Report of {scan.report} to attest."},
		{
			Name: "documents", Type: String, Placeholder: "IMAGE",
			Doc: "Artifact that {scan.documents} pushed, by digest; in place of {sbom} and {scan_report}.",
		},
		{Name: "provenance", Type: String, Placeholder: "FILE", Doc: "Build record of {build.metadata} to attest as SLSA v1 provenance."},
		{
			Name: "build_record", Type: String, Placeholder: "IMAGE",
			Doc: "Artifact that `build` pushed as its record, by digest; in place of {provenance}.",
		},
		{
			Name: "key", Type: String, Placeholder: "KEY",
			Doc: docKey + " Empty signs keyless.",
		},
		{Name: "store_as", Type: Choice, Values: []string{"bundle", "legacy", "both"}, Default: "bundle",
			Doc: "How evidence is stored: Sigstore bundles as OCI referrers, cosign's legacy tags, or both."},
		{Name: "format", Type: Choice, Values: []string{"text", "json", "bundle", "legacy", "both"}, Default: "text",
			Doc: "Form of the result on standard output, `text` or `json`. The other values are deprecated: they mean {store_as}."},
		{
			Name: "github_attestations", Type: Bool, Default: "false",
			Doc: "Whether to keep the bundles in GitHub's attestations of the repository that the job runs for, too, where " +
				"`gh attestation verify` finds them. Needs `attestations: write`, and a public repository or GitHub Enterprise Cloud.",
		},
		inputSigningConfig,
		inputAllowPublicLog,
		inputTrustedRoot,
		inputToken, inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"image", "The image that is signed, REPOSITORY@sha256:…; empty with `file`."},
		{"images", "JSON list of the images that are signed, by digest, one for each repository."},
		{"signer", "Who signed: the certificate's identity, or the key's fingerprint."},
		{"log_index", "Index of the signature in the transparency log; empty without one."},
	},
	Permissions: []Permission{permissionPackagesWrite, {
		"id-token", "write", "asks GitHub for the identity that Fulcio certifies",
	}, {"attestations", "write", "only with `github_attestations`: keeps the bundles in GitHub's store"}},
	Binaries: []string{Waybill},
}

var verify = Command{
	Name:  "verify",
	Short: "Judge an image by policy and print its waybill",
	Long: "Collects the evidence for a digest from the registry, verifies every signature, judges what is proven by the policy of " +
		"waybill.yaml and prints the waybill: what is known of the digest, and the reason for each rule. " +
		"Exits 3 when policy refuses, 1 when the registry or a file cannot be read: trouble is never a verdict. " +
		"With {file}, verifies who signed files, such as the archives of a release.",
	Example: "waybill verify ghcr.io/acme/backend@sha256:… --policy waybill.yaml --env prod",
	Inputs: []Input{
		inputSubject,
		{Name: "file", Type: List, Placeholder: "FILE", Doc: "Files to verify in place of an image, as {sign.file} signed them. " +
			"{signer} or {key} says who must have signed them; the policy is not read."},
		{Name: "bundle", Type: String, Placeholder: "FILE", Doc: "With {file}: the Sigstore bundle. " +
			"Empty reads FILE.sigstore.json beside each file."},
		{Name: "signer", Type: String, Placeholder: "IDENTITY",
			Doc: "With {file}: who must have signed, as the certificate names it, such as " +
				"https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1.0.0. `*` stands for any run of characters but /."},
		{Name: "source", Type: String, Placeholder: "OWNER/NAME",
			Doc: "With {file}: repository that the signing workflow ran for. Empty is the " +
				"repository of {signer}: name another where a reusable workflow signs."},
		{Name: "issuer", Type: String, Placeholder: "URL", Default: "https://token.actions.githubusercontent.com",
			Doc: "With {file}: OIDC issuer of {signer}."},
		{Name: "policy", Type: String, Default: "waybill.yaml", Placeholder: "FILE", Doc: "waybill.yaml whose policy judges."},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "Application whose rules apply. Empty finds it by the image's repository."},
		{Name: "env", Type: String, Placeholder: "ENV", Doc: "Environment whose rules apply. Empty applies the rules common to all."},
		{Name: "key", Type: List, Placeholder: "FILE", LocalOnly: true, Doc: "Public keys to accept beside the signers of the policy; " +
			"with {file}, in place of {signer}."},
		inputTrustedRoot,
		{
			Name: "format", Type: Choice, Values: []string{"text", "json", "markdown", "html"}, Default: "text",
			Doc: "Form of the waybill on standard output. html is one page that fetches nothing.",
		},
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"allowed", "`true` or `false`."},
		{"waybill", "The waybill as JSON."},
	},
	Permissions: []Permission{permissionPackagesRead},
	Binaries:    []string{Waybill},
}

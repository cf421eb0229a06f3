package contract

var scan = Command{
	Name:  "scan",
	Short: "Scan every platform of an image, write SBOM and reports, give a verdict",
	Long: "Scans every platform of the index, not only the runner's own, with Trivy compiled into a binary of its own that holds " +
		"nothing but read access to the registry. " +
		"Writes the findings and the bill of materials, compares them with a baseline image, and exits 3 when a finding is at or " +
		"above the threshold.",
	Example: "waybill scan ghcr.io/acme/backend@sha256:… --severity high --ignore-unfixed",
	Inputs: []Input{
		{
			Name: "image", Type: String, Positional: true, Placeholder: "IMAGE",
			Doc: "Image by digest, REPOSITORY@sha256:…, as `build` prints it. A tag is refused: it may name another image by the " +
				"time it is used. Required unless {oci_layout} or {running} is given.",
		},
		{
			Name: "running", Type: Bool, Default: "false",
			Doc: "Whether to scan what runs, in place of an image: every digest that the config repository names, once, judged by the " +
				"policy of its environments. One issue for each application is kept: opened, edited and closed. {severity}, {waivers} " +
				"and the files of a report are not for this.",
		},
		{
			Name: "from_sbom", Type: Bool, Default: "false",
			Doc: "With {running}: whether to match the packages of the SBOM that the policy's signers attested, and to read no layer. " +
				"Secrets are then those of the attested scan. An image without such an SBOM and scan is read as a whole.",
		},
		{Name: "app", Type: String, Placeholder: "APP", Doc: "With {running}: the application to look at. Empty looks at all."},
		{
			Name: "issues", Type: Bool, Default: "true",
			Doc: "With {running}: whether to keep issues. In a local clone of the config repository there are none.",
		},
		{
			Name: "label", Type: String, Default: "waybill-running", Placeholder: "NAME",
			Doc: "With {running}: label of the issues. One that loses it is left alone from then on.",
		},
		{
			Name: "oci_layout", Type: String, Placeholder: "DIR",
			Doc: "OCI layout to scan in place of an image, as {build.oci_layout} writes it. Nothing is pushed and no login is needed.",
		},
		{
			Name: "severity", Type: Choice, Values: []string{"critical", "high", "medium", "low", "none"}, Default: "high",
			Doc: "Lowest severity that refuses the image. `none` only reports.",
		},
		{
			Name: "ignore_unfixed", Type: Bool, Default: "false",
			Doc: "Whether findings without a fixed version are reported but do not refuse the image.",
		},
		{
			Name: "secrets", Type: Choice, Values: []string{"refuse", "note", "off"}, Default: "note",
			Doc: "What a secret in the image does, such as a cloud key: refuses it, or is named by rule and file. `off` does not look. " +
				"The value of a secret is in no output.",
		},
		{
			Name: "waivers", Type: String, Placeholder: "FILE",
			Doc: "YAML file of waived findings, each with id, reason and expiry. An expired waiver no longer waives. Empty waives nothing.",
		},
		{
			Name: "vex", Type: List, Placeholder: "FILE",
			Doc: "OpenVEX or CycloneDX VEX documents whose not_affected and fixed statements drop findings.",
		},
		{
			Name: "baseline", Type: String, Placeholder: "IMAGE",
			Doc: "Image by digest to compare with, usually what runs now. Empty compares with nothing.",
		},
		{
			Name: "only_new", Type: Bool, Default: "false",
			Doc: "Whether only findings that {baseline} does not have refuse the image. {baseline} may then be a tag. If it cannot be " +
				"read, every finding counts. For pull requests: a tag can be moved, so this is no evidence.",
		},
		{
			Name: "db_repository", Type: List, Commas: true, Default: "ghcr.io/aquasecurity/trivy-db:2", Placeholder: "REPO",
			Doc: "OCI repository of the vulnerability database; without a tag or a digest, with the tag 2. Several are asked in " +
				"order; where none can be read, what they named last is used for as long as {db_max_age} allows. The policy can pin " +
				"them (`policy.scan.databases`).",
		},
		{
			Name: "db_max_age", Type: Duration, Default: "72h",
			Doc: "Oldest database that is accepted, by its own build time. An older one is an error, not a verdict.",
		},
		{
			Name: "java_db_repository", Type: String, Default: "ghcr.io/aquasecurity/trivy-java-db:1", Placeholder: "REPO",
			Doc: "OCI repository of the database that tells which library a JAR file is, with a tag or a digest. Fetched only when " +
				"an image has one.",
		},
		{
			Name: "sarif", Type: String, Placeholder: "FILE",
			Doc: "File to write a SARIF 2.1.0 report to, for code scanning. Empty writes none.",
		},
		{
			Name: "sbom_cyclonedx", Type: String, Placeholder: "FILE",
			Doc: "File to write a CycloneDX bill of materials to. Empty writes none.",
		},
		{Name: "sbom_spdx", Type: String, Placeholder: "FILE", Doc: "File to write an SPDX bill of materials to. Empty writes none."},
		{Name: "report", Type: String, Placeholder: "FILE", Doc: "File to write the JSON report to. Empty writes none."},
		{
			Name: "documents", Type: Bool, Default: "false",
			Doc: "Whether to push report and SBOMs as one untagged OCI artifact beside the image, for `sign` in another job. Needs " +
				"write access to the registry.",
		},
		{
			Name: "upload_sarif", Type: Bool, Default: "false",
			Doc: "Whether to hand the findings to GitHub code scanning, for the commit of the run, and wait until it took them. Needs " +
				"`security-events: write`, and code scanning enabled for the repository.",
		},
		{
			Name: "alerts_at", Type: String, Placeholder: "FILE",
			Doc: "File of the repository that alerts of code scanning point at, such as the Dockerfile. Empty points at the path in the " +
				"image, which no file of the repository has.",
		},
		{
			Name: "offline", Type: Bool, Default: "false",
			Doc: "Whether to use the cached database without asking the registry for a newer one.",
		},
		inputTrustedRoot, inputFormat, inputRepo, inputDir, inputPath, inputBranch, inputToken,
		inputRegistryUsername, inputRegistryPassword, inputRegistryIdentity,
	},
	Outputs: []Output{
		{"verdict", "`pass` or `refused`."},
		{"critical", "Number of distinct critical findings over all platforms."},
		{"high", "Number of distinct high findings over all platforms."},
		{"medium", "Number of distinct medium findings over all platforms."},
		{"low", "Number of distinct low findings over all platforms."},
		{"new", "Number of findings the baseline does not have; empty without a baseline."},
		{"fixed", "Number of the baseline's findings that are gone; empty without a baseline."},
		{"documents", "Report and SBOMs as an untagged OCI artifact, REPOSITORY@sha256:…, when asked for."},
		{"sarif", "Path of the SARIF report, when asked for."},
		{"report", "Path of the JSON report, when asked for."},
		{"running", "With `running`: what was found, by application, as JSON."},
	},
	Permissions: []Permission{permissionPackagesRead, {
		"security-events", "write", "only with `upload_sarif`: hands the findings to code scanning",
	}, {"contents", "read", "only with `running`: reads the config repository"}, {
		"issues", "write", "only with `running`: keeps its issues",
	}},
	Binaries: []string{Waybill, WaybillScan},
}

package contract

// docKey says what names a private key.
const docKey = "Private key: a file (cosign's encrypted form or PKCS#8, COSIGN_PASSWORD is its password), or a reference to a key " +
	"management service, such as awskms:///alias/release."

// recordInputs say how the record of a decision is signed.
var recordInputs = []Input{
	{Name: "sign_record", Type: Choice, Group: Record, Values: []string{"none", "keyless", "key"}, Default: "none",
		Doc: "Whether to sign the record, as an in-toto statement about the fingerprint in a Sigstore bundle, kept beside the " +
			"sealed plan: `keyless` with the job's OIDC identity, `key` with {key}. The public Sigstore instance publishes what it " +
			"signs: names of people and directories too."},
	{
		Name: "key", Type: String, Group: Record, Placeholder: "KEY",
		Doc: "For {sign_record: key}. " + docKey,
	},
	inputSigningConfig,
	inputAllowPublicLog,
	inputTrustedRoot,
}

var outputSignedRecord = Output{
	"signed_record",
	"Where the signed record is: a path, or the reference oci://REPOSITORY@sha256:… that it is a referrer of; empty when it was not " +
		"signed.",
}

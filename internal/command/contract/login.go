package contract

// cloudInputs name the identity that terraform has in a cloud.
var cloudInputs = grouped(Cloud,
	Input{
		Name: "aws_role", Type: String, Placeholder: "ARN",
		Doc: "AWS role to take with the job's OIDC identity, arn:aws:iam::…:role/NAME. Empty is none. The role must trust GitHub's " +
			"issuer for this repository, with the audience sts.amazonaws.com.",
	},
	Input{Name: "aws_region", Type: String, Placeholder: "REGION", Doc: "AWS region. Required with {aws_role}."},
	Input{Name: "aws_session_name", Type: String, Placeholder: "NAME", Doc: "Name of the session in CloudTrail. Empty means waybill-RUN."},
	Input{
		Name: "gcp_provider", Type: String, Placeholder: "NAME",
		Doc: "Google workload identity provider, projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/NAME. Empty " +
			"is none.",
	},
	Input{
		Name: "gcp_service_account", Type: String, Placeholder: "EMAIL",
		Doc: "Google service account to act as. Empty acts as the federated identity itself.",
	},
	Input{Name: "gcp_project", Type: String, Placeholder: "ID", Doc: "Google project. Empty leaves it to the configuration."},
	Input{
		Name: "azure_client_id", Type: String, Placeholder: "GUID",
		Doc: "Azure application with a federated credential for this repository. Empty is none.",
	},
	Input{Name: "azure_tenant_id", Type: String, Placeholder: "GUID", Doc: "Azure tenant. Required with {azure_client_id}."},
	Input{
		Name: "azure_subscription_id", Type: String, Placeholder: "GUID",
		Doc: "Azure subscription. Empty leaves it to the configuration.",
	},
)

var login = Command{
	Name:  "login",
	Short: "Give the steps after it a role in a cloud, with no static key",
	Long: "Asks for the job's OIDC token and sets what the SDKs and command lines of AWS, Google and Azure read: variables for the " +
		"steps after it, and files with the token, readable by the job alone. " +
		"Nobody else's action takes part, and nothing is exchanged here: the SDK does that, for as long as the role allows. " +
		"GitHub's token is good for five minutes, so what uses the cloud must begin within them, and cannot renew its session later. " +
		"`plan`, `apply` and `drift` take the same inputs, and need no login: they keep the token fresh while terraform runs, and " +
		"show it to terraform alone.",
	Example: "waybill login --aws-role arn:aws:iam::123456789012:role/read --aws-region eu-central-1",
	Inputs:  append([]Input{inputFormat}, cloudInputs...),
	Outputs: []Output{
		{"expires", "When the token does, RFC 3339: until then the cloud must be asked for the first time."},
	},
	Permissions: []Permission{{"id-token", "write", "the job's identity, which the cloud trusts"}},
	Binaries:    []string{Waybill},
}

package sigstored

// fulcioConfig accepts the issuers as GitHub Actions. The templates are those
// of the public instance, config/identity/config.yaml in Fulcio's repository:
// they say which claim becomes which extension of the certificate.
func fulcioConfig(issuers []string) any {
	accepted := make(map[string]any)
	for _, url := range issuers {
		accepted[url] = map[string]string{
			"issuer-url": url, "client-id": "sigstore", "type": "ci-provider", "ci-provider": "github-workflow",
		}
	}
	return map[string]any{
		"oidc-issuers": accepted,
		"ci-issuer-metadata": map[string]any{
			"github-workflow": map[string]any{
				"default-template-values": map[string]string{"url": "https://github.com", "environment": ""},
				"extension-templates": map[string]string{
					"github-workflow-trigger":            "event_name",
					"github-workflow-sha":                "sha",
					"github-workflow-name":               "workflow",
					"github-workflow-repository":         "repository",
					"github-workflow-ref":                "ref",
					"build-signer-uri":                   "{{ .url }}/{{ .job_workflow_ref }}",
					"build-signer-digest":                "job_workflow_sha",
					"runner-environment":                 "runner_environment",
					"source-repository-uri":              "{{ .url }}/{{ .repository }}",
					"source-repository-digest":           "sha",
					"source-repository-ref":              "ref",
					"source-repository-identifier":       "repository_id",
					"source-repository-owner-uri":        "{{ .url }}/{{ .repository_owner }}",
					"source-repository-owner-identifier": "repository_owner_id",
					"build-config-uri":                   "{{ .url }}/{{ .workflow_ref }}",
					"build-config-digest":                "workflow_sha",
					"build-trigger":                      "event_name",
					"run-invocation-uri": "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ " +
						".run_attempt }}",
					"source-repository-visibility-at-signing": "repository_visibility",
					"deployment-environment":                  "environment",
				},
				"subject-alternative-name-template": "{{ .url }}/{{ .job_workflow_ref }}",
			},
		},
	}
}

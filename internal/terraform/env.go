package terraform

import "slices"

// passed are the variables that terraform, its backends and the providers of
// the large clouds read. Nothing else of our environment reaches them: not the
// job's token, not the files by which a step speaks to the runner, not the key
// that opens a plan.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
	"TF_CLI_CONFIG_FILE",
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL",
	"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GOOGLE_REGION", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
	"ARM_CLIENT_ID", "ARM_TENANT_ID", "ARM_SUBSCRIPTION_ID", "ARM_USE_OIDC", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_ENVIRONMENT",
}

// Environment lists the variables that reach terraform without being asked for.
func Environment() []string { return slices.Clone(passed) }

// Env picks those variables, the named ones, and TF_VAR_ of each of the
// configuration's variables out of an environment.
func Env(getenv func(string) string, named, variables []string) []string {
	names := append(Environment(), named...)
	for _, v := range variables {
		names = append(names, "TF_VAR_"+v)
	}
	var env []string
	for _, name := range names {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

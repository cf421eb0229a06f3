package terraform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

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

// steering are variables that change what terraform does without a trace in its
// arguments: more arguments, another provider in the place of
// the locked one, another workspace, a log with every value in it.
var steering = []string{
	"TF_CLI_ARGS", "TF_REATTACH_PROVIDERS", "TF_DATA_DIR", "TF_WORKSPACE", "TF_LOG", "TF_TEMP_LOG", "TF_INPUT", "TF_IN_AUTOMATION",
	"TF_PLUGIN_CACHE", "TF_REGISTRY", "TF_IGNORE", "TF_FORCE_LOCAL_BACKEND", "TERRAFORM_CONFIG",
}

// ours are variables of the job that are not terraform's to have.
var ours = []string{"ACTIONS_", "GITHUB_", "RUNNER_", "WAYBILL_", "INPUT_"}

// Refuses says why a variable is never handed to terraform. It is empty if the
// variable may be.
func Refuses(name string) string {
	for _, prefix := range steering {
		if strings.HasPrefix(name, prefix) {
			return "it changes what terraform does, and what was approved would not be what is applied"
		}
	}
	for _, prefix := range ours {
		if strings.HasPrefix(name, prefix) {
			return "it belongs to the job, and a configuration could print it"
		}
	}
	return ""
}

// cliConfigs are where terraform and OpenTofu look for their own settings. A name
// that ends in a slash is a directory of them.
func cliConfigs(getenv func(string) string) []string {
	var files []string
	if named := getenv("TF_CLI_CONFIG_FILE"); named != "" {
		files = append(files, named)
	}
	home := getenv("HOME")
	if home == "" {
		return files
	}
	for _, name := range []string{".terraformrc", ".tofurc", ".config/opentofu/tofurc", ".config/opentofu/.tofurc"} {
		files = append(files, filepath.Join(home, name))
	}
	for _, pattern := range []string{".terraform.d/*.tfrc*", ".terraform.d/*.tofurc*", ".config/opentofu/*.tfrc*"} {
		if found, err := filepath.Glob(filepath.Join(home, pattern)); err == nil {
			files = append(files, found...)
		}
	}
	return files
}

var (
	quoted = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	// comment is a line of words alone. One that could end a comment of several lines is
	// read as the rest is.
	comment    = regexp.MustCompile(`(?m)^\s*(?:#|//)(?:[^*\n]|\*[^/\n])*\*?$`)
	mirrorPath = regexp.MustCompile(`(?m)\bpath"?\s*[=:]\s*("(?:[^"\\\n]|\\.)*")`)
)

// plainText is a text in quotation marks, without its escapes.
func plainText(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return strings.Trim(text, `"`)
}

// Settings refuses settings of terraform itself by which another provider than
// the locked one would start: overrides, and anything that lies in the
// repository, whose author would choose the provider's bytes along with the lock
// file. It says why; empty where there is nothing to refuse.
func Settings(getenv func(string) string, top string) (string, error) {
	top = resolve(top)
	for _, file := range cliConfigs(getenv) {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read terraform's settings: %w", err)
		}
		text := comment.ReplaceAllString(string(data), "")
		if strings.Contains(quoted.ReplaceAllStringFunc(text, plainText), "dev_overrides") {
			return file + " holds dev_overrides: terraform would start another provider than the locked one, without checking it", nil
		}
		if real := resolve(file); strings.HasPrefix(real, top+string(filepath.Separator)) {
			return file + " lies in the repository: a change could choose what terraform starts", nil
		}
		paths := quoted.FindAllString(text, -1)
		for _, m := range mirrorPath.FindAllStringSubmatch(text, -1) {
			if path := plainText(m[1]); !filepath.IsAbs(path) && !strings.HasPrefix(path, "~") {
				paths = append(paths, strconv.Quote(top)) // of the root, in which terraform starts
			}
		}
		for _, path := range paths {
			path = plainText(path)
			mirror := resolve(path)
			if filepath.IsAbs(path) && (mirror == top || strings.HasPrefix(mirror, top+string(filepath.Separator))) {
				return file + " takes providers from the repository: a change could choose what terraform starts", nil
			}
		}
	}
	return "", nil
}

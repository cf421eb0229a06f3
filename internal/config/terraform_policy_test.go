package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
)

func TestTerraformPolicyProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"providers: {allow: [aws]}":                "is not a source: want NAMESPACE/TYPE",
		"providers: {deny: ['a/b/c/d']}":           "is not a source",
		"provisioners: {deny: ['[']}":              "is not a glob",
		"dataSources: {forbid: [x]}":               "forbid",
		"modules: {pin: branch}":                   "pin",
		"modules: {allow: ['[']}":                  "is not a glob",
		"lockFile: none":                           "lockFile",
		"resources: {deny: ['']}":                  "minLength",
		"programs: [aws]":                          "want object",
		"remoteState: {allow: s3}":                 "want array",
		"unknown: {allow: [x]}":                    "unknown",
		"providers: {allow: ['hashicorp/*', '{']}": "providers.allow.1",
	} {
		_, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  policy:\n    "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "waybill.yaml:4:") {
			t.Errorf("%s: %v, want %q with its place", text, err, want)
		}
	}
	for _, version := range []string{"1.11.4", "~> 1.11.0", ">= 1.5, < 2.0", "1.12.0-beta1"} {
		if _, err := config.Parse(
			"waybill.yaml",
			[]byte("apiVersion: waybill.dev/v1\nterraform:\n  version: \""+version+"\"\n  roots: [{dir: a, version: \""+version+"\"}]\n"),
		); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	if _, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  version: latest\n")); err == nil ||
		!strings.Contains(err.Error(), "A version such as 1.11.4") {
		t.Errorf("latest: %v", err)
	}
}

// What waybill.yaml does not say has its default; what it says of a list is all
// of it.
func TestTerraformPolicyDefaults(t *testing.T) {
	t.Parallel()
	policy := func(text string) config.TerraformPolicy {
		t.Helper()
		c, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:"+text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Terraform().Policy
	}
	for _, text := range []string{" {}", "\n  policy: {}", "\n  roots: [{dir: a}]"} {
		if diff := cmp.Diff(config.DefaultTerraformPolicy(), policy(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	p := policy("\n  policy: {provisioners: {allow: [local-exec]}, dataSources: {deny: [x]}, programs: {deny: []}}")
	for name, refused := range map[string]string{
		p.Provisioners.Refuses("local-exec"): "", p.Provisioners.Refuses("remote-exec"): config.NotAllowed,
		p.DataSources.Refuses("x"): config.Denied, p.Actions.Refuses("local_command"): config.Denied,
	} {
		if name != refused {
			t.Errorf("%q, want %q", name, refused)
		}
	}
	if p.DataSources.Refuses("http") != "" || p.Programs.Refuses("anything") != "" || p.Modules.Pin != config.PinCommit {
		t.Errorf("the policy is %+v", p)
	}
}

package terraform

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// The backend in a plan is the root's, setting by setting. What is not set does not count.
func TestOtherBackend(t *testing.T) {
	t.Parallel()
	const kept = `{"version":3,"backend":{"type":"s3","hash":1,"config":{"bucket":"states","key":"prod.tfstate","max_retries":5,` +
		`"use_lockfile":true,"assume_role":{"role_arn":"arn:a","tags":null},"endpoints":null,"skip":[]}}}`
	settings := func(change func(map[string]any)) map[string]any {
		all := map[string]any{
			"bucket": "states", "key": "prod.tfstate", "max_retries": 5, "use_lockfile": true, "region": nil,
			"assume_role": map[string]any{"role_arn": "arn:a", "duration": nil},
		}
		change(all)
		return all
	}
	plan := func(kind, workspace string, config map[string]any, more ...any) []byte {
		packed, err := msgpack.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		backend := message(append([]any{1, kind, 2, string(message(1, string(packed))), 3, workspace}, more...)...)
		return binaryPlan(t, part{"tfplan", message(13, string(backend))})
	}
	with, without := t.TempDir(), t.TempDir()
	write(t, filepath.Join(with, "terraform.tfstate"), kept)
	none := func(map[string]any) {}
	for name, c := range map[string]struct {
		plan []byte
		data string
		want string
	}{
		"the same":     {plan: plan("s3", "default", settings(none))},
		"another type": {plan: plan("gcs", "default", settings(none)), want: "type"},
		"another one":  {plan: plan("s3", "blue", settings(none)), want: "workspace"},
		"another key":  {plan: plan("s3", "default", settings(func(m map[string]any) { m["key"] = "dev.tfstate" })), want: "key"},
		"one more":     {plan: plan("s3", "default", settings(func(m map[string]any) { m["endpoint"] = "https://x" })), want: "endpoint"},
		"one less":     {plan: plan("s3", "default", settings(func(m map[string]any) { delete(m, "bucket") })), want: "bucket"},
		"inside": {
			plan: plan("s3", "default", settings(func(m map[string]any) { m["assume_role"] = map[string]any{"role_arn": "b"} })),
			want: "assume_role",
		},
		"local":           {plan: plan("local", "default", map[string]any{"path": nil, "workspace_dir": nil}), data: without},
		"local elsewhere": {plan: plan("local", "default", map[string]any{"path": "../x"}), data: without, want: "path"},
		"none":            {plan: binaryPlan(t, part{"tfplan", message(14, "1.11.4")}), want: "type"},
	} {
		if c.data == "" {
			c.data = with
		}
		got, err := Open(Options{DataDir: c.data}).OtherBackend(c.plan, "default")
		if err != nil || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
	}
	_, err := Open(Options{DataDir: with}).OtherBackend(plan("s3", "default", settings(none), 1, "gcs"), "default")
	if err == nil || !strings.Contains(err.Error(), "field 1 stands there twice") {
		t.Errorf("a type that stands there twice: %v", err)
	}
}

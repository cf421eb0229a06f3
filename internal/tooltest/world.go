package tooltest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// World writes a configuration for terraform's command line (for
// TF_CLI_CONFIG_FILE) that takes the provider waybill-dev/world from bin/tools:
// a provider whose world a test can change. See internal/tools/worldprovider.
func World(t testing.TB) string {
	t.Helper()
	program := Find(t, filepath.Join(
		"world", "registry.terraform.io", "waybill-dev", "world", "1.0.0", runtime.GOOS+"_"+runtime.GOARCH,
		"terraform-provider-world_v1.0.0",
	))
	mirror := program
	for range 6 {
		mirror = filepath.Dir(mirror)
	}
	file := filepath.Join(t.TempDir(), "terraformrc")
	if err := os.WriteFile(
		file,
		[]byte("provider_installation {\n  filesystem_mirror {\n    path = \""+mirror+"\"\n  }\n}\ndisable_checkpoint = true\n"),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	return file
}

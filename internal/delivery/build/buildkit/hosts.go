package buildkit

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/registry"
)

// configDir is where a daemon in a container reads its configuration.
const configDir = "/etc/buildkit"

// writeHosts writes to a directory what tells a daemon how registries are reached,
// as Waybill itself reaches them.
// https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md
func writeHosts(dir string, hosts registry.Hosts) error {
	var text strings.Builder
	for i, address := range slices.Sorted(maps.Keys(hosts.ByHost)) {
		host := hosts.ByHost[address]
		if address == "index.docker.io" {
			address = "docker.io" // BuildKit's name for it
		}
		fmt.Fprintf(&text, "[registry.%s]\n  http = %t\n  insecure = %t\n", strconv.Quote(address), host.HTTP, host.Insecure)
		if len(host.Mirrors) > 0 {
			var mirrors []string
			for _, mirror := range host.Mirrors {
				mirrors = append(mirrors, strconv.Quote(mirror))
			}
			fmt.Fprintf(&text, "  mirrors = [%s]\n", strings.Join(mirrors, ", "))
		}
		if host.CA != "" {
			name := fmt.Sprintf("ca-%d.pem", i)
			fmt.Fprintf(&text, "  ca = [%s]\n", strconv.Quote(configDir+"/"+name))
			if err := os.WriteFile(filepath.Join(dir, name), []byte(host.CA), 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "buildkitd.toml"), []byte(text.String()), 0o644)
}

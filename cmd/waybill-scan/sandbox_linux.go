package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// What a program needs of the machine: its libraries, the credential helpers that a
// config.json can name, certificates and the resolver's settings.
var (
	systemDirs = []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies",
	}
	systemFiles = []string{
		"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/passwd", "/etc/group",
		"/etc/localtime", "/etc/ld.so.cache", "/dev/urandom", "/dev/random",
	}
)

// confine leaves the process what the request needs, as far as the kernel can do it
// (Landlock, https://docs.kernel.org/userspace-api/landlock.html): databases and
// credentials to read, its temporary directory to write, and at a registry without a
// port of its own no other TCP port than that of HTTPS. A parser that an image has
// taken over then reads no workspace and no home, writes to none of the runner's files,
// and asks no metadata service of a cloud. Nor does it signal other processes, change their
// limits, or reach them by Unix sockets, unless a credential helper needs these: by Docker's
// it would start programs that are not confined. What the process started with stays open.
func confine(request exchange.Request, getenv func(string) string) error {
	logins, helper := credentialDirs(getenv)
	read := slices.Concat(systemDirs, logins, []string{request.DatabaseDir, request.JavaDatabaseDir})
	read = slices.DeleteFunc(read, func(dir string) bool { return dir == "" })
	files := slices.Clone(request.VEX)
	for _, image := range request.Images {
		if image.BOM != "" {
			files = append(files, image.BOM)
		}
	}
	renounced := process.Renounce(helper) // Landlock bounds the process without it too
	limits := landlock.V6.BestEffort()
	if err := limits.RestrictPaths(
		landlock.RODirs(read...).IgnoreIfMissing(), landlock.ROFiles(systemFiles...).IgnoreIfMissing(),
		landlock.ROFiles(files...).IgnoreIfMissing(), landlock.RWDirs(os.TempDir()).WithRefer(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
	); err != nil {
		return outcome.Join(renounced, err)
	}
	if err := limits.RestrictScoped(); err != nil {
		return outcome.Join(renounced, err)
	}
	ports := slices.ContainsFunc(request.Images, func(i exchange.Image) bool { return strings.Contains(i.Ref.Registry(), ":") })
	if ports || getenv(contract.EnvRegistries.Name) != "" {
		return renounced // a registry with a port may send to others: for tokens, and for layers
	}
	return outcome.Join(renounced, limits.RestrictNet(landlock.ConnectTCP(443), landlock.ConnectTCP(53)))
}

// credentialDirs are where logins lie. A credential helper is on PATH, and reads its own
// below the home directory.
func credentialDirs(getenv func(string) string) (dirs []string, helper bool) {
	home := getenv("HOME")
	dir := getenv("DOCKER_CONFIG")
	if dir == "" && home != "" {
		dir = filepath.Join(home, ".docker")
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil && (bytes.Contains(config, []byte(`"credsStore"`)) || bytes.Contains(config, []byte(`"credHelpers"`))) {
		return append(filepath.SplitList(getenv(contract.EnvPath.Name)), dir, home), true
	}
	return []string{dir}, false
}

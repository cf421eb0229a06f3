package main

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/landlock-lsm/go-landlock/landlock"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// systemFiles are what Go's own packages may look at.
var systemFiles = []string{"/etc/localtime", "/dev/urandom", "/dev/random"}

// confine leaves the process what the request needs, as far as the kernel can do it
// (Landlock, https://docs.kernel.org/userspace-api/landlock.html): the databases and
// documents to read, its temporary directory to write, and the gateway to connect to. A
// parser that an image has taken over then reads no workspace and no home, writes to none
// of the runner's files, and reaches no network. Nor does it signal other processes, change
// their limits, or reach them by Unix sockets: by Docker's it would start programs that are
// not confined. What the process started with stays open.
func confine(request exchange.Request) error {
	gateway, err := url.Parse(request.Gateway)
	if err != nil {
		return fmt.Errorf("read the address of the gateway: %w", err)
	}
	port, err := strconv.ParseUint(gateway.Port(), 10, 16)
	if err != nil {
		return fmt.Errorf("read the port of the gateway: %w", err)
	}
	read := slices.DeleteFunc([]string{request.DatabaseDir, request.JavaDatabaseDir}, func(dir string) bool { return dir == "" })
	files := slices.Clone(request.VEX)
	for _, image := range request.Images {
		if image.BOM != "" {
			files = append(files, image.BOM)
		}
	}
	renounced := process.Renounce() // Landlock bounds the process without it too
	limits := landlock.V6.BestEffort()
	return outcome.Join(
		renounced,
		limits.RestrictPaths(
			landlock.RODirs(read...).IgnoreIfMissing(), landlock.ROFiles(systemFiles...).IgnoreIfMissing(),
			landlock.ROFiles(files...).IgnoreIfMissing(), landlock.RWDirs(os.TempDir()).WithRefer(),
			landlock.RWFiles("/dev/null").IgnoreIfMissing(),
		),
		limits.RestrictScoped(), limits.RestrictNet(landlock.ConnectTCP(uint16(port))),
	)
}

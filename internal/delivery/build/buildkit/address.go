package buildkit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://NAME
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://POD?namespace=…
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer" // podman-container://NAME
	_ "github.com/moby/buildkit/client/connhelper/ssh"             // ssh://USER@HOST

	"github.com/waybill-dev/waybill/internal/delivery/build"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// DefaultAddress is where buildkitd listens on a machine that has one.
const DefaultAddress = "unix:///run/buildkit/buildkitd.sock"

// Auto takes DefaultAddress where a daemon answers there, else a container.
const Auto = "auto"

// answerWithin bounds the wait for a daemon to say that it is there.
const answerWithin = 10 * time.Second

// Builders are the addresses of daemons.
type Builders struct {
	Default string
	For     map[build.Platform]string
}

// ParseBuilders reads [PLATFORM=]ADDR, one each. Without an address for all
// platforms, fallback is it, else Auto.
func ParseBuilders(list []string, fallback string) (Builders, error) {
	b := Builders{Default: fallback, For: map[build.Platform]string{}}
	if b.Default == "" {
		b.Default = Auto
	}
	if err := checkAddress(b.Default); err != nil {
		return Builders{}, err
	}
	for _, item := range list {
		platform, address := "", item
		if before, after, found := strings.Cut(item, "="); found && !strings.Contains(before, ":") {
			platform, address = before, after
		}
		if err := checkAddress(address); err != nil {
			return Builders{}, err
		}
		if platform == "" {
			if address != Auto || fallback == "" { // auto is BUILDKIT_HOST first
				b.Default = address
			}
			continue
		}
		p, err := build.ParsePlatform(platform)
		if err != nil {
			return Builders{}, err
		}
		b.For[p] = address
	}
	return b, nil
}

func (b Builders) address(p build.Platform) string {
	if address := b.For[p]; address != "" {
		return address
	}
	return b.Default
}

// secured are the settings of mutual TLS in the query of a tcp address, each
// the path of a file in PEM, and the name that the daemon's certificate bears.
var secured = []string{"cacert", "cert", "key", "servername"}

func checkAddress(address string) error {
	wrong := fmt.Errorf("address of BuildKit %q: want auto, unix:///PATH, tcp://HOST:PORT[?cacert=FILE&cert=FILE&key=FILE], "+
		"docker-container://NAME, podman-container://NAME, kube-pod://POD or ssh://HOST", address)
	if address == Auto {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return wrong
	}
	switch u.Scheme {
	case "unix":
		if u.Path != "" {
			return nil
		}
	case "tcp":
		if u.Port() != "" {
			return checkTLS(address, u.Query())
		}
	case "docker-container", "podman-container", "kube-pod", "ssh":
		if u.Hostname() != "" {
			return nil
		}
	}
	return wrong
}

func checkTLS(address string, settings url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(secured, name) {
			return fmt.Errorf("address of BuildKit %q: unknown setting %q: want %s", address, name, strings.Join(secured, ", "))
		}
	}
	if settings.Has("cert") != settings.Has("key") {
		return fmt.Errorf("address of BuildKit %q: cert and key go together", address)
	}
	if len(settings) > 0 && !settings.Has("cacert") {
		return fmt.Errorf("address of BuildKit %q: TLS needs cacert, the authority of the daemon's certificate", address)
	}
	return nil
}

// dial makes a client of a daemon, without asking it anything.
func dial(ctx context.Context, address string) (*client.Client, error) {
	bare, query, found := strings.Cut(address, "?")
	if !found || !strings.HasPrefix(address, "tcp://") {
		return client.New(ctx, address)
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	options := []client.ClientOpt{client.WithServerConfig(settings.Get("servername"), settings.Get("cacert"))}
	if settings.Has("cert") {
		options = append(options, client.WithCredentials(settings.Get("cert"), settings.Get("key")))
	}
	return client.New(ctx, bare, options...)
}

// answers makes sure that a daemon is there.
func answers(ctx context.Context, c *client.Client) error {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, err := c.ListWorkers(asking)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// connect gives a client of a daemon that answers.
func connect(ctx context.Context, address string, file *build.Dockerfile, r build.Request) (*client.Client, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("BuildKit at %s: %w", address, err)
	}
	if err := answers(ctx, c); err != nil {
		c.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, unreachable(address, err, file, r)
	}
	return c, nil
}

// unreachable says which instruction needs the daemon, and how to start one.
func unreachable(address string, err error, file *build.Dockerfile, r build.Request) error {
	start := "start buildkitd there"
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		start = "start one with `buildkitd --addr unix://" + path + "` (as root, with runc)"
	}
	return fmt.Errorf("%sno daemon answers at %s: %s, or name another with --builder or BUILDKIT_HOST (%w)",
		because(file, r), address, start, err)
}

// because names the instruction that only BuildKit can carry out, if one does.
func because(file *build.Dockerfile, r build.Request) string {
	first := file.FirstExecution(r)
	if first == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d: %s: %s, which needs BuildKit, and ", first.Path, first.Line, first.What, first.Reason)
}

// find gives the builders with Auto replaced by what is there: the daemon of
// this machine, else a container. leave is called when the build has ended.
func (e Engine) find(ctx context.Context, r build.Request, file *build.Dockerfile) (_ Builders, leave func() error, err error) {
	leave = func() error { return nil }
	b := Builders{Default: e.Builders.Default, For: maps.Clone(e.Builders.For)}
	var found string
	for _, p := range r.Platforms {
		if b.address(p) != Auto {
			continue
		}
		if found == "" {
			if found, leave, err = e.auto(ctx); err != nil {
				if ctx.Err() == nil {
					err = fmt.Errorf("%sno BuildKit was found: %w: name one with --builder or BUILDKIT_HOST, or install Docker",
						because(file, r), err)
				}
				return Builders{}, nil, err
			}
		}
		if b.For == nil {
			b.For = map[build.Platform]string{}
		}
		b.For[p] = found
	}
	return b, leave, nil
}

func (e Engine) auto(ctx context.Context) (address string, leave func() error, err error) {
	local := cmp.Or(e.Local, DefaultAddress)
	c, err := dial(ctx, local)
	if err == nil {
		err = outcome.Join(answers(ctx, c), c.Close())
	}
	if err == nil {
		return local, func() error { return nil }, nil
	}
	if ctx.Err() != nil {
		return "", nil, err
	}
	address, leave, inDocker := e.Container.start(ctx)
	if inDocker != nil && ctx.Err() == nil {
		return "", nil, fmt.Errorf("%s answered %w, and a container in Docker: %w", local, err, inDocker)
	}
	return address, leave, inDocker
}

package build

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Extras are what docker build calls by the same names. All are BuildKit's.
type Extras struct {
	SSH      []string          // ID[=SOCKET|KEY], for RUN --mount=type=ssh
	Contexts map[string]string // directories, docker-image://REF and git or https addresses, by name
	NoCache  bool
	Pull     bool     // resolve base images anew
	AddHosts []string // NAME=IP
	Network  string   // of RUN: default, none or host
	Allow    []string // entitlements
	ShmSize  int64    // bytes; 0 is BuildKit's own
	Ulimits  []string // NAME=SOFT[:HARD]
}

// ExtraTexts are extras as a person writes them.
type ExtraTexts struct {
	SSH, Contexts, AddHosts, Allow, Ulimits []string
	Network, ShmSize                        string
	NoCache, Pull                           bool
}

var (
	contextName = regexp.MustCompile(`^[a-z0-9][a-z0-9._/-]*$`)
	ulimitForm  = regexp.MustCompile(`^[a-z]+=-?[0-9]+(:-?[0-9]+)?$`)
	sizeForm    = regexp.MustCompile(`^([0-9]+)([kmg]?)b?$`)
	remoteForm  = regexp.MustCompile(`^(?:docker-image|https|http|git|ssh)://|^git@`)
)

// Parse reads the texts. An error names the flag.
func (t ExtraTexts) Parse() (e Extras, err error) {
	e = Extras{SSH: t.SSH, NoCache: t.NoCache, Pull: t.Pull, Network: t.Network, Allow: t.Allow, Ulimits: t.Ulimits}
	if e.Contexts, err = parsePairs(t.Contexts); err != nil {
		return e, outcome.Usagef("--build-context: %w", err)
	}
	for name, value := range e.Contexts {
		if !contextName.MatchString(name) || value == "" {
			return e, outcome.Usagef("--build-context: %q is not NAME=DIR, NAME=docker-image://REF or NAME=https://…", name+"="+value)
		}
	}
	for _, text := range t.AddHosts { // docker build writes a colon too
		name, address, found := strings.Cut(strings.Replace(text, ":", "=", 1), "=")
		if strings.Contains(text, "=") {
			name, address, found = strings.Cut(text, "=")
		}
		if !found || name == "" || net.ParseIP(strings.Trim(address, "[]")) == nil {
			return e, outcome.Usagef("--add-host: %q is not NAME=IP", text)
		}
		e.AddHosts = append(e.AddHosts, name+"="+strings.Trim(address, "[]"))
	}
	for _, text := range t.Ulimits {
		if !ulimitForm.MatchString(text) {
			return e, outcome.Usagef("--ulimit: %q is not NAME=SOFT[:HARD], such as nofile=1024:4096", text)
		}
	}
	for _, text := range t.Allow {
		if !slices.Contains([]string{"network.host", "security.insecure"}, text) {
			return e, outcome.Usagef("--allow: %q is no entitlement: want network.host or security.insecure", text)
		}
	}
	if t.ShmSize != "" {
		m := sizeForm.FindStringSubmatch(strings.ToLower(t.ShmSize))
		if m == nil {
			return e, outcome.Usagef("--shm-size: %q is not a size such as 128m", t.ShmSize)
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30}[m[2]]
		if err != nil || n > 1<<40>>shift {
			return e, outcome.Usagef("--shm-size: %q is more than a terabyte", t.ShmSize)
		}
		e.ShmSize = n << shift
	}
	if e.Network == "host" && !slices.Contains(e.Allow, "network.host") {
		return e, outcome.Usagef("--network host gives RUN the daemon's network: allow it with --allow network.host")
	}
	return e, nil
}

// Directories are the build contexts on this machine, by name.
func (e Extras) Directories() (map[string]string, error) {
	found := map[string]string{}
	for name, value := range e.Contexts {
		if remoteForm.MatchString(value) {
			continue
		}
		if info, err := os.Stat(value); err != nil || !info.IsDir() {
			return nil, outcome.Usagef("--build-context %s=%s: no such directory", name, value)
		}
		found[name] = value
	}
	return found, nil
}

// Attributes are the extras as inputs of BuildKit's Dockerfile frontend.
// https://github.com/moby/buildkit/blob/master/frontend/dockerui/config.go
func (e Extras) Attributes() map[string]string {
	a := map[string]string{}
	for name, value := range e.Contexts {
		if a["context:"+name] = value; !remoteForm.MatchString(value) {
			a["context:"+name] = "local:" + e.Mount(name)
		}
	}
	if e.NoCache {
		a["no-cache"] = ""
	}
	if e.Pull {
		a["image-resolve-mode"] = "pull"
	}
	for name, value := range map[string]string{
		"add-hosts": strings.Join(e.AddHosts, ","), "ulimit": strings.Join(e.Ulimits, ","),
		"force-network-mode": strings.TrimPrefix(e.Network, "default"),
	} {
		if value != "" {
			a[name] = value
		}
	}
	if e.ShmSize > 0 {
		a["shm-size"] = fmt.Sprint(e.ShmSize)
	}
	return a
}

// Mount is what a directory is called on its way to the daemon.
func (Extras) Mount(name string) string { return "context-" + name }

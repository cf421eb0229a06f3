package build

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// What docker build takes reaches BuildKit's frontend in its own words.
func TestExtras(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := ExtraTexts{
		Contexts: []string{"more=" + dir, "base=docker-image://alpine", "src=https://github.com/acme/x.git"}, NoCache: true, Pull: true,
		AddHosts: []string{"db=10.0.0.7", "cache:10.0.0.8", "six=[::1]", "seven:fe80::1"}, Network: "host", Allow: []string{"network.host"},
		ShmSize: "128m", Ulimits: []string{"nofile=1024:4096", "core=0"},
	}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{
		"context:more": "local:context-more", "context:base": "docker-image://alpine", "context:src": "https://github.com/acme/x.git",
		"no-cache": "", "image-resolve-mode": "pull", "add-hosts": "db=10.0.0.7,cache=10.0.0.8,six=::1,seven=fe80::1",
		"force-network-mode": "host", "shm-size": "134217728", "ulimit": "nofile=1024:4096,core=0",
	}, e.Attributes()); diff != "" {
		t.Error(diff)
	}
	if dirs, err := e.Directories(); err != nil || !cmp.Equal(dirs, map[string]string{"more": dir}) {
		t.Errorf("%v, %v", dirs, err)
	}
	if e, err := (ExtraTexts{Network: "default"}).Parse(); err != nil || len(e.Attributes()) > 0 {
		t.Errorf("nothing given: %v, %v", e.Attributes(), err)
	}
}

func TestExtrasThatAreNone(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string]ExtraTexts{
		"is not NAME=DIR":                {Contexts: []string{"A b=x"}},
		"--build-context: \"x\" is not":  {Contexts: []string{"x"}},
		"--add-host: \"db\" is not":      {AddHosts: []string{"db"}},
		"--add-host: \"db=home\" is not": {AddHosts: []string{"db=home"}},
		"is not NAME=SOFT":               {Ulimits: []string{"nofile"}},
		"is no entitlement":              {Allow: []string{"all"}},
		"is not a size":                  {ShmSize: "much"},
		"more than a terabyte":           {ShmSize: "9999999g"},
		"allow it with --allow":          {Network: "host"},
	} {
		if _, err := texts.Parse(); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", texts, err, want)
		}
	}
	if _, err := (Extras{Contexts: map[string]string{"x": "/nowhere"}}).Directories(); outcome.Code(err) != outcome.Usage {
		t.Errorf("no directory: %v", err)
	}
	// A directory outside of the commit is none that the provenance speaks of.
	if err := Within(t.TempDir(), ".", "", map[string]string{"x": t.TempDir()}); outcome.Code(err) != outcome.Usage {
		t.Errorf("outside: %v", err)
	}
}

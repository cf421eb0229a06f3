package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The login goes to the registry of the image, and for a layout to that of the
// image it is compared with: never to where the layout is served.
func TestLoginOfAScan(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	dir, _ := sourceTree(t)
	layout := filepath.Join(t.TempDir(), "o")
	if code, _, words := call(t, nil, "build", "--oci-layout", layout, "--context", dir); code != outcome.Done {
		t.Fatal(words)
	}
	command, _ := contract.Lookup("scan")
	getenv := func(string) string { return "" }
	access := connect.Access{Call: &cli.Call{Command: command, Runner: runner.New(getenv, new(bytes.Buffer)), Getenv: getenv,
		Stderr: new(bytes.Buffer)}}
	for baseline, want := range map[string]string{"": "", host + "/acme/app:main": host} {
		o, _, stop, err := scanOrder(t.Context(), access, options.Scan{OCILayout: layout, Baseline: baseline, OnlyNew: baseline != ""})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if o.Registry != want || o.Image.Registry() == want || o.Layout != layout {
			t.Errorf("%q: the login is for %q, and the layout is served at %s", baseline, o.Registry, o.Image.Registry())
		}
	}
}

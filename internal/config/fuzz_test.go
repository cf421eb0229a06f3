package config_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/config"
)

// FuzzParse looks for files that stop the reader, whose problems have no place,
// or that mean something else once another program has written them again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		full, "", "a: &a [*a]", "apiVersion: waybill.dev/v1\nenvironments: []\napps: {}\n", "{", "- \n- ",
		"apiVersion: waybill.dev/v1\nenvironments: [{name: dev}, {name: dev}]\napps: {a: {image: ghcr.io/a/b, overlay: x}}\n",
		"apiVersion: waybill.dev/v1\nenvironments: &e [{name: dev, after: [prod]}]\napps: {a: {image: ghcr.io/a/b, environments: *e}}\n",
		"apiVersion: waybill.dev/v1\nenvironments: [{name: a}]\napps: {b: {image: c/d}}\nterraform: {roots: [{dir: infra}]}\n",
		"apiVersion: waybill.dev/v1\nenvironments: [{name: a, freeze: [{from: 2026-01-01, until: 2026-01-01, reason: x}]}]\n",
		"? [a]\n: b\n", "a: !!binary x\n", "<<: {a: b}\n", "1: 2\n", "a: 0x_\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("waybill.yaml", data)
		if err != nil {
			var at *config.Error
			if !errors.As(err, &at) || at.File != "waybill.yaml" || at.Line < 1 || at.Column < 1 || at.Message == "" {
				t.Errorf("the problem has no place: %#v", err)
			}
			return
		}
		for _, app := range c.AppNames() {
			if _, err := c.App(app); err != nil {
				t.Error(err)
			}
		}
		var document yaml.Node
		if err := yaml.Unmarshal(data, &document); err != nil {
			t.Fatal(err)
		}
		written, err := yaml.Marshal(&document)
		if err != nil {
			return // this writer refuses some comments that the reader takes
		}
		again, err := config.Parse("waybill.yaml", written)
		if err != nil {
			t.Fatalf("%v, once it was written again as\n%s", err, written)
		}
		if d := cmp.Diff(c.EnvironmentNames(), again.EnvironmentNames()); d != "" || !slices.Equal(c.AppNames(), again.AppNames()) {
			t.Errorf("other environments or applications once it was written again as\n%s\n%s", written, d)
		}
		for _, app := range c.AppNames() {
			for _, env := range c.EnvironmentNames() {
				before, err := c.Policy(app, env)
				after, errAgain := again.Policy(app, env)
				if d := cmp.Diff(before, after); d != "" || (err == nil) != (errAgain == nil) {
					t.Errorf("another policy of %s in %s once it was written again: %v, %v\n%s", app, env, err, errAgain, d)
				}
			}
		}
	})
}

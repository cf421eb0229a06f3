package config_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// documented is a row of a table of docs/config-repository.md, by its first cell.
func documented(t *testing.T, heading string) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "config-repository.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/config-repository.md has no table %q", heading)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := make(map[string][]string)
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[strings.Trim(cells[0], "`")] = cells[1:]
	}
	return rows
}

// node is what the schema of waybill.yaml says of a value.
type node struct {
	Ref        string          `json:"$ref"`
	Default    json.RawMessage `json:"default"`
	Properties map[string]node `json:"properties"`
	Items      *node           `json:"items"`
	Any        json.RawMessage `json:"additionalProperties"`
	Defs       map[string]node `json:"$defs"`
}

var named = regexp.MustCompile(`<[a-z]+>`) // applications, groups and rules in the page

// keys lists the keys of the schema with their defaults: apps.<>.helm.chart.
func (n node) keys(root node, at string, add func(at, byDefault string)) {
	if n.Ref != "" {
		root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")].keys(root, at, add)
		return
	}
	if n.Items != nil {
		n.Items.keys(root, at, add)
	}
	if inner := new(node); json.Unmarshal(n.Any, inner) == nil && (inner.Ref != "" || inner.Properties != nil) {
		inner.keys(root, at+".<>", add)
	}
	for key, value := range n.Properties {
		below := strings.TrimPrefix(at+"."+key, ".")
		add(below, strings.Trim(string(value.Default), `"`))
		value.keys(root, below, add)
	}
}

// Every key that waybill.yaml may have is in the page: in a row of its own, or named in the
// row of what holds it. Every row is a key, and has the default of the schema.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	var root node
	if err := json.Unmarshal(config.Schema, &root); err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for key, cells := range documented(t, "| Key | Default | Meaning |") {
		rows[strings.ReplaceAll(named.ReplaceAllString(key, "<>"), "[]", "")] = cells
	}
	known := map[string]bool{"groups.<>": true, "manifests.rules.<>": true}
	elsewhere := []string{"apiVersion", "terraform", "manifests.rules", "environments.policy"} // other tables, or the common policy
	root.keys(root, "", func(key, byDefault string) {
		known[key] = true
		if slices.ContainsFunc(elsewhere, func(e string) bool { return key == e || strings.HasPrefix(key, e+".") }) {
			return
		}
		if row, own := rows[key]; own {
			if byDefault != "" && !strings.Contains(row[0], byDefault) {
				t.Errorf("%s: the page has the default %s, the schema %s", key, row[0], byDefault)
			}
			return
		}
		holds := slices.ContainsFunc(slices.Collect(maps.Keys(rows)), func(other string) bool { return strings.HasPrefix(other, key+".") })
		for at := key; !holds && at != ""; at = at[:max(strings.LastIndexByte(at, '.'), 0)] {
			if row, there := rows[at]; there {
				holds = strings.Contains(strings.Join(row, " "), "`"+key[strings.LastIndexByte(key, '.')+1:]+"`")
				break
			}
		}
		if !holds {
			t.Errorf("docs/config-repository.md does not have %s", key)
		}
	})
	for key := range rows {
		if !known[key] && !strings.HasPrefix(key, "---") {
			t.Errorf("docs/config-repository.md has %s, which waybill.yaml does not know", key)
		}
	}
	if len(known) < 80 || len(rows) < 30 {
		t.Errorf("only %d keys and %d rows: are they read?", len(known), len(rows))
	}
}

// What holds where waybill.yaml is silent is what the page says.
func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	rows := documented(t, "| Key | Default | Meaning |")
	cfg, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\n"+
		"environments: [{name: dev}]\napps: {a: {image: ghcr.io/acme/a}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := cfg.Policy("a", "dev")
	if err != nil {
		t.Fatal(err)
	}
	week := evidence.DefaultDatabaseMaxAge
	if policy.MaxAge != week || policy.DatabaseMaxAge != 0 || policy.VEX || policy.AllSign || len(policy.RecordAge) != 0 ||
		len(policy.Require) != 4 || policy.Threshold.IgnoreUnfixed {
		t.Errorf("the page says that all four records are required, for a week, signed by any: %+v", policy)
	}
	for key, want := range map[string]string{
		"policy.require": "all four", "policy.scan": "`" + string(policy.Threshold.Severity) + "`, `168h`",
		"policy.scan.databaseMaxAge": "`168h`", "policy.scan.vex": "`false`", "policy.scan.secrets": "`" + string(policy.Secrets) + "`",
		"policy.scan.misconfiguration": "`" + string(policy.Misconfiguration) + "`",
		"policy.scan.endOfLife":        "`" + string(policy.EndOfLife) + "`",
		"policy.signedBy":              "`any`", "policy.maxAge": "for ever",
		"environments[].promotion": "`" + string(cfg.Environments[0].Promotion) + "`",
	} {
		if rows[key] == nil || rows[key][0] != want {
			t.Errorf("%s: the page has %q, want %q", key, rows[key], want)
		}
	}
}

// The table of rules has each rule, its default, and what `init` writes.
func TestRulesAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	rows := documented(t, "| Rule | Default | `init` | It finds |")
	example, err := os.ReadFile(filepath.Join(tooltest.Root(t), "examples", "config", "waybill.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("waybill.yaml", example)
	if err != nil {
		t.Fatal(err)
	}
	for rule, level := range config.ManifestRules {
		row := rows[rule]
		if len(row) != 3 || row[0] != "`"+level+"`" || row[1] != "`"+cfg.ManifestRule(rule)+"`" {
			t.Errorf("%s: the page has %q, want the default %s and %s of init", rule, row, level, cfg.ManifestRule(rule))
		}
	}
	if len(rows) != len(config.ManifestRules)+1 { // and the line below the heading
		t.Errorf("the page has %d rules, want %d", len(rows)-1, len(config.ManifestRules))
	}
}

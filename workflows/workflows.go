// Package workflows holds the starter workflows that waybill init writes.
//
// They are complete as they stand, for the organisation acme: init replaces
// names, and nothing else.
package workflows

import (
	"embed"
	"strings"
)

// Files are app/ci.yml, config/*.yml and infra/*.yml.
//
//go:embed app config infra
var Files embed.FS

// In is what a starter workflow is called where a directory of a repository is the
// config repository: several may be in one.
func In(dir, name string) string {
	if dir == "" {
		return name
	}
	return strings.TrimSuffix(name, ".yml") + "-" + strings.ReplaceAll(dir, "/", "-") + ".yml"
}

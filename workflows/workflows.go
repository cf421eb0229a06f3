// Package workflows holds the starter workflows that waybill init writes.
//
// They are complete as they stand, for the organisation acme: init replaces
// names, and nothing else.
package workflows

import "embed"

// Files are app/ci.yml, config/*.yml and infra/*.yml.
//
//go:embed app config infra
var Files embed.FS

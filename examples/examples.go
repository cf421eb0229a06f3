// Package examples holds the example repositories as files, for the
// organisation acme: waybill init writes them with other names, and the
// rehearsal delivers from them.
//
// The applications, app and frontend, are modules of their own and cannot be
// part of this one: internal/command/starter carries them as an archive.
package examples

import "embed"

// Files are config/ and infra/, hidden files among them; ingress/: for each way into
// a cluster but config's own, the files that differ from config's; and platform/,
// secrets/, fleet/ and mirror/: for each choice of these, the files that take the place of
// config's.
//
//go:embed all:config all:fleet all:infra all:ingress all:mirror all:platform all:secrets
var Files embed.FS

#!/usr/bin/env bash
# Gives the peers' module the versions of the modules that Waybill links, so that
# what the tests compare with is built of the same sources, and once.
set -euo pipefail
cd "$(dirname "$0")/.."

edits=()
while read -r path version; do
  if grep -qF "	$path v" internal/tools/peers/go.mod; then
    edits+=("-require=$path@$version")
  fi
done < <(awk '/^\t[^ ]+ v/ { print $1, $2 }' go.mod)
cd internal/tools/peers
go mod edit "${edits[@]}"
go mod tidy

#!/usr/bin/env bash
# Runs the tests of the packages that start goroutines, or whose values several
# may use, with the race detector. The binaries only wire these together, and
# their stories would take an hour. Arguments name packages to test instead.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1 GOEXPERIMENT=jsonv2

if [ $# -eq 0 ]; then
  mapfile -t files < <(git grep -lE '(^|[^a-zA-Z])go func|errgroup|"sync(/atomic)?"|^[[:space:]]*go [a-zA-Z.]+\(' -- 'internal/*.go')
  mapfile -t packages < <(printf './%s\n' "${files[@]%/*}" | sort -u)
  set -- "${packages[@]}"
fi
go test -race -timeout 60m "$@"

#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME, one after the other. What one finds is
# written below testdata/fuzz of its package: commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
while IFS=: read -r file _ line; do
  target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/' <<< "$line")
  echo "fuzz $(dirname "$file") $target"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" || failed=1
done < <(git grep -n '^func Fuzz' -- '*_test.go')
exit "$failed"

#!/usr/bin/env bash
# Format, vet, workflows and scripts. Prints what is wrong and fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export GOEXPERIMENT=jsonv2
status=0
section() { # NAME COMMAND...
  local name=$1 out
  shift
  if ! out=$("$@" 2>&1) || { [ "$name" = gofmt ] && [ -n "$out" ]; }; then
    printf '%s:\n%s\n' "$name" "$out" >&2
    status=1
  fi
}

section gofmt gofmt -l cmd internal examples
section vet go vet ./...
# What links Trivy is left out without jsonv2; the rest of its packages must still build.
section "vet without jsonv2" env GOEXPERIMENT= go vet ./cmd/waybill-scan ./internal/delivery/scan/...

mkdir -p bin/tools
(cd internal/tools && go build -o ../../bin/tools/actionlint github.com/rhysd/actionlint/cmd/actionlint) || exit 1
mapfile -t workflows < <(git ls-files --cached --others --exclude-standard '.github/workflows/*.yml' 'workflows/*.yml' 'examples/*/.github/workflows/*.yml')
if [ "${#workflows[@]}" -gt 0 ]; then
  section actionlint bin/tools/actionlint -shellcheck "$(command -v shellcheck)" "${workflows[@]}"
fi
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' '.ci/run')
section shellcheck shellcheck "${scripts[@]}"
if git grep -nE '^[[:space:]]*(- )?run:.*\$\{\{' -- 'actions/*.yml' 'action.yml' 'workflows/**' '.github/**' 'examples/**/.github/**'; then
  echo 'an expression stands inside run: pass it by env' >&2
  status=1
fi
if git grep -nE '\| *grep -[A-Za-z]*q' -- '*.sh' '*.yml' '.ci/run'; then
  echo 'grep -q ends at the first match, and what writes to it then fails by a broken pipe: grep ... > /dev/null' >&2
  status=1
fi
exit $status

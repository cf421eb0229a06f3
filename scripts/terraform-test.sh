#!/usr/bin/env bash
# Validates and tests terraform/ with the real terraform, offline, against the
# recorded schema of the AWS provider. Works in a copy: nothing is left behind.
#
#   scripts/terraform-test.sh              all modules and examples, a scan of
#                             them for what is unsafe, and the provider's tests
#   scripts/terraform-test.sh MODULE...    those named
#   scripts/terraform-test.sh -mutate [MODULE...] takes each validation and
#                             precondition away, one by one, and fails where
#                             the tests stay green (minutes: run by hand)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
mutate=
if [ "${1:-}" = -mutate ]; then
  mutate=1
  shift
fi
if ! command -v terraform > /dev/null; then
  echo '--- SKIP: terraform is not on PATH: terraform/ was not tested'
  exit 0
fi
TF_CLI_CONFIG_FILE=$(bash scripts/terraform-provider.sh)
# Short processes with small heaps: collecting them less often saves a fifth.
export TF_CLI_CONFIG_FILE TF_IN_AUTOMATION=1 GOGC=400
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a terraform "$work/"
cd "$work/terraform"
rm -rf .terraform modules/*/.terraform

all=
modules=("$@")
if [ "${#modules[@]}" = 0 ]; then
  all=1
  mapfile -t modules < <(find . -type d -name tests -printf '%h\n' | sort)
  # Plans every example, with AWS mocked.
  mkdir every-example
  cp versions.tf every-example/
  {
    printf 'mock_provider "aws" {\n  source = "../testing/aws"\n}\n'
    find . -path '*/examples/*' -name main.tf -printf '%P\n' | sort | while read -r file; do
      dir=${file%/main.tf}
      printf 'run "%s" {\n  command = plan\n  module {\n    source = "../%s"\n  }\n}\n' "${dir//\//-}" "$dir"
    done
  } > every-example/plan.tftest.hcl
  modules+=(every-example)
fi

one() { # MODULE: quiet when green
  local out
  if ! out=$(cd "$1" && {
    terraform init -backend=false -input=false -no-color && terraform validate -no-color && terraform test -no-color
  } 2>&1); then
    printf '%s\n%s: FAILED\n' "$out" "$1" >&2
    return 1
  fi
  printf '%s: %s\n' "$1" "$(tail -n 1 <<< "$out")"
}
export -f one

# The checks that are built into trivy, whatever newer ones this machine has
# in its cache.
scan() {
  rm -rf every-example
  local trivy=$root/bin/tools/trivy
  if [ ! -x "$trivy" ]; then
    echo '--- SKIP: bin/tools/trivy is not there (make tools): terraform/ was not scanned'
    return
  fi
  if ! "$trivy" config --quiet --cache-dir "$work/trivy" --skip-check-update --exit-code 1 . > "$work/scan" 2>&1; then
    cat "$work/scan" >&2
    return 1
  fi
  echo 'trivy: nothing found'
}

if [ -z "$mutate" ]; then
  printf '%s\0' "${modules[@]}" | xargs -0 -P 2 -I{} bash -c 'one "$@"' _ {}
  if [ -n "$all" ]; then
    scan
    (cd "$root/internal/tools/awsschema" && go test ./...)
  fi
  exit
fi

# Blanks the nth rule of a file: a rule is a validation, precondition or
# postcondition block, up to the line that closes it.
blank() { # FILE N
  awk -v n="$2" '
    /^ *(validation|precondition|postcondition) *\{/ && ++seen == n { match($0, /^ */); close_at = substr($0, 1, RLENGTH) "}"; skip = 1 }
    !skip
    skip && $0 == close_at { skip = 0 }' "$1"
}
green() { # MODULE: a red test says something only where it was green before
  (cd "$1" && terraform test > /dev/null 2>&1) || { echo "$1: the tests fail with every rule in place" >&2; exit 1; }
}
survivors=0
for module in "${modules[@]}"; do
  [ -d "$module/tests" ] || continue
  (cd "$module" && terraform init -backend=false -input=false > /dev/null)
  green "$module"
  for file in "$module"/*.tf; do
    rules=$(grep -cE '^ *(validation|precondition|postcondition) *\{' "$file" || true)
    [ "$rules" -gt 0 ] || continue
    for n in $(seq 1 "$rules"); do
      cp "$file" "$work/original"
      blank "$work/original" "$n" > "$file"
      if (cd "$module" && terraform test > /dev/null 2>&1); then
        echo "$file: rule $n can go and every test stays green: $(awk -v n="$n" '/^ *(validation|precondition|postcondition) *\{/ { seen++ } seen == n && /error_message/ { print; exit }' "$work/original")" >&2
        survivors=$((survivors + 1))
      fi
      cp "$work/original" "$file"
    done
    echo "$file: $rules rules"
  done
  green "$module"
done
[ "$survivors" = 0 ]

#!/usr/bin/env bash
# Puts the Waybill binaries of this commit on PATH, in this order of preference:
#
#  1. binaries that are on PATH already and were built from this version;
#  2. the release of this version, if its SHA-256 stands in checksums.txt beside
#     this script: what is downloaded is verified against what the action's own
#     commit says, before it is run;
#  3. built from this checkout, where Go is present.
#
# In: WAYBILL_BINARIES  names, separated by spaces (default: waybill)
#     GITHUB_PATH       file to add the directory to (outside Actions: printed)
#     RUNNER_TEMP       where to put things (default: a temporary directory)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
read -r -a binaries <<< "${WAYBILL_BINARIES:-waybill}"
version=$(cat "$here/version.txt")

say() { printf 'waybill: %s\n' "$*" >&2; }
fail() { printf '::error title=waybill setup::%s\n' "$*" >&2; exit 1; }

for name in "${binaries[@]}"; do
  case $name in
    waybill | waybill-scan | waybill-sandbox) ;;
    *) fail "WAYBILL_BINARIES: no binary $name; there are waybill, waybill-scan, waybill-sandbox" ;;
  esac
done

# 1. what is there already
matching() {
  local found
  found=$("$1" --version 2> /dev/null) || return 1
  [[ "$found " == *" version $version"[\ ,]* ]]
}
missing=()
for name in "${binaries[@]}"; do
  matching "$name" || missing+=("$name")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

target=${RUNNER_TEMP:-$(mktemp -d)}/waybill-$version/bin
mkdir -p "$target"
publish() {
  if [ -n "${GITHUB_PATH:-}" ]; then
    printf '%s\n' "$target" >> "$GITHUB_PATH"
  else
    say "add $target to PATH"
  fi
}

# 2. a release that this commit knows by checksum
os=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) arch=unknown ;;
esac
download() {
  local name=$1 asset sum
  asset=${name}_${version}_${os}_${arch}.tar.gz
  sum=$(awk -v a="$asset" '$2 == a { print $1 }' "$here/checksums.txt")
  [ -n "$sum" ] || return 1
  say "downloading $asset"
  curl --fail --silent --show-error --location --proto '=https' --retry 3 \
    --output "$target/$asset" "https://github.com/waybill-dev/waybill/releases/download/v$version/$asset" \
    || fail "cannot download $asset"
  printf '%s  %s\n' "$sum" "$target/$asset" | sha256sum --check --status \
    || fail "$asset is not the file whose SHA-256 this action carries ($sum): not run"
  tar -xzf "$target/$asset" -C "$target" "$name"
  rm "$target/$asset"
}

# 3. from source
build() {
  local name=$1
  command -v go > /dev/null || fail "no release of $name $version for $os/$arch in checksums.txt, and no Go here to build it: install Go, or put $name on PATH"
  say "building $name $version from source"
  (
    cd "$root"
    CGO_ENABLED=0 GOEXPERIMENT=jsonv2 go build -trimpath \
      -ldflags "-s -w -X github.com/waybill-dev/waybill/internal/cli.version=$version" -o "$target/$name" "./cmd/$name"
  ) || fail "cannot build $name"
}

for name in "${missing[@]}"; do
  if [ -x "$target/$name" ] && matching "$target/$name"; then continue; fi
  download "$name" || build "$name"
done
publish

#!/usr/bin/env bash
# Installs the Waybill binaries of this commit. It takes each one from the first
# place that has it:
#
#  1. the directory WAYBILL_BINARY_DIR: a runner image that carries them, or a
#     machine without network;
#  2. PATH, if WAYBILL_USE_PATH is "true";
#  3. the release of this version;
#  4. this checkout, compiled with Go.
#
# With WAYBILL_BUILD "true" it takes 4 alone: so Waybill's own CI runs the code of its
# branch, and not the release that the version of the branch still names. The job that
# signs pays no heed to it: an earlier step could have set it.
#
# checksums.txt beside this script names the SHA-256 of every binary that was
# released. A binary from 1 to 3 is copied, verified against it, and only then
# run for the first time. Where checksums.txt does not name a binary (a commit
# that is no release), 1 and 2 are believed by their version, unless
# WAYBILL_STRICT is "true", as it is in the job that signs.
#
# In:  WAYBILL_BINARIES    names, separated by blanks or lines (default: waybill)
#      WAYBILL_BINARY_DIR  see 1; empty by default
#      WAYBILL_USE_PATH    see 2; "false" by default
#      WAYBILL_STRICT      see above; "false" by default
#      WAYBILL_BUILD       see above; "false" by default
#      RUNNER_TEMP         where to put things (default: a temporary directory)
# Out: GITHUB_PATH         gets the directory (outside Actions: printed)
#      GITHUB_OUTPUT       gets bin=DIRECTORY
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
version=$(cat "$here/version.txt")
target=${RUNNER_TEMP:-$(mktemp -d)}/waybill-$version/bin
strict=${WAYBILL_STRICT:-false}

say() { printf 'waybill: %s\n' "$*" >&2; }
fail() {
  printf '::error title=waybill setup::%s\n' "$*" >&2
  exit 1
}

# The machine, as the names of releases have it.
os=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) arch=unknown ;;
esac

# checksum FILE: the SHA-256 that this commit carries for a file; empty if none.
checksum() { awk -v f="$1" '$2 == f { print $1 }' "$here/checksums.txt"; }

# digest FILE: the SHA-256 of a file. Every step of a job asks for that of a program of
# 90 MB, and openssl needs a quarter of sha256sum's time for it.
digest() {
  local line
  if line=$(openssl dgst -sha256 -r < "$1" 2> /dev/null) && [ -n "$line" ]; then
    :
  elif command -v sha256sum > /dev/null; then
    line=$(sha256sum < "$1")
  elif command -v shasum > /dev/null; then
    line=$(shasum -a 256 < "$1")
  else
    fail "neither sha256sum nor shasum is on PATH: nothing can be verified; install coreutils"
  fi
  printf '%s' "${line%% *}"
}

# is_version FILE: whether a program says that it is of this version. It runs
# the program.
is_version() {
  local found
  found=$("$1" --version 2> /dev/null) || return 1
  [[ "$found " == *" version $version"[\ ,]* ]]
}

# take FILE NAME WHERE: installs a copy of FILE, if it is what this commit wants.
take() {
  local file=$1 name=$2 where=$3 sum
  sum=$(checksum "${name}_${version}_${os}_${arch}")
  if [ -z "$sum" ]; then
    if [ "$strict" = true ]; then
      say "$name from $where cannot be verified: checksums.txt names no $name $version for $os/$arch; not used here"
      return 1
    fi
    is_version "$file" || return 1
  fi
  cp "$file" "$target/.$name" || fail "cannot copy $name from $where"
  if [ -n "$sum" ] && [ "$(digest "$target/.$name")" != "$sum" ]; then
    rm -f "$target/.$name"
    say "$name from $where is not the file whose SHA-256 this action carries ($sum): not run"
    return 1
  fi
  chmod 755 "$target/.$name"
  mv -f "$target/.$name" "$target/$name"
}

from_directory() {
  [ -n "${WAYBILL_BINARY_DIR:-}" ] || return 1
  [ -f "$WAYBILL_BINARY_DIR/$1" ] || return 1
  take "$WAYBILL_BINARY_DIR/$1" "$1" WAYBILL_BINARY_DIR
}

from_path() {
  local found
  if [ "${WAYBILL_USE_PATH:-false}" != true ] || [ "$strict" = true ]; then return 1; fi
  found=$(command -v "$1") || return 1
  take "$found" "$1" PATH
}

# from_release: an archive that this commit knows by its SHA-256. It fails where
# the release has another file; a release that is not there yet may be built.
from_release() {
  local name=$1 asset sum code
  asset=${name}_${version}_${os}_${arch}.tar.gz
  sum=$(checksum "$asset")
  [ -n "$sum" ] || return 1
  command -v curl > /dev/null || fail "curl is not on PATH: cannot download $asset"
  say "downloading $asset"
  code=$(curl --silent --show-error --location --proto '=https' --retry 3 --output "$target/$asset" --write-out '%{http_code}' \
    "https://github.com/waybill-dev/waybill/releases/download/v$version/$asset") \
    || fail "cannot download $asset: run the job again, or set WAYBILL_BINARY_DIR where there is no network"
  if [ "$code" = 404 ]; then
    rm -f "$target/$asset"
    say "there is no release asset $asset"
    return 1
  fi
  [ "$code" = 200 ] || fail "cannot download $asset: the server answers $code"
  [ "$(digest "$target/$asset")" = "$sum" ] || fail "$asset is not the file whose SHA-256 this action carries ($sum): not run"
  mkdir -p "$target/.unpacked"
  tar -xzf "$target/$asset" -C "$target/.unpacked" "$name" || fail "cannot unpack $asset, although its SHA-256 is right: is the disk full?"
  rm -f "$target/$asset"
  if [ -n "$(checksum "${name}_${version}_${os}_${arch}")" ]; then
    take "$target/.unpacked/$name" "$name" "$asset" || fail "$name in $asset is another file than this commit carries: not run"
  else
    chmod 755 "$target/.unpacked/$name"
    mv -f "$target/.unpacked/$name" "$target/$name"
  fi
  rm -rf "$target/.unpacked"
}

from_source() {
  local name=$1
  command -v go > /dev/null \
    || fail "there is no release of $name $version for $os/$arch, and no Go here to build it: install Go, or set WAYBILL_BINARY_DIR to a directory that holds $name"
  say "building $name $version from source"
  (
    cd "$root"
    CGO_ENABLED=0 GOEXPERIMENT=jsonv2 GOFLAGS='' go build -trimpath \
      -ldflags "-s -w -X github.com/waybill-dev/waybill/internal/command/cli.version=$version" -o "$target/$name" "./cmd/$name"
  ) || fail "cannot build $name"
}

# installed: what an earlier step of this job installed, verified again.
installed() {
  local sum
  [ -f "$target/$1" ] || return 1
  sum=$(checksum "$1_${version}_${os}_${arch}")
  if [ -n "$sum" ]; then
    [ "$(digest "$target/$1")" = "$sum" ]
  else
    [ "$strict" != true ] && is_version "$target/$1"
  fi
}

read -r -d '' -a binaries <<< "${WAYBILL_BINARIES:-waybill}" || true
for name in "${binaries[@]}"; do
  case $name in
    waybill | waybill-scan | waybill-sandbox | sigstore-kms-waybill) ;;
    *) fail "WAYBILL_BINARIES: no binary $name; there are waybill, waybill-scan, waybill-sandbox, sigstore-kms-waybill" ;;
  esac
done
mkdir -p "$target"
for name in "${binaries[@]}"; do
  if [ "${WAYBILL_BUILD:-false}" = true ] && [ "$strict" != true ]; then
    from_source "$name"
    continue
  fi
  installed "$name" || from_directory "$name" || from_path "$name" || from_release "$name" || from_source "$name"
done
[ -z "${GITHUB_OUTPUT:-}" ] || printf 'bin=%s\n' "$target" >> "$GITHUB_OUTPUT"
if [ -n "${GITHUB_PATH:-}" ]; then
  printf '%s\n' "$target" >> "$GITHUB_PATH"
else
  say "add $target to PATH"
fi

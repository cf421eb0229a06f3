#!/usr/bin/env bash
# Installs a release of Waybill on Linux or macOS, and verifies it first: each
# archive by its SHA-256 in the release's checksums.txt, and checksums.txt by the
# signature of the release workflow. cosign or a logged-in gh verifies that
# signature; where neither is there, the new waybill does before it is installed.
#
#   bash install.sh [DIRECTORY]     the default is ~/.local/bin
#
# In: WAYBILL_VERSION   another release than this one
#     WAYBILL_BINARIES  names, separated by blanks (default: waybill waybill-scan)
#     WAYBILL_URL       directory of the release's files, for a mirror
set -euo pipefail

version=${WAYBILL_VERSION:-@VERSION@}
version=${version#v}
read -r -a binaries <<< "${WAYBILL_BINARIES:-waybill waybill-scan}"
repository=waybill-dev/waybill
base=${WAYBILL_URL:-https://github.com/$repository/releases/download/v$version}
identity=https://github.com/$repository/.github/workflows/release.yml@refs/tags/v$version
issuer=https://token.actions.githubusercontent.com

say() { printf 'waybill: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

for tool in curl tar gzip uname mktemp mkdir cp chmod mv rm; do
  command -v "$tool" > /dev/null || fail "$tool is not on PATH: install it, then run this script again"
done
if command -v sha256sum > /dev/null; then
  sum() { sha256sum < "$1"; }
elif command -v shasum > /dev/null; then
  sum() { shasum -a 256 < "$1"; }
else
  fail "neither sha256sum nor shasum is on PATH, so nothing can be verified: install coreutils"
fi
case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no installer for $(uname -s): download an archive from https://github.com/$repository/releases" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no release for $(uname -m): build it with go install github.com/$repository/cmd/waybill@v$version" ;;
esac
[ "$#" -gt 0 ] || [ -n "${HOME:-}" ] || fail "HOME is not set: name the directory to install into, as in bash install.sh /usr/local/bin"
target=${1:-${HOME:-}/.local/bin}
mkdir -p "$target" 2> /dev/null || fail "cannot make the directory $target: name one that you may write to, as in bash install.sh ~/bin"
if ! (: > "$target/.waybill.new") 2> /dev/null; then
  fail "you may not write to $target: name a directory that you may write to, as in bash install.sh ~/bin"
fi
rm -f "$target/.waybill.new"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# download FILE: a file of the release.
download() {
  curl --fail --silent --show-error --location --retry 3 --output "$work/$1" "$base/$1" \
    || fail "cannot download $base/$1: is $version a release, and is the network up?"
}

# archive NAME: the file that has a binary.
archive() { printf '%s_%s_%s_%s.tar.gz' "$1" "$version" "$os" "$arch"; }

download checksums.txt
download "waybill_$version.sigstore.json"
for name in "${binaries[@]}"; do
  file=$(archive "$name") wanted=
  while read -r hex listed; do
    [ "$listed" != "$file" ] || wanted=$hex
  done < "$work/checksums.txt"
  [ -n "$wanted" ] || fail "the release $version has no $name for $os/$arch: checksums.txt does not name $file"
  download "$file"
  found=$(sum "$work/$file")
  [ "${found%% *}" = "$wanted" ] \
    || fail "$file is not the file of the release: its SHA-256 is ${found%% *}, and checksums.txt says $wanted. Nothing was installed"
  tar -xzf "$work/$file" -C "$work" "$name" || fail "cannot unpack $file: is the disk full?"
done

bundle=$work/waybill_$version.sigstore.json
if command -v cosign > /dev/null; then
  by=cosign
  check() {
    cosign verify-blob-attestation --bundle "$bundle" --new-bundle-format --type slsaprovenance1 \
      --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" "$work/checksums.txt"
  }
elif command -v gh > /dev/null && gh auth status > /dev/null 2>&1; then
  by=gh
  check() {
    gh attestation verify "$work/checksums.txt" --bundle "$bundle" --repo "$repository" \
      --cert-identity "$identity" --cert-oidc-issuer "$issuer"
  }
elif [ -f "$work/waybill" ]; then
  by="the waybill of this release itself"
  check() { "$work/waybill" verify --file "$work/checksums.txt" --bundle "$bundle" --signer "$identity" --issuer "$issuer"; }
else
  fail "nothing here can verify the signature: install cosign or gh, or install waybill too"
fi
check > "$work/said" 2>&1 || fail "the signature of the release does not verify, so nothing was installed. $by says: $(< "$work/said")"

for name in "${binaries[@]}"; do
  new=$target/.$name.new
  if ! { cp "$work/$name" "$new" && chmod 755 "$new" && mv -f "$new" "$target/$name"; }; then
    fail "cannot write $target/$name: is the disk full?"
  fi
  say "installed $target/$name $version; its signature was verified by $by"
done
case ":${PATH:-}:" in
  *":$target:"*) ;;
  *) say "add $target to PATH" ;;
esac

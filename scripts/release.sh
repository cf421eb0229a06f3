#!/usr/bin/env bash
# Builds the release archives of these sources into dist/, the same bytes
# wherever and whenever it runs, and writes their SHA-256 to actions/checksums.txt,
# which actions/install.sh verifies downloads against. Of a whole release it writes
# the man pages and what people install it with (scripts/installers.sh) too. Another Go toolchain gives
# other bytes: it takes the one that scripts/toolchain.txt names.
#
#   scripts/release.sh            builds, and writes actions/checksums.txt
#   scripts/release.sh --check    builds, and fails where a sum is not the one in
#                                 actions/checksums.txt: what the tag's workflow
#                                 runs before it publishes
#
# In: BINARIES  (waybill waybill-scan waybill-sandbox sigstore-kms-waybill)
#     TARGETS   (linux and darwin, amd64 and arm64; windows/amd64 gets waybill alone)
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(cat actions/version.txt)
read -r -a binaries <<< "${BINARIES:-waybill waybill-scan waybill-sandbox sigstore-kms-waybill}"
read -r -a targets <<< "${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}"
# The same for every commit: a squash or rebase merge gives another time.
epoch=315532800
toolchain=$(cat scripts/toolchain.txt)
export GOTOOLCHAIN=$toolchain
if [ "$(go env GOVERSION)" != "$toolchain" ]; then
  echo "this is $(go env GOVERSION), and a release is built by $toolchain, which scripts/toolchain.txt names" >&2
  exit 1
fi
mkdir -p dist
sums=$(mktemp)
trap 'rm -f "$sums"' EXIT

# pack ARCHIVE DIRECTORY FILE…: an archive whose bytes depend on the files alone.
pack() {
  local archive=$1 dir=$2
  shift 2
  tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - -C "$dir" "$@" \
    | gzip -9n > "dist/$archive"
}

for target in "${targets[@]}"; do
  os=${target%/*} arch=${target#*/}
  for name in "${binaries[@]}"; do
    if [ "$os" = windows ] && [ "$name" != waybill ]; then continue; fi
    suffix=$([ "$os" != windows ] || echo .exe)
    stage=$(mktemp -d)
    CGO_ENABLED=0 GOEXPERIMENT=jsonv2 GOFLAGS='' GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false \
      -ldflags "-s -w -buildid= -X github.com/waybill-dev/waybill/internal/command/cli.version=$version" -o "$stage/$name$suffix" "./cmd/$name"
    cp LICENSE "$stage/"
    archive=${name}_${version}_${os}_${arch}.tar.gz
    pack "$archive" "$stage" "$name$suffix" LICENSE
    # The binary by itself too: install.sh verifies it before each first run.
    printf '%s  %s\n' "$(sha256sum < "$stage/$name$suffix" | cut -d ' ' -f 1)" "${archive%.tar.gz}" | tee -a "$sums"
    if [ "$name" = waybill ] && [ "$target" = "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" ]; then
      scripts/man.sh "$stage/$name" "$stage/man"
      pack "waybill_${version}_man.tar.gz" "$stage" man
    fi
    rm -r "$stage"
    (cd dist && sha256sum "$archive") | tee -a "$sums"
  done
done

if [ "${1:-}" = --check ]; then
  if ! diff <(grep -v '^#' actions/checksums.txt | sort -k 2) <(sort -k 2 "$sums"); then
    echo "actions/checksums.txt is not what this commit builds: run scripts/release.sh and commit the result" >&2
    exit 1
  fi
else
  {
    echo '# SHA-256 of the binaries and release archives of the version in version.txt, as: HEX  FILE'
    sort -k 2 "$sums"
  } > actions/checksums.txt
fi
if [ -z "${BINARIES:-}${TARGETS:-}" ]; then scripts/installers.sh dist; fi

#!/usr/bin/env bash
# Writes how people install this release, from the templates in
# scripts/installers: install.sh, the Homebrew formula waybill.rb, and
# gh-waybill, the file of the gh extension.
#
#   scripts/installers.sh DIR
#
# In: actions/version.txt, and actions/checksums.txt with the archives' SHA-256
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$1
version=$(cat "$root/actions/version.txt")

for name in install.sh waybill.rb gh-waybill; do
  text=$(< "$root/scripts/installers/$name")
  text=${text//@VERSION@/$version}
  while [[ $text =~ @SUM\ ([a-z.-]+)\ ?([a-z0-9_]*)@ ]]; do
    file=${BASH_REMATCH[1]}_${version}_${BASH_REMATCH[2]}.tar.gz
    if [ -z "${BASH_REMATCH[2]}" ]; then
      file=${BASH_REMATCH[1]}
      sum=$(sha256sum < "$dir/$file")
    else
      sum=$(awk -v f="$file" '$2 == f { print $1 }' "$root/actions/checksums.txt")
    fi
    if [ -z "$sum" ]; then
      echo "actions/checksums.txt does not name $file: run scripts/release.sh first" >&2
      exit 1
    fi
    text=${text//"${BASH_REMATCH[0]}"/${sum%% *}}
  done
  printf '%s\n' "$text" > "$dir/$name"
  chmod 755 "$dir/$name"
done

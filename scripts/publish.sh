#!/usr/bin/env bash
# Publishes a release in steps that are safe to repeat. A release stays a draft
# until every file of it was uploaded, signed and read back: GitHub takes no
# file into a published release that is immutable.
#
#   scripts/publish.sh ci COMMIT         fails unless CI passed for the commit
#   scripts/publish.sh draft TAG DIR     makes the draft, and uploads the files of DIR
#   scripts/publish.sh fetch TAG DIR     downloads the draft, and verifies its archives
#   scripts/publish.sh publish TAG DIR   uploads what is new in DIR, compares, publishes
#
# A release that is published already is compared and never changed: draft then
# sets the output published=true where its archives are the same, and exits 3
# where they are not.
#
# In: GH_TOKEN, GITHUB_REPOSITORY as gh has them; GITHUB_OUTPUT gets published
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
refuse() { say "$*"; exit 3; }

# state: none, draft or published. Trouble is not "none": it ends the script.
state() {
  local out
  if out=$(gh release view "$tag" --json isDraft --jq 'if .isDraft then "draft" else "published" end' 2>&1); then
    printf '%s\n' "$out"
  elif [ "$out" = "release not found" ]; then
    echo none
  else
    say "cannot read the release $tag: $out"
    return 1
  fi
}

# archives DIR: every archive of actions/checksums.txt is in DIR, with its sum,
# and no other is.
archives() {
  local wanted
  wanted=$(awk '$2 ~ /\.tar\.gz$/' "$here/actions/checksums.txt")
  [ -n "$wanted" ] || refuse "actions/checksums.txt names no archive: run scripts/release.sh and commit the result"
  (cd "$1" && sha256sum --check --quiet --strict) <<< "$wanted" >&2 \
    || refuse "the archives of $tag are not what actions/checksums.txt names; nothing was published"
  local name
  for name in "$1"/*_*_*_*.tar.gz; do
    name=${name##*/}
    grep -qF "  $name" <<< "$wanted" || refuse "$name is in the release, and actions/checksums.txt does not name it"
  done
}

command=${1:-} tag=${2:-} dir=${3:-}
case $command in
ci)
  passed=$(gh api "repos/$GITHUB_REPOSITORY/actions/workflows/ci.yml/runs?head_sha=$tag&status=success" --jq .total_count)
  [ "$passed" -gt 0 ] || refuse "CI did not pass for the commit $tag: let it pass, then run this job again; nothing was published"
  ;;
draft)
  archives "$dir"
  now=$(state)
  case $now in
  published)
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    gh release download "$tag" --dir "$copy"
    archives "$copy"
    say "the release $tag is published already, with the same archives: there is nothing to do"
    [ -z "${GITHUB_OUTPUT:-}" ] || echo published=true >> "$GITHUB_OUTPUT"
    exit 0
    ;;
  none) gh release create "$tag" --draft --verify-tag --title "$tag" --generate-notes ;;
  esac
  gh release upload "$tag" --clobber "$dir"/*
  ;;
fetch)
  now=$(state)
  [ "$now" = draft ] || refuse "the release $tag is no draft but $now: run the whole workflow again"
  mkdir -p "$dir"
  gh release download "$tag" --dir "$dir" --clobber
  archives "$dir"
  ;;
publish)
  now=$(state)
  [ "$now" = draft ] || refuse "the release $tag is no draft but $now: nothing was published"
  archives "$dir"
  gh release upload "$tag" --clobber "$dir"/*
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  gh release download "$tag" --dir "$copy"
  diff -r "$dir" "$copy" >&2 || refuse "the draft $tag does not hold exactly the files of $dir: delete the draft and run the workflow again"
  gh release edit "$tag" --draft=false
  now=$(state)
  [ "$now" = published ] || { say "GitHub still says that $tag is $now: run this job again"; exit 1; }
  ;;
*)
  say "usage: scripts/publish.sh ci COMMIT | draft TAG DIR | fetch TAG DIR | publish TAG DIR"
  exit 2
  ;;
esac

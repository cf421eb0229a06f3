#!/usr/bin/env bash
# Puts GitHub's published OpenAPI description, as @octokit/openapi packs it, at
# the path given: the stand-in's answers are held against it. 13 MB, and of no
# use at run time, so it is not kept in the repository.
set -euo pipefail

out=$1
version=23.0.2
sum=a55f0cecbf46636dc0c9b36f4e6a369f28e6a669edebedac444fedaabd192d070f4b8967c3bbb979918d9b044d9010b70fb8195db171e401f32d455105718386
[ -s "$out" ] && [ "$(cat "$out.version" 2> /dev/null)" = "$version" ] && exit 0
if ! command -v npm > /dev/null; then
  echo "npm is missing: the tests of the stand-in that need GitHub's description will be skipped" >&2
  exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && npm pack --silent "@octokit/openapi@$version" > /dev/null)
echo "$sum  $dir/octokit-openapi-$version.tgz" | sha512sum --check --quiet
tar -xzf "$dir/octokit-openapi-$version.tgz" -C "$dir" package/generated/api.github.com.json
mv "$dir/package/generated/api.github.com.json" "$out"
echo "$version" > "$out.version"

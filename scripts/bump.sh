#!/usr/bin/env bash
# Keeps every reference to a release of Waybill: actions in the starter
# workflows and examples, Terraform modules in the examples, README and docs.
#
#   scripts/bump.sh VERSION   before a release: writes actions/version.txt, and
#                             references by the tag vVERSION
#   scripts/bump.sh --pin     after the tag is there: the starter workflows name
#                             the actions by the tag's commit, with the tag as a
#                             comment. Commit the result to main
#
# A commit cannot hold its own hash, so a release itself names its actions by
# tag; `waybill init --actions-commit` pins them for whoever starts from it.
# Running it again changes nothing.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

tag='v[0-9][0-9A-Za-z.+-]*'
action="(waybill-dev/waybill(/actions/(<command>|[a-z]+))?)@([0-9a-f]{40} # )?$tag"

# rewrite FILES-PATTERN… -- SED-EXPRESSION…
rewrite() {
  local paths=()
  while [ "$1" != -- ]; do paths+=("$1"); shift; done
  shift
  git ls-files -z -- "${paths[@]}" | xargs -0 -r sed -i -E "$@"
}

case "${1:-}" in
--pin)
  version=$(cat actions/version.txt)
  commit=$(git rev-parse --verify --quiet "refs/tags/v$version^{commit}") || {
    echo "there is no tag v$version: tag the release first" >&2
    exit 1
  }
  rewrite 'workflows/*.yml' 'examples/*.yml' -- -e "s%$action%\\1@$commit # v$version%g"
  ;;
*)
  version=${1:-}
  if ! [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
    echo "usage: scripts/bump.sh VERSION, such as 0.2.0; or scripts/bump.sh --pin" >&2
    exit 2
  fi
  printf '%s\n' "$version" > actions/version.txt
  rewrite 'workflows/*.yml' 'examples/*.yml' 'examples/*.tf' README.md 'docs/*.md' -- \
    -e "s%$action%\\1@v$version%g" -e "s%(waybill\\.git//terraform[^?\"]*\\?ref=)$tag%\\1v$version%g" \
    -e "s%(release\\.yml@refs/tags/)$tag%\\1v$version%g" \
    -e "s%(waybill_)[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\.sigstore\\.json)%\\1$version\\3%g"
  ;;
esac

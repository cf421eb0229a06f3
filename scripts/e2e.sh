#!/usr/bin/env bash
# Delivers a change of an application for real, and checks what became of it:
# the commit in the config repository, the evidence of the image, the promotion's
# pull request and its check. It works on github.com and on the rehearsal.
#
#   scripts/e2e.sh deliver   pushes a change, waits, and checks
#   scripts/e2e.sh clean     closes the promotion and deletes its branch
#
# In: GITHUB_API_URL, GITHUB_TOKEN  the API, and a token that may read, push and close
#     E2E_CONFIG, E2E_APP           OWNER/NAME of the two repositories
#     E2E_CONFIG_GIT, E2E_APP_GIT   where git finds them
#     E2E_NAME                      name of the application in waybill.yaml
#     E2E_FIRST, E2E_NEXT           environments: the first (dev), and the next (staging)
#     E2E_TRUSTED_ROOT              of Sigstore; empty is the public one
#     E2E_MINUTES                   how long to wait for each thing (30)
set -euo pipefail
first=${E2E_FIRST:-dev} next=${E2E_NEXT:-staging}
branch=waybill/$next/$E2E_NAME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf 'e2e: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# api METHOD PATH [CURL-ARGUMENT…]
api() {
  local method=$1 path=$2
  shift 2
  curl --fail --silent --show-error --request "$method" --header "Authorization: Bearer $GITHUB_TOKEN" \
    --header 'Accept: application/vnd.github+json' "$@" "$GITHUB_API_URL/$path"
}

# eventually WHAT COMMAND…: repeats a command until it succeeds.
eventually() {
  local what=$1 end=$((SECONDS + ${E2E_MINUTES:-30} * 60))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "not seen in ${E2E_MINUTES:-30} minutes: $what. Look at the runs of $E2E_APP and $E2E_CONFIG"
    sleep 2
  done
  say "seen: $what"
}

bumped() {
  git -C "$work/config" fetch --quiet origin main
  git -C "$work/config" log --format=%B "$start..origin/main" > "$work/log"
  grep -q "^Waybill-Source: $E2E_APP@$commit" "$work/log"
}

pull() {
  api GET "repos/$E2E_CONFIG/pulls?state=open&head=${E2E_CONFIG%%/*}:$branch" > "$work/pulls"
  number=$(jq -r '.[0].number // empty' "$work/pulls")
  [ -n "$number" ]
}

proposed() { pull && jq -e --arg digest "$digest" '.[0].body | contains($digest)' "$work/pulls" > /dev/null; }

checked() {
  pull
  api GET "repos/$E2E_CONFIG/commits/$(jq -r '.[0].head.sha' "$work/pulls")/status" > "$work/status"
  jq -e '.statuses[] | select(.context == "waybill/check" and .state == "success")' "$work/status" > /dev/null
}

case ${1:-} in
deliver)
  git clone --quiet "$E2E_CONFIG_GIT" "$work/config"
  start=$(git -C "$work/config" rev-parse HEAD)
  git clone --quiet "$E2E_APP_GIT" "$work/app"
  date --utc > "$work/app/e2e.txt"
  git -C "$work/app" add e2e.txt
  git -C "$work/app" -c user.name=e2e -c user.email=e2e@users.noreply.github.com commit --quiet -m "End to end"
  commit=$(git -C "$work/app" rev-parse HEAD)
  git -C "$work/app" push --quiet origin HEAD:main
  eventually "$first has the image of $commit" bumped
  waybill status --repo "$E2E_CONFIG"
  image=$(git -C "$work/config" log -1 --format=%B --grep "^Waybill-Source: $E2E_APP@$commit" origin/main | sed -n 's/^Waybill-Image: //p')
  digest=${image##*@}
  git -C "$work/config" checkout --quiet --detach origin/main
  waybill verify "$image" --policy "$work/config/waybill.yaml" --app "$E2E_NAME" --env "$first" --trusted-root "${E2E_TRUSTED_ROOT:-}"
  eventually "a promotion of $digest to $next" proposed
  eventually "waybill/check allows it" checked
  say "delivered $image"
  ;;
clean)
  if pull; then
    api PATCH "repos/$E2E_CONFIG/pulls/$number" --data '{"state": "closed"}' > "$work/closed"
    api DELETE "repos/$E2E_CONFIG/git/refs/heads/$branch"
    say "closed #$number"
  fi
  ;;
*)
  echo "usage: scripts/e2e.sh deliver | clean" >&2
  exit 2
  ;;
esac
